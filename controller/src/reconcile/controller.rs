//! One controller: watches runs and their Jobs, keeps slim copies, and calls a pass for each change.

use std::convert::Infallible;
use std::sync::Arc;

use futures::{Stream, StreamExt, future};
use kube::runtime::controller::{self, Config};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Controller, WatchStreamExt};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::api::{AgentRun, AgentRunSpec, JobView};
use crate::decide::metadata::RUN_LABEL;
use crate::decide::stage::Stage;
use crate::serve::View;

use super::backoff::WatchBackoff;
use super::caches::{self, PAGE, announce, api, slim, watched};
use super::context::{Context, Shared};
use super::kinds;
use super::pass::reconcile;
use super::retention::Retention;
use super::wakes::Wakes;

/// Passes of one controller at the same time.
const CONCURRENCY: u16 = 32;

/// A controller that is about to run.
pub(super) struct Prepared {
    /// The caches.
    pub view: View,
    /// Does the work until it is told to stop.
    pub run: future::BoxFuture<'static, ()>,
}

/// Sets up the controller for one namespace, or for all of them. It stops when it is told to, after the
/// passes that are under way.
pub(super) fn prepare(shared: &Shared, namespace: Option<&str>, wakes: Arc<Wakes>) -> Prepared {
    let client = &shared.client;
    let (references, streams, memories) = caches::prepare(client, namespace);
    let (runs, run_writer) = reflector::store();
    let (jobs, job_writer) = reflector::store();
    let (runs_filled, jobs_filled) = (watch::Sender::new(false), watch::Sender::new(false));
    let mut filled = vec![runs_filled.subscribe(), jobs_filled.subscribe()];
    filled.extend(references.filled.clone());
    let view = View {
        runs: runs.clone(),
        jobs: jobs.clone(),
        agents: references.agents.clone(),
        providers: references.providers.clone(),
        implementations: references.implementations.clone(),
        memories: references.memories.clone(),
        filled,
    };
    let retention = Arc::new(Retention::new(
        client.clone(),
        Arc::clone(&shared.settings),
        Arc::clone(&shared.metrics),
        runs.clone(),
    ));
    let context = Context::new(shared.clone(), jobs.clone(), jobs_filled.subscribe(), references.clone());
    let expire = Arc::clone(&retention).run(runs_filled.subscribe());
    let every = watcher::Config::default().page_size(PAGE);
    let run_stream = watched(client, namespace, every.clone()).backoff(WatchBackoff::default());
    let run_stream = count(run_stream, shared, &jobs)
        .modify(slim_run)
        .reflect(run_writer)
        .inspect(relisted(shared, namespace, &runs))
        .inspect(move |event| retention.observe(event))
        .inspect(move |event| announce(event, &runs_filled))
        .applied_objects();
    let job_stream = watcher(api::<JobView>(client, namespace), every.labels(RUN_LABEL))
        .backoff(WatchBackoff::default())
        .modify(slim_job)
        .reflect(job_writer)
        .inspect(move |event| announce(event, &jobs_filled))
        .touched_objects();
    let passes = Controller::for_stream(run_stream, runs.clone())
        .owns_stream(job_stream)
        .reconcile_on(wakes.stream())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(shared.stop.clone().cancelled_owned())
        .run(reconcile, |_, never, _| match *never {}, Arc::new(context))
        .for_each(|outcome| {
            log_trouble(outcome.err());
            future::ready(())
        });
    let verdicts = kinds::prepare(client, &references, streams, &shared.metrics, &shared.stop);
    let stop = shared.stop.clone();
    let work = async move {
        tokio::select! {
            _ = future::join(passes, verdicts) => {}
            () = memories => {}
            // Deletions that are under way need no end: the next start finds the same runs again.
            () = async { stop.run_until_cancelled(expire).await; future::pending().await } => {}
        }
    };
    Prepared { view, run: Box::pin(work) }
}

/// Has the whole run counted, before it is slimmed for the cache.
fn count<S>(events: S, shared: &Shared, jobs: &Store<JobView>) -> impl Stream<Item = S::Item> + use<S>
where
    S: Stream<Item = watcher::Result<Event<AgentRun>>>,
{
    let (admission, jobs) = (Arc::clone(&shared.admission), jobs.clone());
    events.inspect(move |event| admission.observe(event, &jobs))
}

fn relisted(
    shared: &Shared,
    namespace: Option<&str>,
    runs: &Store<AgentRun>,
) -> impl FnMut(&watcher::Result<Event<AgentRun>>) + use<> {
    let (admission, runs) = (Arc::clone(&shared.admission), runs.clone());
    let namespace = namespace.map(str::to_owned);
    move |event| {
        if matches!(event, Ok(Event::InitDone)) {
            admission.relisted(namespace.as_deref(), &runs);
        }
    }
}

/// Drops what no decision looks at. Of a terminal run that is all but its runtime settings and what says
/// how and when it ended; there may be ten thousand of them.
fn slim_run(run: &mut AgentRun) {
    slim(&mut run.metadata);
    if Stage::of(run) != Stage::Terminal {
        return;
    }
    // Only the admission of new runs looks at labels.
    run.metadata.labels = None;
    run.spec = AgentRunSpec {
        agent_ref: std::mem::take(&mut run.spec.agent_ref),
        runtime: std::mem::take(&mut run.spec.runtime),
        ttl_seconds_after_finished: run.spec.ttl_seconds_after_finished,
        ..AgentRunSpec::default()
    };
    if let Some(status) = &mut run.status {
        status.conditions.retain(|condition| condition.status == "True");
        status.conditions.shrink_to_fit();
        for condition in &mut status.conditions {
            condition.message = String::new();
        }
        (status.contract, status.vcs, status.artifacts) = (None, None, None);
        (status.spec_hash, status.system_prompt_hash) = (None, None);
    }
}

/// Drops what no decision looks at: a Job is found by its owner.
fn slim_job(job: &mut JobView) {
    slim(&mut job.metadata);
    job.metadata.labels = None;
    job.metadata.annotations = None;
}

/// A pass never fails towards the runtime; what is left concerns the watches.
fn log_trouble(error: Option<controller::Error<Infallible, watcher::Error>>) {
    match error {
        Some(controller::Error::QueueError(error)) => warn!("watch failed: {error}"),
        Some(controller::Error::ObjectNotFound(object)) => debug!(%object, "run is gone"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::decide::retention::expiry;

    fn run(status: &Value) -> AgentRun {
        let condition = |type_: &str, status: &str| {
            json!({
                "type": type_, "status": status, "reason": "Reason", "message": "text",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        };
        let mut status = status.clone();
        status["conditions"] = json!([
            condition("Accepted", "True"),
            condition("Succeeded", "True"),
            condition("Failed", "False")
        ]);
        status["specHash"] = "abc".into();
        serde_json::from_value(json!({
            "metadata": {
                "name": "run", "labels": {"team": "a"},
                "annotations": {"agents.proompteng.ai/retain": "false"},
            },
            "spec": {
                "agentRef": {"name": "agent"}, "systemPrompt": "long", "ttlSecondsAfterFinished": 7,
                "runtime": {"type": "job", "config": {"ttlSecondsAfterFinished": 60}},
            },
            "status": status,
        }))
        .unwrap()
    }

    /// What is decided about a run that has ended does not depend on what the cache leaves out.
    #[rstest]
    #[case(json!({"phase": "Succeeded", "finishedAt": "2026-01-02T00:00:00Z"}))]
    #[case(json!({"phase": "Succeeded"}))]
    #[case(json!({"phase": "Cancelled", "updatedAt": "2026-01-02T00:00:00Z"}))]
    fn a_slim_run_is_kept_as_long_as_a_whole_one(#[case] status: Value) {
        let whole = run(&status);
        let mut slim = whole.clone();
        slim_run(&mut slim);
        assert_eq!(Stage::of(&slim), Stage::Terminal);
        assert_eq!(expiry(&slim, 3600), expiry(&whole, 3600));
        assert_eq!(slim.spec.runtime, whole.spec.runtime);
        let (spec, status) = (&slim.spec, slim.status.as_ref().unwrap());
        assert!(spec.system_prompt.is_none() && status.spec_hash.is_none() && slim.metadata.labels.is_none());
    }

    #[test]
    fn a_run_on_its_way_keeps_what_is_compared() {
        let whole = run(&json!({"phase": "Running"}));
        let mut slim = whole.clone();
        slim_run(&mut slim);
        assert_eq!((slim.spec, slim.status), (whole.spec, whole.status));
    }
}
