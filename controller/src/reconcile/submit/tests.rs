//! What a pass over a run without a Job asks, and what others may do meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::mock::{self, Asked, Log, api_server, context, refusal};
use super::super::pass::reconcile;
use super::*;
use crate::config::{InFlightPolicy, Settings};
use crate::decide::spec_hash;

/// An API server with an Agent and its provider, that answers so when a Job is created or read.
fn cluster(
    creation: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
    read: (u16, Value),
) -> (kube::Client, Log) {
    cluster_that(creation, read, |asked| (200, asked.body.clone()))
}

/// The same, with an answer to each status that is written.
fn cluster_that(
    creation: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
    read: (u16, Value),
    update: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
) -> (kube::Client, Log) {
    api_server(move |asked| match asked.line.split_once(' ').unwrap() {
        ("GET", path) if path.ends_with("/agents/a") => {
            (200, json!({"metadata": {"name": "a"}, "spec": {"providerRef": {"name": "p"}}}))
        }
        ("GET", path) if path.ends_with("/agentproviders/p") => {
            (200, json!({"metadata": {"name": "p"}, "spec": {"binary": "b"}}))
        }
        ("GET", path) if path.ends_with("/memories") => (200, json!({"metadata": {}, "items": []})),
        ("GET", path) if path.contains("/jobs/") => read.clone(),
        ("GET", _) => refusal(404, "NotFound"),
        ("POST", path) if path.ends_with("/jobs") => creation(asked),
        ("PUT", _) => update(asked),
        ("PATCH", _) => {
            (200, json!({"metadata": {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "8"}}))
        }
        _ => (200, asked.body.clone()),
    })
}

fn no_job() -> (u16, Value) {
    refusal(404, "NotFound")
}

fn foreign_job() -> (u16, Value) {
    (200, json!({"metadata": {"name": "r-job", "namespace": "ns", "uid": "f"}}))
}

fn created(asked: &Asked) -> (u16, Value) {
    let mut job = asked.body.clone();
    job["metadata"]["uid"] = json!("j");
    (201, job)
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.runner.runner_image = Some("runner:1".to_owned());
    settings.job_missing_grace = Duration::ZERO;
    settings.restore.in_flight = InFlightPolicy::Retry;
    settings.limits.concurrency.agent = 1;
    settings
}

fn run(spec: &Value, status: &Value) -> AgentRun {
    let mut whole = json!({"implementation": {"inline": {"text": "do"}}});
    json_patch::merge(&mut whole, spec);
    mock::run(&whole, status)
}

fn workflow() -> Value {
    json!({"runtime": {"type": "workflow"}, "workflow": {"steps": [{"name": "s", "timeoutSeconds": 1}]}})
}

/// The status of a run that was executed in the cluster of the backup.
fn restored() -> Value {
    json!({
        "phase": "Running", "observedUID": "old", "startedAt": "2026-01-01T00:00:00Z",
        "runtimeRef": {"type": "job", "uid": "old-job"},
        "workflow": {"steps": [{
            "name": "s", "phase": "Running", "attempt": 1, "startedAt": "2026-01-01T00:00:00Z",
            "jobRef": {"uid": "old-job"},
        }]},
    })
}

fn written(log: &Log) -> Value {
    let log = log.lock().unwrap();
    let writes: Vec<_> = log.iter().filter(|asked| asked.line.starts_with("PUT ")).collect();
    let [write] = writes.as_slice() else { panic!("{log:?}") };
    write.body["status"].clone()
}

fn count(log: &Log, begins: &str, ends: &str) -> usize {
    let log = log.lock().unwrap();
    log.iter().filter(|asked| asked.line.starts_with(begins) && asked.line.ends_with(ends)).count()
}

/// [DR-C04] What the status says of the uid is how the next pass knows that the Job was lost in a restore.
#[rstest]
#[case::refused(403, no_job(), "old")]
#[case::out_of_order(500, no_job(), "old")]
#[case::name_taken(409, foreign_job(), "old")]
#[case::created(201, no_job(), "u")]
#[tokio::test]
async fn a_run_is_a_restored_one_until_it_has_a_job(
    #[case] code: u16,
    #[case] read: (u16, Value),
    #[case] observed: &str,
    #[values(json!({}), workflow())] spec: Value,
) {
    let creation = move |asked: &Asked| if code < 300 { created(asked) } else { refusal(code, "No") };
    let (client, log) = cluster(creation, read);
    let context = context(client, reflector::store().0, settings());
    reconcile(run(&spec, &restored()).into(), context).await.unwrap();
    assert_eq!(count(&log, "POST ", "/jobs"), 1);
    assert_eq!(written(&log)["observedUID"], observed);
}

/// [DR-C04] [LC-02]
#[rstest]
#[tokio::test]
async fn a_job_whose_creation_was_not_answered_is_that_of_its_restored_run(
    #[values(json!({}), workflow())] spec: Value,
) {
    let run = run(&spec, &restored());
    let (jobs, mut writer) = reflector::store::<JobView>();
    let name = jobs::name(&run, jobs::first(&run));
    writer.apply_watcher_event(&Event::Apply(serde_json::from_value(mock::job(&name, &json!({}))).unwrap()));
    let (client, log) = cluster(created, no_job());
    reconcile(run.into(), context(client, jobs, settings())).await.unwrap();
    assert_eq!((count(&log, "POST ", ""), count(&log, "DELETE ", "")), (0, 0));
    let written = written(&log);
    assert_eq!((&written["phase"], &written["observedUID"]), (&json!("Running"), &json!("u")));
    assert_eq!(written["runtimeRef"]["uid"], "j");
}

/// [LIM-01] [LC-16] Only where a Job may be there after all the slot is kept.
#[rstest]
#[case::refused(403, no_job(), true)]
#[case::too_many_requests(429, no_job(), false)]
#[case::out_of_order(500, no_job(), false)]
#[case::made_without_an_answer(403, (200, mock::job("r-job", &json!({}))), false)]
#[tokio::test]
async fn a_run_whose_job_is_refused_gives_its_slot_to_the_next(
    #[case] code: u16,
    #[case] read: (u16, Value),
    #[case] is_free: bool,
) {
    let (client, _) = cluster(move |_| refusal(code, "No"), read);
    let context = context(client, reflector::store().0, settings());
    reconcile(run(&json!({}), &json!({})).into(), context.clone()).await.unwrap();
    let mut next = run(&json!({}), &json!({}));
    next.metadata.name = Some("next".to_owned());
    next.metadata.uid = Some("v".to_owned());
    let answer = context.ask_admission(&next).await.unwrap();
    assert_eq!(answer == Answer::Start, is_free);
}

/// [DR-C02] The decision is about one restore; after the next one somebody is asked again.
#[tokio::test]
async fn a_released_run_starts_when_the_release_is_used_up() {
    let mut released = run(&json!({}), &json!({}));
    let mut before = released.clone();
    before.metadata.uid = Some("old".to_owned());
    let mut annotations = restored::annotations(&before);
    annotations[restored::RELEASE] = json!("run");
    released.metadata.annotations = serde_json::from_value(annotations.clone()).unwrap();

    let (client, log) = cluster(created, no_job());
    let context = context(client, reflector::store().0, settings());
    reconcile(released.clone().into(), context.clone()).await.unwrap();
    let patch = log.lock().unwrap().iter().find(|asked| asked.line.starts_with("PATCH ")).cloned().unwrap();
    assert_eq!(patch.line, "PATCH /apis/agents.proompteng.ai/v1alpha1/namespaces/ns/agentruns/r");
    let metadata = &patch.body["metadata"];
    assert_eq!((&metadata["uid"], &metadata["resourceVersion"]), (&json!("u"), &json!("7")));
    assert_eq!(metadata["annotations"].get(restored::RELEASE), Some(&Value::Null));
    assert_eq!((count(&log, "POST ", ""), count(&log, "PUT ", "")), (0, 0));

    json_patch::merge(&mut annotations, &metadata["annotations"]);
    released.metadata.annotations = serde_json::from_value(annotations).unwrap();
    released.metadata.resource_version = Some("8".to_owned());
    assert_eq!(restored::marked_uid(&released).as_deref(), Some("u"));
    reconcile(released.clone().into(), context).await.unwrap();
    assert_eq!((count(&log, "POST ", "/jobs"), count(&log, "PATCH ", "")), (1, 1));
    released.metadata.uid = Some("next".to_owned());
    assert_eq!(restored::lost(&released), Some(Lost::Undecided));
}

/// [LC-12] The Job executes what the run was before the edit: that has to be what was accepted, so that the edit ends it.
#[tokio::test]
async fn an_edit_between_job_and_status_is_noticed() {
    let conflicts = AtomicUsize::new(1);
    let update = move |asked: &Asked| {
        let is_late = conflicts.swap(0, Ordering::SeqCst) == 1;
        if is_late { refusal(409, "Conflict") } else { (200, asked.body.clone()) }
    };
    let (client, log) = cluster_that(created, no_job(), update);
    let (jobs, mut writer) = reflector::store::<JobView>();
    let context = context(client, jobs, settings());
    let before = run(&json!({}), &json!({}));
    let accepted = spec_hash::compute(&before.spec);
    let name = jobs::name(&before, jobs::first(&before));
    reconcile(before.into(), context.clone()).await.unwrap();

    writer.apply_watcher_event(&Event::Apply(serde_json::from_value(mock::job(&name, &json!({}))).unwrap()));
    let edited = run(&json!({"implementation": {"inline": {"text": "do something else"}}}), &json!({}));
    assert_ne!(spec_hash::compute(&edited.spec), accepted);
    reconcile(edited.into(), context).await.unwrap();
    let log = log.lock().unwrap();
    let hashes: Vec<&str> =
        log.iter().filter_map(|asked| asked.body["status"]["specHash"].as_str()).collect();
    assert_eq!(hashes, [&accepted, &accepted]);
}

/// [LC-12] Of what was refused nothing was made, so an edit after it is no edit of an accepted run.
#[tokio::test]
async fn a_refused_job_was_made_from_nothing() {
    let (client, log) = cluster(|_| refusal(403, "No"), no_job());
    let (jobs, mut writer) = reflector::store::<JobView>();
    let context = context(client, jobs, settings());
    let before = run(&json!({}), &json!({}));
    let name = jobs::name(&before, jobs::first(&before));
    reconcile(before.into(), context.clone()).await.unwrap();

    // The next creation is done, and its answer is lost.
    writer.apply_watcher_event(&Event::Apply(serde_json::from_value(mock::job(&name, &json!({}))).unwrap()));
    let edited = run(&json!({"implementation": {"inline": {"text": "do something else"}}}), &json!({}));
    let expected = spec_hash::compute(&edited.spec);
    reconcile(edited.into(), context).await.unwrap();
    let log = log.lock().unwrap();
    let hashes: Vec<&str> =
        log.iter().filter_map(|asked| asked.body["status"]["specHash"].as_str()).collect();
    assert_eq!(hashes, [&expected]);
}
