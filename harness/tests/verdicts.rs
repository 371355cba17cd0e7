//! Verdicts that are known beforehand, from planted scenarios to exit code and report files.
//!
//! Each run starts a local cluster; the first one on a machine builds the binaries, which takes minutes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests, too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use hallmark::yaml::{Source, parse_documents};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use rstest::rstest;
use serde_json::{Value, json};

/// What a run leaves.
struct Outcome {
    code: Option<i32>,
    stderr: String,
    report: Value,
    junit: Report,
}

/// Runs the planted suite, narrowed by `names`.
fn run(names: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let names = names.iter().flat_map(|name| ["--name", name]);
    outcome(&mut hallmark(&["run", "planted", "--cluster", "local"], names), folder.path())
}

/// The command, beside the suites.
fn hallmark<'a>(arguments: &[&str], more: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    command
        .args(arguments)
        .args(more)
        .args(["--color", "never"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites"));
    command
}

/// Runs a command that reports into `folder`.
fn outcome(command: &mut Command, folder: &Path) -> Outcome {
    let output = command.arg("--report-dir").arg(folder).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|_| panic!("{stderr}"));
    let report = parse_documents(&Source::new("report.yaml", read("report.yaml"))).unwrap()[0].to_json();
    let junit = Report::deserialize_from_str(&read("junit.xml")).unwrap();
    assert!(output.stdout.is_empty(), "stdout is for data");
    Outcome { code: output.status.code(), stderr, report, junit }
}

impl Outcome {
    /// `verdict` of each entry of a list in the report, by the entry's `key`.
    fn verdicts(&self, list: &str, key: &str) -> BTreeMap<&str, &str> {
        let entries = self.report[list].as_array().unwrap();
        entries.iter().map(|it| (it[key].as_str().unwrap(), it["verdict"].as_str().unwrap())).collect()
    }

    /// What `JUnit` says about each test case.
    fn junit(&self) -> BTreeMap<String, &'static str> {
        let cases = self.junit.test_suites.iter().flat_map(|suite| &suite.test_cases);
        cases
            .map(|case| {
                let word = match &case.status {
                    TestCaseStatus::Success { .. } => "success",
                    TestCaseStatus::Skipped { .. } => "skipped",
                    TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. } => "failure",
                    TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. } => "error",
                };
                (case.name.to_string(), word)
            })
            .collect()
    }
}

#[test]
fn a_failure_decides_a_run_that_has_every_verdict() {
    let outcome = run(&[]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(outcome.report["result"], "nonConformant");
    assert_eq!(
        outcome.report["statistics"],
        json!({"planned": 4, "passed": 1, "failed": 1, "inconclusive": 1, "skipped": 1})
    );
    let cases = [
        ("claim-of-another-day", "skipped"),
        ("claim-that-fails", "failed"),
        ("claim-that-holds", "passed"),
        ("claim-without-an-answer", "inconclusive"),
    ];
    assert_eq!(outcome.verdicts("cases", "name"), BTreeMap::from(cases));
    let requirements = outcome.verdicts("requirements", "id");
    assert_eq!((requirements["HOLDS-01"], requirements["FAILS-01"]), ("passed", "failed"));
    let others = [requirements["OPEN-01"], requirements["LATER-01"]];
    assert!(others.iter().all(|verdict| !["passed", "failed"].contains(verdict)), "{others:?}");
    assert_eq!(outcome.report["skipped"][0]["reason"], "waits for another day");
    let junit = [
        ("claim-of-another-day", "skipped"),
        ("claim-that-fails", "failure"),
        ("claim-that-holds", "success"),
        ("claim-without-an-answer", "error"),
    ];
    assert_eq!(outcome.junit(), junit.map(|(name, word)| (name.to_owned(), word)).into());
    assert_eq!((outcome.junit.tests, outcome.junit.failures, outcome.junit.errors), (4, 1, 1));
}

#[test]
fn the_first_failure_is_enough_where_that_is_asked_for_and_can_be_run_again_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = ["run", "planted", "--cluster", "local"];
    let first = outcome(&mut hallmark(&run, ["--fail-fast", "--jobs", "1"]), folder.path());
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    let cases = first.verdicts("cases", "name");
    assert_eq!((cases["claim-that-fails"], cases["claim-that-holds"]), ("failed", "skipped"));
    let again = outcome(&mut hallmark(&run, ["--rerun-failed"]), folder.path());
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    // The first run had not begun the one that passes now.
    let open = [
        ("claim-that-fails", "failed"),
        ("claim-that-holds", "passed"),
        ("claim-without-an-answer", "inconclusive"),
    ];
    assert_eq!(again.verdicts("cases", "name"), BTreeMap::from(open));
}

#[test]
fn a_rerun_without_an_earlier_run_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = hallmark(&["run", "planted", "--rerun-failed"], []);
    let output = run.arg("--report-dir").arg(folder.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("report.yaml of an earlier run"), "{stderr}");
}

#[test]
fn a_record_is_judged_again_without_a_cluster() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ran = outcome(&mut hallmark(&["run", "planted", "--cluster", "local"], []), first.path());
    let record = first.path().join("events.ndjson");
    let mut replay = hallmark(&["replay", "--suite", "planted"], []);
    let replayed = outcome(replay.arg(&record), second.path());
    assert_eq!(replayed.code, ran.code, "{}", replayed.stderr);
    let expected = ran.verdicts("cases", "name");
    assert_eq!(expected.values().filter(|verdict| **verdict == "skipped").count(), 1);
    assert_eq!(replayed.verdicts("cases", "name"), expected, "the skipped one included");
    assert!(!replayed.stderr.contains("local cluster …"), "{}", replayed.stderr);
    assert!(!replayed.stderr.contains("in the run,"), "no verdict differs: {}", replayed.stderr);
    let third = tempfile::tempdir().unwrap();
    let mut report = hallmark(&["report"], []);
    let told = outcome(report.arg("--from").arg(&record), third.path());
    assert_eq!(told.code, Some(0), "the reports are written: {}", told.stderr);
    assert_eq!(told.verdicts("cases", "name"), ran.verdicts("cases", "name"), "the skipped one included");
    for part in ["run", "statistics", "requirements", "skipped", "result"] {
        assert_eq!(told.report[part], ran.report[part], "{part}");
    }
    let page = |folder: &tempfile::TempDir| fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_eq!(page(&third).matches("replicas").count(), page(&first).matches("replicas").count());
}

#[rstest]
#[case::failed("claim-that-fails", 1, "nonConformant", &[("claim-that-fails", "failure")])]
#[case::inconclusive("claim-without-an-answer", 3, "inconclusive", &[("claim-without-an-answer", "error")])]
// An empty report is green for CI systems, so a run without any case gets one of its own.
#[case::only_skipped("another-day", 4, "nothingRun", &[("claim-of-another-day", "skipped"), ("run", "error")])]
#[case::empty_selection("nothing-like-that", 4, "nothingRun", &[("run", "error")])]
#[case::passed("claim-that-holds", 0, "notDecided", &[("claim-that-holds", "success")])]
fn a_verdict_alone_decides_exit_code_and_reports(
    #[case] name: &str,
    #[case] code: i32,
    #[case] result: &str,
    #[case] junit: &[(&str, &'static str)],
) {
    let outcome = run(&[name]);
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    assert_eq!(outcome.report["result"], result);
    assert_eq!(outcome.report["filtered"], true);
    assert_eq!(outcome.junit(), junit.iter().map(|(name, word)| ((*name).to_owned(), *word)).collect());
    let fails = code == 1;
    assert_eq!(outcome.stderr.contains("FAILS-01"), fails, "{}", outcome.stderr);
    // Where nothing is to be run nothing is started.
    let started = outcome.stderr.contains("local cluster");
    assert_eq!(started, result != "nothingRun", "{}", outcome.stderr);
    let broken = outcome.verdicts("requirements", "id").get("FAILS-01") == Some(&"failed");
    assert_eq!(broken, fails);
}

/// Watches are some milliseconds behind when a cluster or its data are lost, and nothing can be listed again.
#[test]
fn the_record_keeps_what_was_written_right_before_a_loss_and_no_releases_of_helm() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = hallmark(&["run", "recorded", "--cluster", "local", "--repeat", "2"], []);
    let outcome = outcome(&mut run, folder.path());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.report["statistics"]["passed"], 6, "{}", outcome.stderr);
}

/// Otherwise it would depend on the machine whether anything is tried at all.
#[test]
fn faults_are_over_when_each_has_met_its_request() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = outcome(&mut hallmark(&["run", "late", "--cluster", "local"], []), folder.path());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let cases = [("faults-wait-for-their-requests", "passed")];
    assert_eq!(outcome.verdicts("cases", "name"), BTreeMap::from(cases));
}

/// A restart would hide it from whoever looks at the controller that runs then.
#[test]
fn a_controller_that_ends_by_itself_fails_the_case_though_it_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = outcome(&mut hallmark(&["run", "mortal", "--cluster", "local"], []), folder.path());
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let cases = [("ended-before-a-restart", "failed"), ("restarted-in-time", "passed")];
    assert_eq!(outcome.verdicts("cases", "name"), BTreeMap::from(cases));
    assert!(outcome.stderr.contains("killed by signal 9, unexpectedly"), "{}", outcome.stderr);
}

#[test]
fn a_broken_implementation_file_is_wrong_usage_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("implementation.yaml");
    fs::write(&file, "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {}\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .args(["run", "planted", "--cluster", "local", "--color", "never", "--implementation"])
        .arg(&file)
        .arg("--report-dir")
        .arg(folder.path().join("reports"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("implementation.yaml:3:11"), "{stderr}");
    assert!(!stderr.contains("inconclusive") && !stderr.contains("local cluster"), "{stderr}");
    assert!(!folder.path().join("reports").exists(), "there is nothing to be reported");
}
