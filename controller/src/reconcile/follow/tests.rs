//! What a pass over an accepted run writes and deletes.

use kube::Client;
use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::mock::{Asked, Log, api_server, complete, context, job, phases, refusal, run};
use super::super::pass::reconcile;
use super::*;
use crate::config::Settings;

/// What a pass over the run asks while its Job has this status.
async fn asked(run: AgentRun, job_status: &Value, settings: Settings) -> Vec<Asked> {
    let name = jobs::name(&run, jobs::first(&run));
    let (jobs, mut writer) = reflector::store::<JobView>();
    writer.apply_watcher_event(&Event::Apply(serde_json::from_value(job(&name, job_status)).unwrap()));
    let (client, log): (Client, Log) =
        api_server(|asked: &Asked| match asked.line.split_once(' ').unwrap() {
            ("GET", _) => refusal(404, "NotFound"),
            ("DELETE", _) => (200, json!({"apiVersion": "v1", "kind": "Status", "status": "Success"})),
            _ => (200, asked.body.clone()),
        });
    reconcile(run.into(), context(client, jobs, settings)).await.unwrap();
    log.lock().unwrap().clone()
}

fn workflow() -> Value {
    json!({"runtime": {"type": "workflow"}, "workflow": {"steps": [{"name": "s"}]}})
}

/// A status of a run that is executed, completed by this one.
fn running(more: &Value) -> Value {
    let mut status = json!({
        "phase": "Running", "workflow": {"steps": [{"name": "s", "phase": "Running", "attempt": 1}]},
    });
    json_patch::merge(&mut status, more);
    status
}

fn deletions(asked: &[Asked]) -> usize {
    asked.iter().filter(|asked| asked.line.starts_with("DELETE ")).count()
}

/// The artifacts are looked at before the Job, and nobody goes on working for a run that is over. A Job that
/// has finished keeps what it has to tell.
#[rstest]
#[case::strict_and_at_work(true, json!({}), &["Failed"], 1)]
#[case::strict_and_done(true, complete(), &["Failed"], 0)]
#[case::at_work(false, json!({}), &["Running"], 0)]
#[case::done(false, complete(), &["Succeeded"], 0)]
#[tokio::test]
async fn artifacts_outside_the_limits_end_the_run_if_that_is_wanted(
    #[case] strict: bool,
    #[case] job_status: Value,
    #[case] written: &[&str],
    #[case] deleted: usize,
    #[values(json!({}), workflow())] spec: Value,
) {
    let run = run(&spec, &running(&json!({"artifacts": [{"name": "a"}, {"name": " "}]})));
    let settings = Settings { artifacts_strict: strict, artifacts_max: 50, ..Settings::default() };
    let asked = asked(run, &job_status, settings).await;
    assert_eq!((phases(&asked).as_slice(), deletions(&asked)), (written, deleted));
    let status = &asked.iter().find(|asked| asked.line.starts_with("PUT ")).unwrap().body["status"];
    assert_eq!(status["reason"] == "ArtifactsLimitExceeded", strict);
    assert_eq!(status["artifacts"].as_array().unwrap().len(), if strict { 2 } else { 1 });
}

/// Where the spec may be edited, the warning says that it differs from what was accepted, and no more.
#[rstest]
#[tokio::test]
async fn a_warning_of_an_edit_is_taken_back_with_the_edit(#[values(json!({}), workflow())] spec: Value) {
    let warning = json!([{
        "type": "Warning", "status": "True", "reason": "SpecImmutableViolation", "message": "edited",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]);
    let accepted = run(&spec, &json!({}));
    let status = running(&json!({"specHash": spec_hash::compute(&accepted.spec), "conditions": warning}));
    let asked = asked(run(&spec, &status), &json!({}), Settings::default()).await;
    let conditions = asked.last().unwrap().body["status"]["conditions"].clone();
    assert_eq!((&conditions[0]["status"], &conditions[0]["reason"]), (&json!("False"), &json!("None")));
}

/// [LC-15] Whatever number a status names, the work stays small and the Job of an early attempt is found.
#[tokio::test]
async fn a_status_far_beyond_all_attempts_neither_costs_much_nor_hides_a_job() {
    let steps =
        json!({"workflow": {"steps": [{"name": "s", "phase": "Running", "attempt": 2_147_483_648_i64}]}});
    let mut status = running(&json!({"artifacts": [{"name": " "}]}));
    json_patch::merge(&mut status, &steps);
    let settings = Settings { artifacts_strict: true, artifacts_max: 50, ..Settings::default() };
    let asked = asked(run(&workflow(), &status), &json!({}), settings).await;
    let deleted: Vec<_> = asked.iter().filter(|asked| asked.line.starts_with("DELETE ")).collect();
    let [deleted] = deleted.as_slice() else { panic!("{asked:?}") };
    assert!(deleted.line.ends_with("/jobs/r-step-1-attempt-1"));
    assert!(asked.len() < 10);
}

/// A workflow of one step that has a minute, and a status that says when it was started.
fn timed(started: &Value) -> AgentRun {
    let spec = json!({
        "runtime": {"type": "workflow"}, "workflow": {"steps": [{"name": "s", "timeoutSeconds": 60}]},
    });
    let step = json!({"name": "s", "phase": "Running", "attempt": 1, "startedAt": started});
    run(&spec, &running(&json!({"workflow": {"steps": [step]}})))
}

/// [WF-03] The Job of an attempt that took too long is deleted before the status says so. A controller that was
/// killed in between finds no Job.
#[rstest]
#[case::late(json!("2026-01-01T00:00:00Z"), "WorkflowStepTimedOut")]
#[case::in_time(json!(Timestamp::now().to_string()), "WorkflowJobMissing")]
#[case::nobody_knows(json!(null), "WorkflowJobMissing")]
#[tokio::test]
async fn an_attempt_without_a_job_is_late_once_its_time_is_over(
    #[case] started: Value,
    #[case] reason: &str,
) {
    let (client, log) = api_server(|asked| match asked.line.split_once(' ').unwrap() {
        ("GET", _) => refusal(404, "NotFound"),
        _ => (200, asked.body.clone()),
    });
    let context = context(client, reflector::store().0, Settings::default());
    reconcile(timed(&started).into(), context).await.unwrap();
    assert_eq!(reasons(&log.lock().unwrap()), [reason]);
}

fn reasons(asked: &[Asked]) -> Vec<String> {
    let writes = asked.iter().filter(|asked| asked.line.starts_with("PUT "));
    writes.map(|write| write.body["status"]["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Metadata of a Job that was deleted then and waits for its pods.
fn deleted(at: &str) -> Value {
    json!({"deletionTimestamp": at, "finalizers": ["foregroundDeletion"]})
}

fn failed(at: &str) -> Value {
    let condition = json!({"type": "Failed", "status": "True", "reason": "R", "lastTransitionTime": at});
    json!({"status": {"conditions": [condition]}})
}

/// [WF-03] [LC-18] At the deadline of 00:01:00 the cache says that the Job is active. What counts is what the API
/// server says, and of a Job that was stopped for its time not even that.
#[rstest]
#[case::active(json!({}), "WorkflowStepTimedOut", 1)]
#[case::ended_in_time(json!({"status": complete()}), "Completed", 0)]
#[case::gone(json!(null), "WorkflowStepTimedOut", 0)]
#[case::stopped(json!({"metadata": deleted("2026-01-01T00:01:00Z")}), "WorkflowStepTimedOut", 0)]
#[case::stopped_and_failed(
    json!([{"metadata": deleted("2026-01-01T00:01:00Z")}, failed("2026-01-01T00:01:30Z")]), "WorkflowStepTimedOut", 0,
)]
#[case::failed_and_removed(
    json!([{"metadata": deleted("2026-01-01T00:01:30Z")}, failed("2026-01-01T00:01:00Z")]), "WorkflowStepFailed", 0,
)]
#[case::removed_and_failed_before(
    json!([{"metadata": deleted("2026-01-01T00:00:30Z")}, failed("2026-01-01T00:00:40Z")]), "WorkflowStepFailed", 0,
)]
#[tokio::test]
async fn what_the_api_server_says_decides_whether_an_attempt_is_late(
    #[case] changes: Value,
    #[case] reason: &str,
    #[case] deletions: usize,
) {
    let name = "r-step-1-attempt-1";
    let (jobs, mut writer) = reflector::store::<JobView>();
    writer.apply_watcher_event(&Event::Apply(serde_json::from_value(job(name, &json!({}))).unwrap()));
    let read = (!changes.is_null()).then(|| {
        let mut read = job(name, &json!({}));
        read["metadata"]["resourceVersion"] = json!("10");
        let changes = changes.as_array().cloned().unwrap_or_else(|| vec![changes.clone()]);
        for change in &changes {
            json_patch::merge(&mut read, change);
        }
        read
    });
    let (client, log) = api_server(move |asked| match asked.line.split_once(' ').unwrap() {
        ("GET", _) => read.clone().map_or_else(|| refusal(404, "NotFound"), |read| (200, read)),
        ("DELETE", _) => (200, json!({"apiVersion": "v1", "kind": "Status", "status": "Success"})),
        _ => (200, asked.body.clone()),
    });
    let run = timed(&json!("2026-01-01T00:00:00Z"));
    reconcile(run.into(), context(client, jobs, Settings::default())).await.unwrap();
    let asked = log.lock().unwrap().clone();
    assert_eq!(reasons(&asked), [reason]);
    let stopped: Vec<_> = asked.iter().filter(|asked| asked.line.starts_with("DELETE ")).collect();
    assert_eq!(stopped.len(), deletions);
    // A version that has changed meanwhile is left alone.
    let precise = json!({"uid": "j", "resourceVersion": "10"});
    assert!(stopped.iter().all(|stopped| stopped.body["preconditions"] == precise));
}

/// [WF-03] [LC-18] The Job has changed since it was read, so nothing is said of it yet.
#[tokio::test]
async fn an_attempt_that_may_have_ended_is_not_told_as_late() {
    let name = "r-step-1-attempt-1";
    let (jobs, mut writer) = reflector::store::<JobView>();
    writer.apply_watcher_event(&Event::Apply(serde_json::from_value(job(name, &json!({}))).unwrap()));
    let (client, log) = api_server(move |asked| match asked.line.split_once(' ').unwrap() {
        ("GET", _) => (200, job(name, &json!({}))),
        ("DELETE", _) => refusal(409, "Conflict"),
        _ => (200, asked.body.clone()),
    });
    let run = timed(&json!("2026-01-01T00:00:00Z"));
    reconcile(run.into(), context(client, jobs, Settings::default())).await.unwrap();
    assert_eq!(reasons(&log.lock().unwrap()), Vec::<String>::new());
}

/// [LC-04] Whatever type the run has by now, the Job that it was started with is deleted.
#[rstest]
#[case::recorded(json!({"phase": "Running", "runtimeRef": {"name": "r-job", "uid": "j"}}), workflow(), "r-job")]
#[case::not_recorded(json!({}), workflow(), "r-job")]
#[case::a_step(running(&json!({})), json!({}), "r-step-1-attempt-1")]
#[case::a_step_not_recorded(json!({}), json!({}), "r-step-1-attempt-1")]
#[tokio::test]
async fn a_changed_type_hides_no_job(#[case] mut status: Value, #[case] spec: Value, #[case] name: &str) {
    if status != json!({}) {
        status["specHash"] = json!("another");
    }
    let (jobs, mut writer) = reflector::store::<JobView>();
    writer.apply_watcher_event(&Event::Apply(serde_json::from_value(job(name, &json!({}))).unwrap()));
    let (client, log) = api_server(|asked| match asked.line.split_once(' ').unwrap() {
        ("GET", _) => refusal(404, "NotFound"),
        ("DELETE", _) => (200, json!({"apiVersion": "v1", "kind": "Status", "status": "Success"})),
        _ => (200, asked.body.clone()),
    });
    let settings = Settings { immutability_enforced: true, ..Settings::default() };
    reconcile(run(&spec, &status).into(), context(client, jobs, settings)).await.unwrap();
    let asked = log.lock().unwrap().clone();
    assert_eq!((reasons(&asked), deletions(&asked)), (vec!["SpecImmutableViolation".to_owned()], 1));
    assert!(asked.iter().any(|asked| asked.line.starts_with("DELETE ") && asked.line.ends_with(name)));
    assert!(!asked.iter().any(|asked| asked.line.starts_with("POST ")));
}
