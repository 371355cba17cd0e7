//! One controller: watches runs and their Jobs, keeps slim copies, and calls a pass for each change.

use std::sync::Arc;

use futures::{Stream, StreamExt, future};
use kube::runtime::controller::{self, Config};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Controller, WatchStreamExt};
use tokio::sync::watch;
use tracing::debug;

use crate::api::{AgentRun, JobView};
use crate::decide::metadata::RUN_LABEL;
use crate::serve::View;

use super::backoff::WatchBackoff;
use super::caches::{self, PAGE, announce, api, readable};
use super::context::{Context, Shared};
use super::doubt::Doubt;
use super::kinds;
use super::pass::reconcile;
use super::retention::Retention;
use super::slim::{slim_job, slim_run};
use super::triggers::triggers;
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
        shared.grace,
    ));
    let doubt = Arc::new(Doubt::default());
    let context = Context::new(
        shared.clone(),
        jobs.clone(),
        jobs_filled.subscribe(),
        Arc::clone(&doubt),
        references.clone(),
    );
    let expire = Arc::clone(&retention).run(runs_filled.subscribe());
    let every = watcher::Config::default().page_size(PAGE);
    let run_stream =
        readable(watcher(api(client, namespace), every.clone())).backoff(WatchBackoff::default());
    let of_runs = Arc::clone(&doubt);
    let run_stream = count(run_stream, shared, &jobs)
        .modify(slim_run)
        .reflect(run_writer)
        .inspect(relisted(shared, namespace, &runs))
        .inspect(move |event| retention.observe(event))
        .inspect(move |event| of_runs.observe_runs(event))
        .inspect(move |event| announce(event, &runs_filled));
    let job_stream = watcher(api::<JobView>(client, namespace), every.labels(RUN_LABEL))
        .backoff(WatchBackoff::default())
        .modify(slim_job)
        .reflect(job_writer)
        .inspect(move |event| doubt.observe_jobs(event))
        .inspect(move |event| announce(event, &jobs_filled));
    let passes = Controller::for_stream(triggers(run_stream, runs.clone()).applied_objects(), runs)
        .owns_stream(triggers(job_stream, jobs).touched_objects())
        .reconcile_on(wakes.stream())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(shared.stop.clone().cancelled_owned())
        .run(reconcile, |_, never, _| match *never {}, Arc::new(context))
        .for_each(|outcome| {
            if let Err(controller::Error::ObjectNotFound(object)) = outcome {
                debug!(%object, "run is gone");
            }
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
    let (admission, keys, jobs) = (Arc::clone(&shared.admission), shared.keys.clone(), jobs.clone());
    events.inspect(move |event| {
        admission.observe(event, &jobs);
        if let Some(keys) = &keys {
            keys.observe(event, &jobs);
        }
    })
}

fn relisted(
    shared: &Shared,
    namespace: Option<&str>,
    runs: &Store<AgentRun>,
) -> impl FnMut(&watcher::Result<Event<AgentRun>>) + use<> {
    let (admission, keys, runs) = (Arc::clone(&shared.admission), shared.keys.clone(), runs.clone());
    let namespace = namespace.map(str::to_owned);
    move |event| {
        if matches!(event, Ok(Event::InitDone)) {
            admission.relisted(namespace.as_deref(), &runs);
            if let Some(keys) = &keys {
                keys.relisted(namespace.as_deref(), &runs);
            }
        }
    }
}
