//! What passes ask for and write while the cache of Jobs is in doubt, and when it no longer is.

use std::sync::Arc;

use kube::Client;
use kube::runtime::reflector;
use rstest::rstest;
use serde_json::json;

use super::super::jobs;
use super::super::mock::{Asked, Log, api_server, complete, context, job, phases, refusal, run};
use super::super::pass::reconcile;
use super::*;
use crate::config::Settings;

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
    let context = context(client, jobs, Settings::default());
    if in_doubt {
        context.doubt.observe_runs(&broken());
    }
    reconcile(Arc::new(run), context).await.unwrap();
    log.lock().unwrap().clone()
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
