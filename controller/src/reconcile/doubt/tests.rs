//! What passes ask for and write while the cache of Jobs is in doubt, and when it no longer is.

use std::sync::Arc;

use kube::Client;
use kube::runtime::reflector::{self, Store};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::super::admission::Admission;
use super::super::caches::Caches;
use super::super::context::{Context, Shared};
use super::super::events::events;
use super::super::jobs;
use super::super::mock::{Asked, Log, api_server, refusal};
use super::super::pass::reconcile;
use super::*;
use crate::config::Settings;
use crate::decide::hold::Grace;
use crate::metrics::Metrics;

fn broken<K>() -> watcher::Result<Event<K>> {
    Err(watcher::Error::NoResourceVersion)
}

#[rstest]
#[case::the_next_change(vec![Event::Apply(JobView::default())], false)]
#[case::the_next_deletion(vec![Event::Delete(JobView::default())], false)]
#[case::a_list_that_begins(vec![Event::Init, Event::InitApply(JobView::default())], true)]
#[case::a_list_that_is_complete(vec![Event::Init, Event::InitDone], false)]
fn a_break_of_either_watch_is_over_when_the_cache_of_jobs_is_known_to_follow_again(
    #[case] then: Vec<Event<JobView>>,
    #[case] expected: bool,
    #[values(true, false)] of_runs: bool,
) {
    let doubt = Doubt::default();
    assert!(!doubt.is_raised());
    if of_runs {
        doubt.observe_runs(&broken());
    } else {
        doubt.observe_jobs(&broken());
    }
    // A new list of runs says nothing about Jobs.
    doubt.observe_runs(&Ok(Event::InitDone));
    assert!(doubt.is_raised());
    for event in then {
        doubt.observe_jobs(&Ok(event));
    }
    assert_eq!(doubt.is_raised(), expected);
}

fn run(spec: &Value, status: &Value) -> AgentRun {
    let mut run = json!({
        "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun",
        "metadata": {
            "name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "7", "generation": 1,
            "finalizers": [crate::decide::metadata::FINALIZER],
        },
        "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}},
        "status": status,
    });
    json_patch::merge(&mut run["spec"], spec);
    serde_json::from_value(run).unwrap()
}

fn job(name: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": name, "namespace": "ns", "uid": "j", "resourceVersion": "9",
            "ownerReferences": [{
                "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun", "name": "r", "uid": "u",
                "controller": true,
            }],
        },
        "spec": {}, "status": status,
    })
}

fn complete() -> Value {
    json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]})
}

fn context(client: Client, jobs: Store<JobView>) -> Arc<Context> {
    let metrics = Arc::new(Metrics::default());
    let settings = Arc::new(Settings::default());
    let (events, _) = events(client.clone(), &metrics);
    let admission = Admission::new(settings.limits.clone(), Vec::new(), Arc::clone(&metrics));
    admission.open();
    let shared = Shared {
        client,
        settings,
        metrics,
        events,
        permits: Arc::new(Semaphore::new(1)),
        admission: Arc::new(admission),
        keys: None,
        grace: Grace::default(),
        stop: CancellationToken::new(),
    };
    let filled = || watch::Sender::new(true).subscribe();
    let references = Caches {
        agents: reflector::store().0,
        providers: reflector::store().0,
        implementations: reflector::store().0,
        memories: reflector::store().0,
        filled: [(); 4].map(|()| filled()),
    };
    Arc::new(Context::new(shared, jobs, filled(), Arc::default(), references))
}

/// What a pass over the run asks while the run's first Job is cached as complete, and there is none, or
/// an active one.
async fn asked(run: AgentRun, is_active: bool, in_doubt: bool) -> Vec<Asked> {
    let name = jobs::name(&run, jobs::first(&run));
    let (jobs, mut writer) = reflector::store::<JobView>();
    writer.apply_watcher_event(&Event::Apply(serde_json::from_value(job(&name, &complete())).unwrap()));
    let path = format!("/apis/batch/v1/namespaces/ns/jobs/{name}");
    let (client, log): (Client, Log) =
        api_server(move |asked: &Asked| match asked.line.split_once(' ').unwrap() {
            ("GET", asked) if asked == path && is_active => (200, job(&name, &json!({}))),
            ("GET", asked) if asked.ends_with("/memories") => (200, json!({"metadata": {}, "items": []})),
            ("GET", _) => refusal(404, "NotFound"),
            _ => (200, asked.body.clone()),
        });
    let context = context(client, jobs);
    if in_doubt {
        context.doubt.observe_runs(&broken());
    }
    reconcile(Arc::new(run), context).await.unwrap();
    log.lock().unwrap().clone()
}

fn phases(asked: &[Asked]) -> Vec<&str> {
    let writes = asked.iter().filter(|asked| asked.line.starts_with("PUT "));
    writes.filter_map(|write| write.body["status"]["phase"].as_str()).collect()
}

fn requests(asked: &[Asked], verb: &str) -> usize {
    asked.iter().filter(|asked| asked.line.starts_with(verb) && asked.line.contains("/jobs/")).count()
}

/// [DR-X03] A Job that had ended in a time that was taken back ends no run, and gets no TTL.
#[rstest]
#[case(true, &["Running"], 1, 0)]
#[case(false, &["Succeeded"], 0, 1)]
#[tokio::test]
async fn a_run_is_ended_by_the_cached_job_unless_the_cache_is_in_doubt(
    #[case] in_doubt: bool,
    #[case] written: &[&str],
    #[case] reads: usize,
    #[case] patches: usize,
) {
    let run = run(&json!({}), &json!({"phase": "Running"}));
    let asked = asked(run, true, in_doubt).await;
    assert_eq!(phases(&asked), written);
    assert_eq!((requests(&asked, "GET"), requests(&asked, "PATCH")), (reads, patches));
}

/// [DR-X03] A new run is not accepted for a Job that was created in a time that was taken back.
#[rstest]
#[case(true, false)]
#[case(false, true)]
#[tokio::test]
async fn a_new_run_is_accepted_for_the_cached_job_unless_the_cache_is_in_doubt(
    #[case] in_doubt: bool,
    #[case] accepted: bool,
) {
    let asked = asked(run(&json!({}), &json!({"phase": "Pending"})), false, in_doubt).await;
    assert_eq!(phases(&asked).contains(&"Running"), accepted);
}

/// [DR-X03] Two attempts never run side by side, also if the first had ended in a time that was taken back.
#[rstest]
#[case(true, false)]
#[case(false, true)]
#[tokio::test]
async fn an_attempt_begins_beside_the_cached_job_unless_the_cache_is_in_doubt(
    #[case] in_doubt: bool,
    #[case] began: bool,
) {
    let spec = json!({
        "runtime": {"type": "workflow"}, "workflow": {"steps": [{"name": "s", "retries": 1}]},
    });
    let status = json!({
        "phase": "Running", "workflow": {"steps": [{"name": "s", "phase": "Retrying", "attempt": 1}]},
    });
    let asked = asked(run(&spec, &status), true, in_doubt).await;
    // It goes no further than to the Agent, which is not there.
    assert_eq!(asked.iter().any(|asked| asked.line.ends_with("/agents/a")), began);
}
