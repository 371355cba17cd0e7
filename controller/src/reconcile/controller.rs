//! One controller: watches runs and their Jobs, keeps slim copies, and calls a pass for each change.

use std::sync::Arc;

use futures::{Stream, StreamExt, future};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{self, Config};
use kube::runtime::reflector;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Controller, WatchStreamExt};
use kube::{Api, Client, ResourceExt};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::{AgentRun, AgentRunSpec, JobView};
use crate::config::Settings;
use crate::decide::metadata::RUN_LABEL;
use crate::decide::stage::Stage;

use super::context::{Context, Filled};
use super::pass::{on_error, reconcile};

/// Passes of one controller at the same time.
const CONCURRENCY: u16 = 32;
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A controller that is about to run.
pub(super) struct Prepared {
    /// Whether the caches of runs and of Jobs hold everything that was there at the start.
    pub filled: [Filled; 2],
    /// Does the work until it is told to stop.
    pub run: future::BoxFuture<'static, ()>,
}

/// Sets up the controller for one namespace, or for all of them. It stops when `stop` is cancelled,
/// after the passes that are under way.
pub(super) fn prepare(
    client: &Client,
    namespace: Option<&str>,
    settings: &Arc<Settings>,
    permits: &Arc<Semaphore>,
    stop: CancellationToken,
) -> Prepared {
    let run_api: Api<DeserializeGuard<AgentRun>> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let job_api: Api<JobView> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let (runs, run_writer) = reflector::store();
    let (jobs, job_writer) = reflector::store();
    let (runs_filled, jobs_filled) = (watch::Sender::new(false), watch::Sender::new(false));
    let filled = [runs_filled.subscribe(), jobs_filled.subscribe()];
    let context = Arc::new(Context::new(
        client.clone(),
        Arc::clone(settings),
        jobs.clone(),
        jobs_filled.subscribe(),
        Arc::clone(permits),
    ));
    let run_stream = well_formed(watcher(run_api, watcher::Config::default()))
        .default_backoff()
        .modify(slim_run)
        .reflect(run_writer)
        .inspect(move |event| announce(event, &runs_filled))
        .applied_objects();
    let job_stream = watcher(job_api, watcher::Config::default().labels(RUN_LABEL))
        .default_backoff()
        .modify(|job| job.metadata.managed_fields = None)
        .reflect(job_writer)
        .inspect(move |event| announce(event, &jobs_filled))
        .touched_objects();
    let passes = Controller::for_stream(run_stream, runs)
        .owns_stream(job_stream)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, on_error, context)
        .for_each(|outcome| {
            log_trouble(outcome.err());
            future::ready(())
        });
    Prepared { filled, run: Box::pin(passes) }
}

/// Tells everybody who waits that a cache is filled. `Store::wait_until_ready` cannot do that: it wakes
/// only the waiter that asked last.
fn announce<K>(event: &watcher::Result<Event<K>>, filled: &watch::Sender<bool>) {
    if matches!(event, Ok(Event::InitDone)) {
        filled.send_replace(true);
    }
}

/// Leaves out objects that cannot be read, so that one of them does not stop the others.
fn well_formed(
    events: impl Stream<Item = watcher::Result<Event<DeserializeGuard<AgentRun>>>>,
) -> impl Stream<Item = watcher::Result<Event<AgentRun>>> {
    let unwrap = |guard: DeserializeGuard<AgentRun>| match guard.0 {
        Ok(run) => Some(run),
        Err(invalid) => {
            let metadata = invalid.metadata;
            warn!(namespace = metadata.namespace, run = metadata.name, "unreadable run: {}", invalid.error);
            None
        }
    };
    events.filter_map(move |event| {
        future::ready(match event {
            Err(error) => Some(Err(error)),
            Ok(Event::Apply(guard)) => unwrap(guard).map(|run| Ok(Event::Apply(run))),
            Ok(Event::InitApply(guard)) => unwrap(guard).map(|run| Ok(Event::InitApply(run))),
            Ok(Event::Delete(guard)) => unwrap(guard).map(|run| Ok(Event::Delete(run))),
            Ok(Event::Init) => Some(Ok(Event::Init)),
            Ok(Event::InitDone) => Some(Ok(Event::InitDone)),
        })
    })
}

/// Drops what no decision looks at. A terminal run only needs its runtime settings and its status.
fn slim_run(run: &mut AgentRun) {
    run.metadata.managed_fields = None;
    run.annotations_mut().remove(LAST_APPLIED);
    if Stage::of(run) == Stage::Terminal {
        run.spec = AgentRunSpec {
            agent_ref: std::mem::take(&mut run.spec.agent_ref),
            runtime: std::mem::take(&mut run.spec.runtime),
            ttl_seconds_after_finished: run.spec.ttl_seconds_after_finished,
            ..AgentRunSpec::default()
        };
    }
}

/// Failed passes were logged where their delay was decided; what is left concerns the watches.
fn log_trouble(error: Option<controller::Error<super::Error, watcher::Error>>) {
    match error {
        Some(controller::Error::QueueError(error)) => warn!("watch failed: {error}"),
        Some(controller::Error::ObjectNotFound(object)) => debug!(%object, "run is gone"),
        _ => {}
    }
}
