use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;

use super::super::super::limits::Scope;
use super::*;

const CREATED: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(CREATED + second).unwrap()
}

fn job() -> JobView {
    serde_json::from_value(json!({"metadata": {"name": "r-job", "uid": "job-uid"}})).unwrap()
}

fn run(status: &Value) -> AgentRun {
    serde_json::from_value(json!({
        "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun",
        "metadata": {"name": "r", "namespace": "ns", "uid": "run-uid", "generation": 3, "resourceVersion": "7"},
        "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}},
        "status": status,
    }))
    .unwrap()
}

/// Writes a draft the way the API server would.
fn applied(run: &AgentRun, draft: Draft<'_>) -> AgentRun {
    let mut object = serde_json::to_value(run).unwrap();
    if let Some(update) = draft.into_update() {
        object["status"] = serde_json::to_value(update.status).unwrap();
    }
    serde_json::from_value(object).unwrap()
}

fn accepted() -> AgentRun {
    let run = run(&json!({}));
    let mut draft = Draft::of(&run, at(0));
    draft.accepted(Submission::default()).running(&job());
    applied(&run, draft)
}

fn state(run: &AgentRun, type_: &str) -> Option<String> {
    let conditions = &run.status.as_ref().unwrap().conditions;
    conditions.iter().find(|condition| condition.type_ == type_).map(|condition| condition.status.clone())
}

/// [LC-05] [LC-07]
#[test]
fn a_running_run_names_its_job_and_start() {
    let status = accepted().status.unwrap();
    assert_eq!((status.phase.as_deref(), status.reason.as_deref()), (Some("Running"), Some("Running")));
    assert_eq!(status.started_at, Some(Time(at(0))));
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(status.observed_uid.as_deref(), Some("run-uid"));
    let reference = status.runtime_ref.unwrap();
    assert_eq!(reference["uid"], "job-uid");
    assert_eq!(reference["namespace"], "ns");
}

/// [LC-16]
#[test]
fn the_same_decision_later_writes_nothing() {
    let run = accepted();
    let mut draft = Draft::of(&run, at(60));
    draft.running(&job()).outcome(&Outcome::Active);
    assert_eq!(draft.into_update(), None);
}

/// [LC-06] [LC-08]
#[rstest]
#[case(Some(5), 5)]
#[case(None, 9)]
#[case(Some(-100), 0)]
fn the_end_is_the_jobs_but_never_before_the_start(#[case] ended: Option<i64>, #[case] expected: i64) {
    let running = accepted();
    let mut draft = Draft::of(&running, at(9));
    draft.outcome(&Outcome::Succeeded { at: ended.map(|second| Time(at(second))) });
    let finished = applied(&running, draft);
    let status = finished.status.as_ref().unwrap();
    assert_eq!(status.finished_at, Some(Time(at(expected))));
    assert_eq!(status.reason.as_deref(), Some("Completed"));
    assert_eq!(state(&finished, reason::IN_PROGRESS).as_deref(), Some("False"));
    assert_eq!(state(&finished, reason::READY).as_deref(), Some("True"));
    let accepted = &status.conditions[0];
    assert_eq!((accepted.type_.as_str(), &accepted.last_transition_time), ("Accepted", &Time(at(0))));
}

/// [LC-10]
#[rstest]
#[case(Failure::Failed, reason::FAILED, reason::INVALID_SPEC)]
#[case(Failure::InvalidSpec, reason::INVALID_SPEC, reason::FAILED)]
fn a_failure_has_exactly_one_of_both_conditions(
    #[case] failure: Failure,
    #[case] present: &str,
    #[case] absent: &str,
) {
    let run = run(&json!({}));
    let mut draft = Draft::of(&run, at(0));
    draft.failed(failure, "Why", "because", None);
    let failed = applied(&run, draft);
    assert_eq!(state(&failed, present).as_deref(), Some("True"));
    assert_eq!(state(&failed, absent), None);
    assert_eq!(state(&failed, reason::DEGRADED).as_deref(), Some("True"));
    assert_eq!(failed.status.unwrap().reason.as_deref(), Some("Why"));
}

#[test]
fn what_others_wrote_is_kept() {
    let run = run(&json!({
        "vcs": {"repository": "a/b"},
        "conditions": [{"type": "Theirs", "status": "True", "reason": "X", "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }));
    let mut draft = Draft::of(&run, at(0));
    draft.accepted(Submission::default()).running(&job());
    let written = applied(&run, draft);
    assert_eq!(state(&written, "Theirs").as_deref(), Some("True"));
    assert_eq!(written.status.unwrap().vcs.unwrap().repository.as_deref(), Some("a/b"));
}

/// [DR-C23]
#[test]
fn what_a_later_version_wrote_is_kept_at_every_depth() {
    let stored = json!({
        "phase": "Running", "later": {"a": [1]},
        "vcs": {"repository": "a/b", "later": 2},
        "contract": {"requiredKeys": [], "missingKeys": [], "later": 3},
        "artifacts": [{"name": "log", "later": 4}],
        "runtimeRef": {"type": "job", "later": {"b": 7}},
        "workflow": {"phase": "Running", "later": 5, "steps": [{"name": "a", "later": 6}]},
    });
    let run = run(&stored);
    let mut draft = Draft::of(&run, at(0));
    draft.condition("Theirs", true, "Why", "");
    let mut written = serde_json::to_value(draft.into_update().unwrap().status).unwrap();
    // The same without what the draft itself has changed.
    written.as_object_mut().unwrap().retain(|key, _| stored.get(key).is_some());
    assert_eq!(written, stored);
}

/// [DR-C23] The reference is written at each pass, for a Job that is followed and for the next attempt.
#[test]
fn what_a_later_version_knows_of_the_job_is_kept_while_that_is_followed() {
    let mut reference = accepted().status.unwrap().runtime_ref.unwrap();
    reference["later"] = json!({"pod": "p"});
    let run = run(&json!({"phase": "Running", "runtimeRef": reference}));
    let mut draft = Draft::of(&run, at(60));
    draft.running(&job());
    assert_eq!(draft.status.runtime_ref.as_ref(), Some(&reference));
    draft.attempt_started(0, 1, &job(), at(60));
    let attempt = draft.status.runtime_ref.unwrap();
    assert_eq!((&attempt["later"]["pod"], &attempt["runName"]), (&json!("p"), &json!("r")));
}

fn reporting(artifacts: &Value) -> AgentRun {
    let mut status = serde_json::to_value(accepted().status).unwrap();
    status["artifacts"] = artifacts.clone();
    run(&status)
}

fn limits(max: usize, strict: bool) -> Settings {
    Settings { artifacts_max: max, artifacts_strict: strict, ..Settings::default() }
}

fn limited(run: &AgentRun, settings: &Settings) -> AgentRun {
    let mut draft = Draft::of(run, at(9));
    draft.limit_artifacts(settings);
    applied(run, draft)
}

fn told(run: &AgentRun, type_: &str) -> Option<(String, String)> {
    let conditions = &run.status.as_ref().unwrap().conditions;
    let condition = conditions.iter().find(|condition| condition.type_ == type_)?;
    Some((condition.status.clone(), condition.reason.clone()))
}

fn names(run: &AgentRun) -> Vec<String> {
    let artifacts = run.status.clone().unwrap().artifacts.unwrap();
    artifacts.into_iter().map(|artifact| artifact.name).collect()
}

#[test]
fn dropped_artifacts_are_told_until_others_are_reported_that_keep_the_limits() {
    let (settings, is) =
        (limits(2, false), |status: &str, reason: &str| Some((status.to_owned(), reason.to_owned())));
    let within = limited(&reporting(&json!([{"name": "a"}])), &settings);
    assert_eq!(told(&within, reason::ARTIFACTS_LIMITED), None);
    let dropped = limited(&reporting(&json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])), &settings);
    assert_eq!(names(&dropped), ["b", "c"]);
    assert_eq!(told(&dropped, reason::ARTIFACTS_LIMITED), is("True", "TooManyArtifacts"));
    // What was left is within the limits, which is no news.
    let mut again = Draft::of(&dropped, at(12));
    again.limit_artifacts(&settings);
    assert_eq!(again.into_update(), None);
    let mut other = dropped.clone();
    other.status.as_mut().unwrap().artifacts =
        serde_json::from_value(json!([{"name": "b"}, {"name": "d"}])).unwrap();
    let other = limited(&other, &settings);
    assert_eq!(told(&other, reason::ARTIFACTS_LIMITED), is("False", "WithinLimits"));
    assert_eq!(other.status.unwrap().phase.as_deref(), Some("Running"));
}

#[test]
fn strict_limits_end_the_run_and_drop_nothing() {
    let reported = json!([{"name": "a"}, {"name": "b", "url": "data:,x"}]);
    let failed = limited(&reporting(&reported), &limits(50, true));
    assert_eq!(names(&failed), ["a", "b"]);
    assert_eq!(told(&failed, reason::ARTIFACTS_LIMITED), None);
    let status = failed.status.unwrap();
    assert_eq!(
        (status.phase.as_deref(), status.reason.as_deref()),
        (Some("Failed"), Some("ArtifactsLimitExceeded"))
    );
}

/// A warning says that the run goes on in spite of something.
#[test]
fn nothing_warns_of_a_run_that_is_over() {
    for reason in [reason::SUBMIT_RETRYING, reason::SPEC_IMMUTABLE_VIOLATION, reason::WORKFLOW_JOB_MISSING] {
        let running = accepted();
        let mut draft = Draft::of(&running, at(1));
        draft.condition(reason::WARNING, true, reason, "odd");
        let warned = applied(&running, draft);
        let mut draft = Draft::of(&warned, at(2));
        draft.outcome(&Outcome::Succeeded { at: None });
        let ended = applied(&warned, draft);
        assert_eq!(told(&ended, reason::WARNING), Some(("False".to_owned(), "None".to_owned())));
    }
}

#[test]
fn a_warning_is_only_taken_back_by_what_it_is_about() {
    let running = accepted();
    let mut draft = Draft::of(&running, at(1));
    draft.condition(reason::WARNING, true, reason::SPEC_IMMUTABLE_VIOLATION, "edited");
    draft.settle_warning(reason::SUBMIT_RETRYING);
    let warned = applied(&running, draft);
    assert_eq!(state(&warned, reason::WARNING).as_deref(), Some("True"));
    let mut draft = Draft::of(&warned, at(2));
    draft.settle_warning(reason::SPEC_IMMUTABLE_VIOLATION);
    assert_eq!(state(&applied(&warned, draft), reason::WARNING).as_deref(), Some("False"));
}

#[test]
fn an_update_only_lands_on_what_was_read_and_takes_no_field_from_its_managers() {
    let mut run = run(&json!({}));
    run.labels_mut().insert("team".to_owned(), "a".to_owned());
    run.finalizers_mut().push("example.com/theirs".to_owned());
    let metadata = serde_json::to_value(&run.metadata).unwrap();
    run.metadata.managed_fields = Some(Vec::new());
    let mut draft = Draft::of(&run, at(0));
    draft.waiting();
    let update = serde_json::to_value(draft.into_update().unwrap()).unwrap();
    assert_eq!((&metadata["uid"], &metadata["resourceVersion"]), (&json!("run-uid"), &json!("7")));
    assert_eq!(update["metadata"], metadata);
    assert_eq!((&update["kind"], update.get("spec")), (&json!("AgentRun"), None));
}

/// [LIM-06] [LC-16]
#[test]
fn a_blocked_run_is_told_once_what_it_waits_for_and_is_free_when_it_starts() {
    let rate = |free_at| Limit::Rate { scope: Scope::Cluster, most: 2, free_at };
    let new = run(&json!({}));
    let mut draft = Draft::of(&new, at(0));
    draft.blocked(&rate(at(9)));
    let blocked = applied(&new, draft);
    assert_eq!(state(&blocked, reason::BLOCKED).as_deref(), Some("True"));
    assert_eq!(blocked.status.as_ref().unwrap().reason.as_deref(), Some("RateLimit"));
    let mut again = Draft::of(&blocked, at(3));
    again.blocked(&rate(at(9)));
    assert_eq!(again.into_update(), None);
    let mut other = Draft::of(&blocked, at(3));
    other.blocked(&Limit::Queue { scope: Scope::Cluster, most: 1 });
    assert_eq!(applied(&blocked, other).status.unwrap().reason.as_deref(), Some("QueueLimit"));
    let mut starting = Draft::of(&blocked, at(9));
    starting.accepted(Submission::default()).running(&job());
    assert_eq!(state(&applied(&blocked, starting), reason::BLOCKED).as_deref(), Some("False"));
}

/// [DR-C16] A duplicate has failed like any other failed run, and says which one it repeats.
#[test]
fn a_duplicate_fails_and_names_the_run_that_has_the_key() {
    let new = run(&json!({}));
    let mut draft = Draft::of(&new, at(0));
    draft.store_unavailable();
    let waiting = applied(&new, draft);
    let status = waiting.status.as_ref().unwrap();
    assert_eq!(
        (status.phase.as_deref(), status.reason.as_deref()),
        (Some("Pending"), Some("IdempotencyStoreUnavailable"))
    );
    let mut draft = Draft::of(&waiting, at(1));
    draft.duplicate(&Taken { by: "first".to_owned(), completed: true });
    let ended = applied(&waiting, draft);
    assert_eq!(
        ["Failed", "Duplicate", "Succeeded", "Blocked"].map(|type_| state(&ended, type_).unwrap()),
        ["True", "True", "False", "False"]
    );
    assert_eq!(ended.status.as_ref().unwrap().reason.as_deref(), Some("IdempotencyKeyCompleted"));
    let conditions = &ended.status.as_ref().unwrap().conditions;
    let duplicate = conditions.iter().find(|condition| condition.type_ == reason::DUPLICATE).unwrap();
    assert!(duplicate.message.contains("first"), "{}", duplicate.message);
}

proptest! {
    /// [LC-06] The start and the end of a Job are read from the clock of whoever runs it.
    #[test]
    fn the_end_is_never_before_the_start_whatever_clocks_say(
        started in prop::option::of(-1_000_000..1_000_000_i64),
        ended in prop::option::of(-1_000_000..1_000_000_i64),
        now in -1_000_000..1_000_000_i64,
        is_workflow in any::<bool>(),
    ) {
        let mut run = run(&json!({}));
        if is_workflow {
            run.spec.runtime.type_ = "workflow".to_owned();
            run.spec.workflow = serde_json::from_value(json!({"steps": [{"name": "a"}]})).unwrap();
        }
        let mut job = job();
        job.status.start_time = started.map(|second| Time(at(second)));
        let ended = ended.map(|second| Time(at(second)));
        let mut draft = Draft::of(&run, at(0));
        draft.accepted(Submission::default());
        if is_workflow {
            draft.attempt_started(0, 1, &job, at(0)).attempt_observed(0, 1, &job);
        } else {
            draft.running(&job);
        }
        let running = applied(&run, draft);
        let mut draft = Draft::of(&running, at(now));
        if is_workflow {
            draft.attempt_observed(0, 1, &job).step_succeeded(0, ended);
        } else {
            draft.running(&job).outcome(&Outcome::Succeeded { at: ended });
        }
        let status = applied(&running, draft).status.unwrap();
        prop_assert_eq!(status.phase.as_deref(), Some("Succeeded"));
        prop_assert!(status.finished_at.unwrap().0 >= status.started_at.unwrap().0);
        for step in status.workflow.into_iter().flat_map(|workflow| workflow.steps.unwrap()) {
            prop_assert!(step.finished_at.unwrap().0 >= step.started_at.unwrap().0);
        }
    }

    /// [LC-08]
    #[test]
    fn condition_types_stay_unique(flips in prop::collection::vec(("[A-C]", any::<bool>()), 0..20)) {
        let run = run(&json!({}));
        let mut draft = Draft::of(&run, at(0));
        for (type_, state) in &flips {
            draft.condition(type_, *state, "R", "");
        }
        let mut types: Vec<_> = draft.status.conditions.iter().map(|condition| &condition.type_).collect();
        let before = types.len();
        types.sort();
        types.dedup();
        prop_assert_eq!(types.len(), before);
    }
}
