use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::archive::{self, MANIFEST_FILE, VerifyError, digest_path};
use crate::event::{CaseResult, Event, RunEnd, RunInfo, Verdict};
use crate::record::{Change, End, ObjectVersion, Observation, RECORD_FILE, Record, RecordWriter};
use crate::report::{self, Aggregate, REPORT_FILE, fixture};
use crate::scenario::PlannedCase;
use crate::scenario::assertion::BoundObject;
use crate::scenario::suite::Suite;

/// A suite and the reports of its run: `holds` passed, `breaks` failed, `waits` was skipped.
pub(crate) struct Ran {
    folder: tempfile::TempDir,
}

impl Ran {
    pub(crate) fn new() -> Self {
        let ran = Self { folder: tempfile::tempdir().unwrap() };
        let write = |name: &str, text: &str| {
            let path = ran.folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "suite/suite.yaml",
            "{apiVersion: hallmark.dev/v1alpha1, kind: Suite, metadata: {name: s}, spec: {requirements: r.yaml}}",
        );
        write(
            "suite/r.yaml",
            "{apiVersion: hallmark.dev/v1alpha1, kind: Requirements, requirements: [{id: A-01, level: MUST, feature: core, statement: Text., source: text}]}",
        );
        // Beside the suite, as suites that share fixtures have it.
        write("shared/thing.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: thing}}");
        write("suite/unused.txt", "nobody reads this");
        for name in ["holds", "breaks", "waits"] {
            write(&format!("suite/deep/{name}.yaml"), &scenario(name, "bad"));
        }
        ran.run();
        ran
    }

    fn suite(&self) -> Suite {
        Suite::load(&self.folder.path().join("suite"))
            .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics))
    }

    fn reports(&self) -> PathBuf {
        self.folder.path().join("reports")
    }

    pub(crate) fn pack(&self) -> Result<Vec<u8>, EvidenceError> {
        pack(&self.suite(), None, &self.reports())
    }

    fn run(&self) {
        let suite = self.suite();
        let info = RunInfo {
            suite_digest: suite.digest().to_owned(),
            requirements: suite.requirements().to_vec(),
            ..fixture::info(suite.cases().iter().map(PlannedCase::info).collect(), false)
        };
        let writer = RecordWriter::create(&self.reports().join(RECORD_FILE), &info).unwrap();
        let mut run = Aggregate::default();
        run.apply(&Event::RunStarted(Box::new(info)));
        for case in suite.cases() {
            let verdict = match case.id.scenario.as_str() {
                "holds" => Verdict::Passed,
                "breaks" => fixture::failed(),
                _ => Verdict::Skipped { reason: "needs a node".to_owned() },
            };
            record(case, &verdict, &writer);
            let (id, elapsed, namespace) = (case.id.clone(), Duration::from_secs(1), "ns".to_owned());
            let (timeline, history) = (Vec::new(), None);
            let result = CaseResult { id, verdict, elapsed, namespace, timeline, history };
            writer.result(&result);
            run.apply(&Event::CaseFinished(Box::new(result)));
        }
        run.apply(&Event::RunFinished { elapsed: Duration::from_secs(2), interrupted: false });
        writer.finish(RunEnd { elapsed: Duration::from_secs(2), interrupted: false }).unwrap();
        report::write_all(&self.reports(), &run, jiff::Timestamp::UNIX_EPOCH).unwrap();
    }
}

fn scenario(name: &str, never: &str) -> String {
    format!(
        "apiVersion: hallmark.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: {name}}}\nspec:\n  \
         requirements: [A-01]\n  summary: Text.\n  given: {{subject: none}}\n  steps:\n    \
         - create: {{file: ../../shared/thing.yaml, as: thing}}\n  expect:\n    \
         - never: {{object: thing, cel: \"self.data.phase == '{never}'\"}}\n"
    )
}

/// Records a run of the case; the object of the one that failed was `bad`.
fn record(case: &PlannedCase, verdict: &Verdict, writer: &RecordWriter) {
    let end = match verdict {
        Verdict::Passed => End::Passed,
        Verdict::Failed(failure) => {
            let failure = failure.as_ref().clone();
            End::Failed { claim: failure.claim, object: failure.object, reason: failure.nearest }
        }
        Verdict::Inconclusive { .. } | Verdict::Skipped { .. } => return,
    };
    let phase = if end == End::Passed { "good" } else { "bad" };
    let identity = || ["v1", "ConfigMap", "ns", "thing", "u"].map(str::to_owned);
    let record = Record::new(case.id.clone(), writer.clone());
    record.append(Observation::CaseStarted { namespace: "ns".to_owned() });
    for (index, step) in case.steps.iter().chain(&case.expect).enumerate() {
        let (summary, assertion) = (step.summary.clone(), step.action.is_assertion());
        record.append(Observation::StepStarted { index, summary, assertion, digest: step.digest.clone() });
        if !assertion {
            let [api_version, kind, namespace, name, uid] = identity();
            let object =
                BoundObject { api_version, kind, namespace, name, uid, latest: std::sync::Arc::default() };
            record.append(Observation::Bound { alias: "thing".to_owned(), object });
            let [api_version, kind, namespace, name, uid] = identity();
            record.append(Observation::Object(ObjectVersion {
                change: Change::Added,
                api_version,
                kind,
                namespace,
                name,
                uid,
                resource_version: 1,
                object: Arc::new(
                    json!({"metadata": {"name": "thing", "uid": "u"}, "data": {"phase": phase}}),
                ),
            }));
        }
        let judged = assertion.then(|| record.snapshot().len() as u64);
        record.append(Observation::StepFinished { index, ok: !assertion || end == End::Passed, judged });
    }
    record.append(Observation::CaseFinished { end, by_claims: true });
}

/// The bundle with one entry changed, and with every digest as it would be had it been packed so.
fn forged(bytes: &[u8], path: &str, change: impl FnOnce(&str) -> String) -> Bundle {
    open_bytes(&forged_bytes(bytes, path, change), None).expect("a forger computes digests, too")
}

pub(crate) fn forged_bytes(bytes: &[u8], path: &str, change: impl FnOnce(&str) -> String) -> Vec<u8> {
    let mut bundle = open_bytes(bytes, None).unwrap();
    let content = bundle.files.get_mut(path).unwrap();
    let changed = change(std::str::from_utf8(content).unwrap());
    assert_ne!(changed.as_bytes(), content, "nothing was changed");
    *content = changed.into_bytes();
    sealed(bundle)
}

fn sealed(mut bundle: Bundle) -> Vec<u8> {
    bundle.manifest.entries =
        bundle.files.iter().map(|(path, content)| FileRecord::of(path, content)).collect();
    let manifest = bundle.manifest.seal().unwrap();
    packed(&manifest, &bundle)
}

fn packed(manifest: &[u8], bundle: &Bundle) -> Vec<u8> {
    let entries = bundle.files.iter().map(|(path, content)| (path.as_str(), content.as_slice()));
    archive::pack(std::iter::once((MANIFEST_FILE, manifest)).chain(entries)).unwrap()
}

fn told(bundle: &Bundle) -> Vec<String> {
    judge(bundle).unwrap().disagreements.iter().map(ToString::to_string).collect()
}

fn report_path() -> String {
    format!("run/{REPORT_FILE}")
}

#[test]
fn a_bundle_says_what_the_report_of_the_run_says_when_everything_else_is_gone() {
    let ran = Ran::new();
    let bytes = ran.pack().unwrap();
    assert_eq!(bytes, ran.pack().unwrap(), "the same run makes the same bytes");
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("evidence.tar.zst");
    publish(&bytes, &file).unwrap();
    drop(ran);
    let bundle = open(&file).unwrap();
    let judged = judge(&bundle).unwrap();
    assert_eq!(judged.disagreements, []);
    assert_eq!((judged.cases, judged.skipped), (2, 1));
    assert_eq!(judged.statement.result, "nonConformant");
    let paths: Vec<&str> = bundle.manifest.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert!(paths.contains(&"suite/shared/thing.yaml"), "{paths:?}");
    assert!(paths.contains(&"run/junit.xml") && paths.contains(&"run/report.html"), "{paths:?}");
    assert!(!paths.iter().any(|path| path.ends_with("unused.txt")), "{paths:?}");
    assert!(matches!(publish(&bytes, &file), Err(EvidenceError::Publish(_))), "it is not overwritten");
}

#[test]
fn one_flipped_bit_is_noticed_wherever_it_is() {
    let bytes = Ran::new().pack().unwrap();
    let sound = open_bytes(&bytes, None).unwrap();
    let line = format!("{}  evidence.tar.zst\n", sound.sha256);
    for place in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        assert!(matches!(open_bytes(&damaged, Some(&line)), Err(VerifyError::Outer { .. })), "at {place}");
        // Without the digest file a bit may be one that means nothing to the compression.
        let same = open_bytes(&damaged, None).map(|found| found.files == sound.files);
        assert!(same.unwrap_or(true), "at {place}");
    }
    let cut = &bytes[..bytes.len() - 1];
    assert!(open_bytes(cut, None).is_err());
}

#[test]
fn a_changed_entry_does_not_fit_its_digest_and_a_missing_one_is_named() {
    let bytes = Ran::new().pack().unwrap();
    let mut bundle = open_bytes(&bytes, None).unwrap();
    let manifest = bundle.manifest.seal().unwrap();
    bundle.files.get_mut(&report_path()).unwrap().push(b'\n');
    let changed = open_bytes(&packed(&manifest, &bundle), None);
    assert!(matches!(changed, Err(VerifyError::Digest { path, .. }) if path == report_path()));
    bundle.files.remove(&report_path());
    let missing = open_bytes(&packed(&manifest, &bundle), None);
    assert!(matches!(missing, Err(VerifyError::Missing { path, others: 0 }) if path == report_path()));
    let mut more = open_bytes(&bytes, None).unwrap();
    more.files.insert("suite/new.yaml".to_owned(), Vec::new());
    let extra = open_bytes(&packed(&manifest, &more), None);
    assert!(matches!(extra, Err(VerifyError::Extra { path }) if path == "suite/new.yaml"));
}

#[test]
fn an_edited_verdict_is_told_although_every_digest_fits() {
    let bytes = Ran::new().pack().unwrap();
    let bundle =
        forged(&bytes, &report_path(), |report| report.replace("verdict: failed", "verdict: passed"));
    let told = told(&bundle);
    assert!(told[0].starts_with("case breaks: passed in the report, failed by the record ("), "{told:?}");
    assert!(
        told.contains(&"requirement A-01: passed in the report, failed by the record".to_owned()),
        "{told:?}"
    );
}

#[test]
fn an_edited_result_is_told() {
    let bytes = Ran::new().pack().unwrap();
    let edited = forged(&bytes, &report_path(), |report| report.replacen("nonConformant", "conformant", 1));
    assert_eq!(told(&edited)[0], "the verdict: conformant in the report, nonConformant by the record");
}

#[test]
fn a_run_that_was_cut_short_is_told_by_its_record() {
    let bytes = Ran::new().pack().unwrap();
    let path = format!("run/{RECORD_FILE}");
    let cut = |record: &str| record.replace("\"interrupted\":false", "\"interrupted\":true");
    let told = told(&forged(&bytes, &path, cut));
    let line = "the run: came to its end in the report, interrupted by the record";
    assert!(told.iter().any(|told| told == line), "{told:?}");
}

#[test]
fn a_case_that_was_cut_out_of_the_report_is_told() {
    let bytes = Ran::new().pack().unwrap();
    let hidden = forged(&bytes, &report_path(), |report| report.replace("name: breaks", "name: holds"));
    let told = told(&hidden);
    assert!(told.iter().any(|line| line.starts_with("case breaks: not mentioned in the report")), "{told:?}");
}

#[test]
fn a_passed_case_without_a_record_is_told() {
    let bytes = Ran::new().pack().unwrap();
    let path = format!("run/{RECORD_FILE}");
    let without = forged(&bytes, &path, |record| {
        let kept = record.lines().filter(|line| !line.starts_with("{\"case\":\"holds\""));
        kept.collect::<Vec<_>>().join("\n")
    });
    let told = told(&without);
    assert!(told[0].starts_with("case holds: passed in the report, inconclusive by the record"), "{told:?}");
}

/// The bundle of a forger who changes the record, and makes the report say what is judged by it then.
fn forged_with_its_report(change: impl Fn(&str) -> String) -> Bundle {
    let bytes = Ran::new().pack().unwrap();
    let bundle = forged(&bytes, &format!("run/{RECORD_FILE}"), change);
    let folder = tempfile::tempdir().unwrap();
    judge::lay_out(&bundle, folder.path()).unwrap();
    let recording = crate::record::Recording::read(&folder.path().join("run").join(RECORD_FILE)).unwrap();
    let suite = Suite::load(&folder.path().join(&bundle.manifest.suite.root)).unwrap();
    let mut run = Aggregate::default();
    for event in crate::engine::recall(&recording, Some(&suite)) {
        run.apply(&event);
    }
    report::write_all(folder.path(), &run, jiff::Timestamp::UNIX_EPOCH).unwrap();
    let report = std::fs::read_to_string(folder.path().join(REPORT_FILE)).unwrap();
    forged(&sealed(bundle), &report_path(), |_| report)
}

/// The lines of a record with other values; a line without one is left out.
fn relined(record: &str, mut change: impl FnMut(&mut serde_json::Value) -> bool) -> String {
    let lines = record.lines().map(|line| serde_json::from_str(line).unwrap());
    let kept = lines.filter_map(|mut line: serde_json::Value| change(&mut line).then(|| line.to_string()));
    kept.collect::<Vec<_>>().join("\n")
}

fn is_about(line: &serde_json::Value, case: &str) -> bool {
    line["case"] == case || line["result"]["id"]["scenario"] == case
}

#[test]
fn a_failure_that_the_record_calls_passed_is_judged_all_the_same() {
    let bundle = forged_with_its_report(|record| {
        relined(record, |line| {
            if line["observation"]["caseFinished"].is_object() && is_about(line, "breaks") {
                line["observation"]["caseFinished"] = json!({"end": "passed", "byClaims": false});
            } else if line["result"].is_object() && is_about(line, "breaks") {
                line["result"]["verdict"] = json!("passed");
            }
            true
        })
    });
    let told = told(&bundle);
    assert!(told[0].starts_with("case breaks: passed in the report, failed by the record"), "{told:?}");
}

#[test]
fn a_passed_result_without_entries_is_not_believed() {
    let bundle = forged_with_its_report(|record| {
        relined(record, |line| {
            if line["result"].is_object() && is_about(line, "breaks") {
                line["result"]["verdict"] = json!("passed");
            }
            line["result"].is_object() || !is_about(line, "breaks")
        })
    });
    let told = told(&bundle);
    assert!(told[0].starts_with("case breaks: passed in the report, inconclusive by the record"), "{told:?}");
}

#[test]
fn a_case_that_was_cut_out_of_record_and_report_is_told() {
    let bundle = forged_with_its_report(|record| {
        relined(record, |line| {
            if let Some(cases) = line["run"]["cases"].as_array_mut() {
                cases.retain(|case| case["id"]["scenario"] != "breaks");
            }
            !is_about(line, "breaks")
        })
    });
    let told = told(&bundle);
    let expected = "case breaks: no case of the run in the report, a case of the suite by the record (the record calls the run whole and does not have the case)";
    assert_eq!(told, [expected]);
}

#[test]
fn other_requirements_than_those_of_the_suite_are_told() {
    let may = forged_with_its_report(|record| record.replacen("\"level\":\"MUST\"", "\"level\":\"MAY\"", 1));
    assert!(told(&may)[0].starts_with("the requirements: other ones"), "{:?}", told(&may));
    let nothing = forged_with_its_report(|record| {
        relined(record, |line| {
            let cases = line["run"]["cases"].as_array_mut();
            let failed = cases.into_iter().flatten().find(|case| case["id"]["scenario"] == "breaks");
            if let Some(failed) = failed {
                failed["requirements"] = json!([]);
            }
            true
        })
    });
    assert!(told(&nothing)[0].starts_with("case breaks: as the record has it"), "{:?}", told(&nothing));
}

#[test]
fn an_edited_claim_is_judged_and_the_suite_called_another() {
    let bytes = Ran::new().pack().unwrap();
    let path = "suite/suite/deep/holds.yaml";
    let told = told(&forged(&bytes, path, |text| text.replace("'bad'", "'good'")));
    assert!(told[0].starts_with("case holds: passed in the report, failed by the record"), "{told:?}");
    assert!(told.last().unwrap().starts_with("the digest of the suite"), "{told:?}");
}

#[test]
fn parts_of_different_runs_are_not_packed_together() {
    let ran = Ran::new();
    let report = ran.reports().join(REPORT_FILE);
    let text = std::fs::read_to_string(&report).unwrap();
    std::fs::write(&report, text.replace("r4nd0m", "0th3r")).unwrap();
    let error = ran.pack().unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("0th3r"), "{error}");
    std::fs::write(&report, text).unwrap();
    let changed = ran.folder.path().join("suite/deep/holds.yaml");
    std::fs::write(changed, scenario("holds", "worse")).unwrap();
    let error = ran.pack().unwrap_err();
    assert!(error.is_usage() && error.to_string().starts_with("the digest of the suite"), "{error}");
}

#[test]
fn a_bundle_that_is_not_there_is_wrong_usage_and_nonsense_is_damage() {
    let missing = EvidenceError::from(open(Path::new("/nonexistent/e.tar.zst")).unwrap_err());
    assert!(missing.is_usage());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "nonsense").unwrap();
    assert!(!digest_path(file.path()).exists());
    assert!(!EvidenceError::from(open(file.path()).unwrap_err()).is_usage());
}

/// The first line of a record with another description of the run.
fn described(record: &str, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> String {
    let (first, rest) = record.split_once('\n').unwrap();
    let mut header: serde_json::Value = serde_json::from_str(first).unwrap();
    change(header["run"].as_object_mut().unwrap());
    format!("{header}\n{rest}")
}

#[test]
fn the_manifest_tells_programs_and_machine_and_a_bundle_of_before_is_judged_without() {
    let bytes = Ran::new().pack().unwrap();
    let manifest = open_bytes(&bytes, None).unwrap().manifest;
    let run = fixture::info(Vec::new(), false);
    assert_eq!((manifest.implementation.artifacts, manifest.run.host), (run.artifacts, run.host));
    let record = forged_bytes(&bytes, &format!("run/{RECORD_FILE}"), |record| {
        described(record, |run| {
            for name in ["artifacts", "host", "goldens"] {
                run.remove(name).unwrap();
            }
        })
    });
    let mut older = forged(&record, &report_path(), |report| {
        let (mut kept, mut dropped) = (Vec::new(), false);
        for line in report.lines() {
            // Two columns in front of a name are a field of the run.
            let is_field = !line.starts_with("   ") && !line.starts_with("  -");
            dropped = if is_field { ["  artifacts:", "  host:"].contains(&line) } else { dropped };
            kept.extend((!dropped).then_some(line));
        }
        kept.join("\n")
    });
    older.manifest.format = "1.0.0".to_owned();
    older.manifest.implementation.artifacts.clear();
    older.manifest.run.host = None;
    let older = open_bytes(&sealed(older), None).unwrap();
    assert_eq!(told(&older), Vec::<String>::new());
}

#[test]
fn another_implementation_file_than_that_of_the_run_is_told() {
    let bytes = Ran::new().pack().unwrap();
    let record = forged_bytes(&bytes, &format!("run/{RECORD_FILE}"), |record| {
        described(record, |run| {
            let digest = super::pack::sha256(b"what was tested");
            let file = json!({"kind": "implementation", "name": "mine.yaml", "sha256": digest});
            run["artifacts"].as_array_mut().unwrap().push(file);
        })
    });
    let told = |text: &str| {
        let mut bundle = open_bytes(&record, None).unwrap();
        let path = "implementation/mine.yaml".to_owned();
        bundle.files.insert(path.clone(), text.as_bytes().to_vec());
        bundle.manifest.implementation.file = Some(path);
        told(&open_bytes(&sealed(bundle), None).unwrap())
    };
    let is_about_the_file = |line: &String| line.starts_with("the digest of the implementation file");
    assert!(told("what is said to be tested").iter().any(is_about_the_file));
    assert!(!told("what was tested").iter().any(is_about_the_file));
}
