use rstest::rstest;
use serde_json::json;

use super::*;
use crate::check::Rules;
use crate::record::{Change, ObjectVersion, Observation, Record, RecordWriter};
use crate::report::fixture;
use crate::scenario::assertion::BoundObject;
use crate::scenario::suite::LoadOptions;

const EVENTUALLY: &str = "eventually: {object: thing, within: 2s, cel: \"self.data.phase == 'done'\"}";
const NEVER: &str = "never: {object: thing, cel: \"self.data.phase == 'bad'\"}";
const CREATE: &str = "create: {file: fixtures/thing.yaml, as: thing}";

/// A suite of one scenario with one action, one claim after it and claims over the whole history.
fn suite(create: &str, eventually: &str, expect: &[&str]) -> Suite {
    let folder = folder(&scenario("s", create, eventually, expect));
    Suite::load(folder.path()).unwrap_or_else(|error| panic!("{:#?}", error.diagnostics))
}

fn scenario(name: &str, create: &str, eventually: &str, expect: &[&str]) -> String {
    let expect: Vec<String> = expect.iter().map(|claim| format!("    - {claim}\n")).collect();
    format!(
        "apiVersion: hallmark.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: {name}}}\nspec:\n  \
         requirements: [A-01]\n  summary: Text.\n  given: {{subject: none}}\n  steps:\n    - {create}\n    - {eventually}\n  expect:\n{}",
        expect.concat()
    )
}

/// The folder of a suite of these scenarios.
fn folder(scenarios: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "suite.yaml",
        "{apiVersion: hallmark.dev/v1alpha1, kind: Suite, metadata: {name: s}, spec: {requirements: r.yaml}}",
    );
    write(
        "r.yaml",
        "{apiVersion: hallmark.dev/v1alpha1, kind: Requirements, requirements: [{id: A-01, level: MUST, feature: core, statement: Text., source: text}]}",
    );
    std::fs::create_dir(folder.path().join("fixtures")).unwrap();
    write("fixtures/thing.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: thing}}");
    write("fixtures/other.yaml", "{apiVersion: v1, kind: Secret, metadata: {name: thing}}");
    write("scenario.yaml", scenarios);
    folder
}

fn version(number: u64, change: Change, phase: &str) -> Observation {
    Observation::Object(ObjectVersion {
        change,
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: "ns".to_owned(),
        name: "thing".to_owned(),
        uid: "u".to_owned(),
        resource_version: number,
        object: Arc::new(json!({"metadata": {"name": "thing", "uid": "u"}, "data": {"phase": phase}})),
    })
}

/// How the recorded run went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Passed,
    /// The claim after the action did not hold, and the run ended there.
    FailedThere,
    /// The claim over the whole history did not hold.
    FailedInTheEnd,
    /// All claims held, and the subject crashed.
    Crashed,
    /// The file ends before the case did.
    Unfinished,
}

/// The run of the suite as it was: `new`, then `done`, judged; `bad` came after the last judgement.
fn recording(run: Run) -> Recording {
    let suite = suite(CREATE, EVENTUALLY, &[NEVER]);
    let case = &suite.cases()[0];
    let record = Record::new(CaseId { scenario: "s".to_owned(), case: String::new() }, RecordWriter::none());
    record.append(Observation::CaseStarted { namespace: "ns".to_owned() });
    let start = |index: usize| {
        let step = case.steps.iter().chain(&case.expect).nth(index).unwrap();
        let (summary, assertion) = (step.summary.clone(), step.action.is_assertion());
        record.append(Observation::StepStarted { index, summary, assertion, digest: step.digest.clone() });
    };
    let finish = |index, ok, claim: bool| {
        let judged = claim.then(|| record.snapshot().len() as u64);
        record.append(Observation::StepFinished { index, ok, judged });
    };
    start(0);
    record.append(Observation::Bound {
        alias: "thing".to_owned(),
        object: BoundObject {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: "ns".to_owned(),
            name: "thing".to_owned(),
            uid: "u".to_owned(),
            latest: Arc::default(),
        },
    });
    finish(0, true, false);
    record.append(version(1, Change::Added, "new"));
    start(1);
    if run == Run::FailedThere {
        finish(1, false, true);
    } else {
        record.append(version(2, Change::Modified, "done"));
        finish(1, true, true);
        start(2);
        if run == Run::FailedInTheEnd {
            record.append(version(3, Change::Modified, "bad"));
        }
        finish(2, run != Run::FailedInTheEnd, true);
    }
    if run != Run::FailedInTheEnd {
        record.append(version(3, Change::Modified, "bad"));
    }
    let failed = |claim: &str| End::Failed {
        claim: claim.to_owned(),
        object: String::new(),
        reason: "exit code 1".to_owned(),
    };
    let (end, by_claims) = match run {
        Run::Passed => (Some(End::Passed), true),
        Run::FailedThere | Run::FailedInTheEnd => (Some(failed("a claim")), true),
        Run::Crashed => (Some(failed("the subject keeps running")), false),
        Run::Unfinished => (None, true),
    };
    if let Some(end) = end {
        record.append(Observation::CaseFinished { end, by_claims });
    }
    let mut about = fixture::info(Vec::new(), false);
    about.suite_digest = suite.digest().to_owned();
    let cases = [("s".to_owned(), record.snapshot())].into();
    Recording { run: about, cases, results: Vec::new(), end: None }
}

/// The verdict of the only case and all notes.
fn replayed(suite: &Suite, recording: &Recording) -> (Verdict, Vec<String>) {
    let (sink, mut receiver) = EventSink::channel();
    replay(suite, &Filter::default(), recording, &sink);
    let (mut verdict, mut notes) = (None, Vec::new());
    while let Ok(event) = receiver.try_recv() {
        match event {
            Event::CaseFinished(result) => verdict = Some(result.verdict),
            Event::Note { message } => notes.push(message),
            _ => {}
        }
    }
    (verdict.unwrap(), notes)
}

#[rstest]
#[case::passed(Run::Passed, "passed")]
#[case::failed(Run::FailedThere, "failed")]
#[case::failed_in_the_end(Run::FailedInTheEnd, "failed")]
#[case::crashed(Run::Crashed, "failed")]
#[case::unfinished(Run::Unfinished, "inconclusive")]
fn an_unchanged_suite_gets_the_verdict_of_the_run(#[case] run: Run, #[case] expected: &str) {
    let (verdict, notes) = replayed(&suite(CREATE, EVENTUALLY, &[NEVER]), &recording(run));
    assert_eq!((word(&verdict), notes), (expected, Vec::new()), "{verdict:?}");
}

#[test]
fn what_came_after_the_judgement_does_not_count_for_a_claim_of_the_run() {
    // `never bad` held when it was judged; a claim that is new is judged on all that was recorded.
    let unchanged = suite(CREATE, EVENTUALLY, &[NEVER]);
    assert_eq!(word(&replayed(&unchanged, &recording(Run::Passed)).0), "passed");
    let new = "never: {object: thing, cel: \"self.data.phase == 'bad' && true\"}";
    let more = suite(CREATE, EVENTUALLY, &[NEVER, new]);
    assert_eq!(word(&replayed(&more, &recording(Run::Passed)).0), "failed");
}

#[rstest]
#[case::a_never_that_was_broken(
    EVENTUALLY,
    "never: {object: thing, cel: \"self.data.phase == 'new'\"}",
    Run::Passed,
    "failed"
)]
#[case::an_eventually_that_never_came(
    "eventually: {object: thing, within: 2s, cel: \"self.data.phase == 'gone'\"}",
    NEVER,
    Run::Passed,
    "failed"
)]
#[case::an_eventually_that_came(
    "eventually: {object: thing, within: 2s, cel: \"self.data.phase == 'new'\"}",
    NEVER,
    Run::Passed,
    "passed"
)]
#[case::what_follows_a_claim_that_failed_in_the_run(
    "eventually: {object: thing, within: 2s, cel: \"self.data.phase == 'new'\"}",
    NEVER,
    Run::FailedThere,
    "inconclusive"
)]
#[case::no_claim_excuses_a_crash(
    EVENTUALLY,
    "never: {object: thing, cel: \"self.data.phase == 'other'\"}",
    Run::Crashed,
    "failed"
)]
fn a_changed_claim_is_judged_anew(
    #[case] eventually: &str,
    #[case] never: &str,
    #[case] run: Run,
    #[case] expected: &str,
) {
    let (verdict, notes) = replayed(&suite(CREATE, eventually, &[never]), &recording(run));
    assert_eq!(word(&verdict), expected, "{verdict:?}");
    assert!(notes[0].starts_with("the suite has changed"), "{notes:?}");
}

#[test]
fn what_follows_a_broken_claim_over_the_whole_history_is_judged_too() {
    let mended = "never: {object: thing, cel: \"self.data.phase == 'other'\"}";
    let broken = "never: {object: thing, cel: \"self.data.phase == 'new'\"}";
    for (claims, expected) in [([mended, mended], "passed"), ([mended, broken], "failed")] {
        let (verdict, _) = replayed(&suite(CREATE, EVENTUALLY, &claims), &recording(Run::FailedInTheEnd));
        assert_eq!(word(&verdict), expected, "{verdict:?}");
    }
}

/// `done` held at once, and the run went on with another step, 3 s before the thing was `late`.
fn gone_on() -> Recording {
    let mut recording = recording(Run::Passed);
    let history = recording.cases.get_mut("s").unwrap();
    let next = Observation::StepStarted {
        index: 2,
        summary: "delete thing".to_owned(),
        assertion: false,
        digest: String::new(),
    };
    let judged = history
        .iter()
        .position(|entry| matches!(entry.observation, Observation::StepFinished { index: 1, .. }));
    let tail = history.split_off(judged.unwrap() + 1);
    let done = Observation::StepFinished { index: 2, ok: true, judged: None };
    let observations = [next, version(3, Change::Modified, "late"), done]
        .into_iter()
        .chain(tail.iter().map(|entry| entry.observation.clone()));
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    for observation in observations {
        let sequence = history.len() as u64;
        history.push(Arc::new(Entry { sequence, at, observation }));
    }
    recording
}

#[rstest]
#[case::as_it_was("done", "5s", "passed")]
#[case::in_time_but_after_the_run_went_on("late", "5s", "inconclusive")]
#[case::never("gone", "5s", "failed")]
#[case::too_late("late", "2s", "failed")]
fn what_came_true_after_the_run_went_on_fails_nobody(
    #[case] phase: &str,
    #[case] within: &str,
    #[case] expected: &str,
) {
    let claim =
        format!("eventually: {{object: thing, within: {within}, cel: \"self.data.phase == '{phase}'\"}}");
    let delete = "delete: {object: thing}";
    let suite = suite(CREATE, &format!("{claim}\n    - {delete}"), &[NEVER]);
    let (verdict, _) = replayed(&suite, &gone_on());
    assert_eq!(word(&verdict), expected, "{verdict:?}");
}

#[test]
fn a_verdict_that_differs_is_told() {
    let changed = suite(CREATE, EVENTUALLY, &["never: {object: thing, cel: \"self.data.phase == 'new'\"}"]);
    let (_, notes) = replayed(&changed, &recording(Run::Passed));
    assert_eq!(notes[1], "s: passed in the run, failed now");
}

#[test]
fn a_changed_scenario_stands_for_that_of_the_suite_and_for_no_other() {
    let both = ["s", "t"].map(|name| scenario(name, CREATE, EVENTUALLY, &[NEVER])).join("---\n");
    let folder = folder(&both);
    let mut recording = recording(Run::Passed);
    let same = recording.cases["s"].clone();
    recording.cases.insert("t".to_owned(), same);
    recording.run.suite_digest = Suite::load(folder.path()).unwrap().digest().to_owned();

    // Elsewhere, and what it names lies beside the suite's scenario.
    let elsewhere = tempfile::tempdir().unwrap();
    let changed = elsewhere.path().join("changed.yaml");
    let broken = "never: {object: thing, cel: \"self.data.phase == 'new'\"}";
    std::fs::write(&changed, scenario("s", CREATE, EVENTUALLY, &[broken])).unwrap();
    let options = LoadOptions { instead: Some(&changed), ..LoadOptions::default() };
    let suite = Suite::load_with(folder.path(), options).unwrap();
    let (sink, mut receiver) = EventSink::channel();
    replay(&suite, &Filter::default(), &recording, &sink);
    let (mut verdicts, mut notes) = (Vec::new(), Vec::new());
    while let Ok(event) = receiver.try_recv() {
        match event {
            Event::CaseFinished(result) => verdicts.push(format!("{} {}", result.id, word(&result.verdict))),
            Event::Note { message } => notes.push(message),
            _ => {}
        }
    }
    assert_eq!(verdicts, ["s failed", "t passed"]);
    assert_eq!(notes[1..], ["s: passed in the run, failed now"]);

    std::fs::write(&changed, scenario("unknown", CREATE, EVENTUALLY, &[NEVER])).unwrap();
    let error = Suite::load_with(folder.path(), options).unwrap_err();
    assert_eq!(
        error.diagnostics[0].message,
        "the suite has no scenario `unknown` that this one could stand for"
    );
}

#[rstest]
#[case::another(
    "create: {file: fixtures/other.yaml, as: thing}",
    "was not recorded; a step that acts needs a new run"
)]
#[case::the_same_in_few_words(
    "create: {file: fixtures/thing.yaml, as: thing, set: {data: {phase: bad}}}",
    "did something else in the run; it needs a new one"
)]
fn a_changed_action_needs_a_new_run(#[case] create: &str, #[case] told: &str) {
    let (verdict, _) = replayed(&suite(create, EVENTUALLY, &[NEVER]), &recording(Run::Passed));
    let Verdict::Inconclusive { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.ends_with(told), "{reason}");
}

#[test]
fn a_step_is_told_from_one_with_another_manifest_of_the_same_name() {
    let digest = |thing: &str| {
        let folder = folder(&scenario("s", CREATE, EVENTUALLY, &[NEVER]));
        std::fs::write(folder.path().join("fixtures/thing.yaml"), thing).unwrap();
        Suite::load(folder.path()).unwrap().cases()[0].steps[0].digest.clone()
    };
    let thing = "{apiVersion: v1, kind: ConfigMap, metadata: {name: thing}";
    assert_eq!(digest(&format!("{thing}}}")), digest(&format!("# The same.\n{thing}}}")));
    assert_ne!(digest(&format!("{thing}}}")), digest(&format!("{thing}, data: {{phase: bad}}}}")));
}

#[test]
fn every_run_of_a_repeated_case_is_judged_on_its_own_history() {
    let mut both = recording(Run::Passed);
    let second = recording(Run::FailedInTheEnd).cases.remove("s").unwrap();
    both.cases.insert("s#2".to_owned(), second);
    let (sink, mut receiver) = EventSink::channel();
    replay(&suite(CREATE, EVENTUALLY, &[NEVER]), &Filter::default(), &both, &sink);
    let (mut verdicts, mut histories) = (Vec::new(), Vec::new());
    while let Ok(event) = receiver.try_recv() {
        match event {
            Event::CaseFinished(result) => {
                verdicts.push(format!("{} {}", result.id, word(&result.verdict)));
                histories.push(result.history.expect("it was repeated"));
            }
            Event::Note { message } => panic!("{message}"),
            _ => {}
        }
    }
    assert_eq!(verdicts, ["s passed", "s#2 failed"]);
    let parted = histories[0].divergences(&histories[1], &Rules::default());
    assert_eq!(parted, [], "the same happened in both");
}

#[test]
fn a_repeated_suite_is_the_same_suite_and_names_select_every_run() {
    let mut repeated = suite(CREATE, EVENTUALLY, &[NEVER]);
    let digest = repeated.digest().to_owned();
    repeated.repeat(std::num::NonZeroU32::new(3).unwrap());
    assert_eq!(repeated.digest(), digest);
    for filter in [
        Filter { names: vec!["s".to_owned()], ..Filter::default() },
        Filter { exact: vec!["s".to_owned()], ..Filter::default() },
    ] {
        let ids: Vec<String> =
            filter.select(repeated.cases()).iter().map(|case| case.id.to_string()).collect();
        assert_eq!(ids, ["s", "s#2", "s#3"]);
    }
}

/// What a replay told: verdicts by case, and whether the run was interrupted.
fn told(suite: &Suite, recording: &Recording) -> (Vec<String>, bool) {
    let (sink, mut receiver) = EventSink::channel();
    replay(suite, &Filter::default(), recording, &sink);
    let (mut planned, mut verdicts, mut ended) = (Vec::new(), Vec::new(), None);
    while let Ok(event) = receiver.try_recv() {
        match event {
            Event::RunStarted(run) => planned.extend(run.cases.into_iter().map(|case| case.id)),
            Event::CaseFinished(result) => {
                assert!(planned.contains(&result.id), "{} was not planned", result.id);
                verdicts.push(format!("{} {}", result.id, word(&result.verdict)));
            }
            Event::RunFinished { interrupted, .. } => ended = Some(interrupted),
            _ => {}
        }
    }
    (verdicts, ended.expect("the replay ends"))
}

fn two_scenarios(second: &str) -> Suite {
    let folder = folder(&format!("{}---\n{second}", scenario("s", CREATE, EVENTUALLY, &[NEVER])));
    Suite::load(folder.path()).unwrap_or_else(|error| panic!("{:#?}", error.diagnostics))
}

/// A run of both scenarios, the second of which left no entries and this result.
fn with_one_missing(suite: &Suite, second: Option<Verdict>) -> Recording {
    let mut recording = recording(Run::Passed);
    recording.run.cases = suite.cases().iter().map(PlannedCase::info).collect();
    let result = |case: &CaseInfo, verdict| CaseResult {
        id: case.id.clone(),
        verdict,
        elapsed: Duration::ZERO,
        namespace: String::new(),
        timeline: Vec::new(),
        history: None,
    };
    recording.results.push(result(&recording.run.cases[0], Verdict::Passed));
    recording.results.extend(second.map(|verdict| result(&recording.run.cases[1], verdict)));
    recording
}

#[rstest]
#[case::never_begun(None, "inconclusive")]
#[case::without_a_cluster(Some(inconclusive("no cluster")), "inconclusive")]
#[case::skipped(Some(Verdict::Skipped { reason: "no".to_owned() }), "skipped")]
#[case::passed_without_a_trace(Some(Verdict::Passed), "inconclusive")]
fn a_case_without_entries_keeps_what_the_run_said_of_it(
    #[case] result: Option<Verdict>,
    #[case] expected: &str,
) {
    let suite = two_scenarios(&scenario("t", CREATE, EVENTUALLY, &[NEVER]));
    let (verdicts, _) = told(&suite, &with_one_missing(&suite, result));
    assert_eq!(verdicts, ["s passed".to_owned(), format!("t {expected}")]);
}

#[rstest]
#[case::ended(Some(false), false)]
#[case::stopped(Some(true), true)]
#[case::killed(None, true)]
fn a_run_that_did_not_end_has_no_end_when_it_is_judged_again(
    #[case] end: Option<bool>,
    #[case] expected: bool,
) {
    let suite = two_scenarios(&scenario("t", CREATE, EVENTUALLY, &[NEVER]));
    let mut recording = with_one_missing(&suite, None);
    recording.end = end.map(|interrupted| crate::event::RunEnd { elapsed: Duration::ZERO, interrupted });
    assert_eq!(told(&suite, &recording).1, expected);
}

/// An implementation that does not claim the requirement was not judged on it, and is not when it is judged again.
#[rstest]
#[case::judged(&["A-01"], "failed")]
#[case::left_out(&[], "passed")]
fn only_invariants_that_the_run_judged_are_judged_again(#[case] invariants: &[&str], #[case] expected: &str) {
    let folder = folder(&scenario("s", CREATE, EVENTUALLY, &[NEVER]));
    let never = "never: {resource: {apiVersion: v1, kind: ConfigMap}, cel: \"self.data.phase == 'bad'\"}";
    let path = folder.path().join("suite.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("r.yaml", &format!("r.yaml, invariants: [{{id: A-01, {never}}}]"));
    std::fs::write(path, text).unwrap();
    let suite = Suite::load(folder.path()).unwrap_or_else(|error| panic!("{:#?}", error.diagnostics));
    let mut recording = recording(Run::Passed);
    recording.run.suite_digest = suite.digest().to_owned();
    let info = suite.cases()[0].info();
    assert_eq!(info.invariants, ["A-01"]);
    let invariants = invariants.iter().map(|id| (*id).to_owned()).collect();
    recording.run.cases = vec![CaseInfo { invariants, ..info }];
    assert_eq!(told(&suite, &recording).0, [format!("s {expected}")]);
}
