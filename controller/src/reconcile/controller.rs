//! One controller: watches runs and their Jobs, keeps slim copies, and calls a pass for each change.

use std::convert::Infallible;
use std::sync::Arc;

use futures::{StreamExt, future};
use kube::Client;
use kube::runtime::controller::{self, Config};
use kube::runtime::reflector;
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{Controller, WatchStreamExt};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::{AgentRun, AgentRunSpec, JobView};
use crate::config::Settings;
use crate::decide::metadata::RUN_LABEL;
use crate::decide::stage::Stage;
use crate::metrics::Metrics;

use super::caches::{self, PAGE, announce, api, slim, watched};
use super::context::{Context, Filled};
use super::pass::reconcile;

/// Passes of one controller at the same time.
const CONCURRENCY: u16 = 32;

/// A controller that is about to run.
pub(super) struct Prepared {
    /// Whether each cache holds everything that was there at the start.
    pub filled: Vec<Filled>,
    /// Does the work until it is told to stop.
    pub run: future::BoxFuture<'static, ()>,
}

/// Sets up the controller for one namespace, or for all of them. It stops when `stop` is cancelled,
/// after the passes that are under way.
pub(super) fn prepare(
    client: &Client,
    namespace: Option<&str>,
    settings: &Arc<Settings>,
    metrics: &Arc<Metrics>,
    permits: &Arc<Semaphore>,
    stop: CancellationToken,
) -> Prepared {
    let references = caches::prepare(client, namespace);
    let (runs, run_writer) = reflector::store();
    let (jobs, job_writer) = reflector::store();
    let (runs_filled, jobs_filled) = (watch::Sender::new(false), watch::Sender::new(false));
    let mut filled = vec![runs_filled.subscribe(), jobs_filled.subscribe()];
    filled.extend(references.caches.filled.clone());
    let context = Arc::new(Context::new(
        client.clone(),
        Arc::clone(settings),
        jobs.clone(),
        jobs_filled.subscribe(),
        references.caches,
        Arc::clone(metrics),
        Arc::clone(permits),
    ));
    let every = watcher::Config::default().page_size(PAGE);
    let run_stream = watched(client, namespace, every.clone())
        .default_backoff()
        .modify(slim_run)
        .reflect(run_writer)
        .inspect(move |event| announce(event, &runs_filled))
        .applied_objects();
    let job_stream = watcher(api::<JobView>(client, namespace), every.labels(RUN_LABEL))
        .default_backoff()
        .modify(|job| slim(&mut job.metadata))
        .reflect(job_writer)
        .inspect(move |event| announce(event, &jobs_filled))
        .touched_objects();
    let passes = Controller::for_stream(run_stream, runs)
        .owns_stream(job_stream)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, |_, never, _| match *never {}, context)
        .for_each(|outcome| {
            log_trouble(outcome.err());
            future::ready(())
        });
    let work = async {
        tokio::select! {
            () = passes => {}
            () = references.run => {}
        }
    };
    Prepared { filled, run: Box::pin(work) }
}

/// Drops what no decision looks at. A terminal run only needs its runtime settings and its status.
fn slim_run(run: &mut AgentRun) {
    slim(&mut run.metadata);
    if Stage::of(run) == Stage::Terminal {
        run.spec = AgentRunSpec {
            agent_ref: std::mem::take(&mut run.spec.agent_ref),
            runtime: std::mem::take(&mut run.spec.runtime),
            ttl_seconds_after_finished: run.spec.ttl_seconds_after_finished,
            ..AgentRunSpec::default()
        };
    }
}

/// A pass never fails towards the runtime; what is left concerns the watches.
fn log_trouble(error: Option<controller::Error<Infallible, watcher::Error>>) {
    match error {
        Some(controller::Error::QueueError(error)) => warn!("watch failed: {error}"),
        Some(controller::Error::ObjectNotFound(object)) => debug!(%object, "run is gone"),
        _ => {}
    }
}
