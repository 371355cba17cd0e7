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
    let spec = json!({
        "runtime": {"type": "workflow"}, "workflow": {"steps": [{"name": "s", "timeoutSeconds": 60}]},
    });
    let step = json!({"name": "s", "phase": "Running", "attempt": 1, "startedAt": started});
    let run = run(&spec, &running(&json!({"workflow": {"steps": [step]}})));
    let (client, log) = api_server(|asked| match asked.line.split_once(' ').unwrap() {
        ("GET", _) => refusal(404, "NotFound"),
        _ => (200, asked.body.clone()),
    });
    reconcile(run.into(), context(client, reflector::store().0, Settings::default())).await.unwrap();
    let asked = log.lock().unwrap().clone();
    let write = asked.iter().find(|asked| asked.line.starts_with("PUT ")).unwrap();
    assert_eq!(write.body["status"]["reason"], reason);
}
