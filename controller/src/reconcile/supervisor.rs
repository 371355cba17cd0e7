//! Runs the controllers while the CRDs are served, and tells [`Health`] how it stands.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::api::Memory;
use crate::config::{Namespaces, Settings};
use crate::metrics::Metrics;
use crate::serve::Health;

use super::admission::Admission;
use super::context::Shared;
use super::wakes::Wakes;
use super::{controller, crds};

/// How often missing CRDs are looked for.
const POLL_MISSING: Duration = Duration::from_secs(1);
/// How often present CRDs are looked for.
const POLL_PRESENT: Duration = Duration::from_secs(5);
/// How often a kind is tried that the API server is still preparing.
const POLL_WARM_UP: Duration = Duration::from_millis(200);
/// Passes in the whole process at the same time.
const PASSES: usize = 64;

/// Works until `stop` is cancelled; returns after the passes that are under way.
pub async fn supervise(
    client: Client,
    settings: Arc<Settings>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => break,
            () = until_crds(&client, &health, true, POLL_MISSING) => {}
        }
        info!("all CRDs are served, starting");
        let session = stop.child_token();
        let watch_crds = async {
            until_crds(&client, &health, false, POLL_PRESENT).await;
            warn!("a CRD is not served any more, pausing");
            session.cancel();
        };
        let work = work(&client, &settings, &health, &metrics, &session);
        tokio::select! {
            // The work ends by itself once the session is cancelled, so it is never cut off here.
            biased;
            () = work => {}
            () = async { watch_crds.await; std::future::pending().await } => {}
        }
        health.stopped();
    }
}

/// Runs one controller per namespace until the session is cancelled.
async fn work(
    client: &Client,
    settings: &Arc<Settings>,
    health: &Health,
    metrics: &Arc<Metrics>,
    session: &CancellationToken,
) {
    let namespaces: Vec<Option<&str>> = match &settings.namespaces {
        Namespaces::All => vec![None],
        Namespaces::Named(names) => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    let wakes = namespaces.iter().map(|namespace| (namespace.map(str::to_owned), Arc::default()));
    let wakes: Vec<(_, Arc<Wakes>)> = wakes.collect();
    let admission = Admission::new(settings.limits.clone(), wakes.clone(), Arc::clone(metrics));
    let shared = Shared {
        client: client.clone(),
        settings: Arc::clone(settings),
        metrics: Arc::clone(metrics),
        permits: Arc::new(Semaphore::new(PASSES)),
        admission: Arc::new(admission),
        stop: session.clone(),
    };
    let prepared: Vec<_> = wakes
        .into_iter()
        .map(|(namespace, wakes)| controller::prepare(&shared, namespace.as_deref(), wakes))
        .collect();
    let mut caches: Vec<_> = prepared.iter().flat_map(|one| one.filled.clone()).collect();
    let filled = try_join_all(caches.iter_mut().map(|cache| cache.wait_for(|filled| *filled)));
    let stocks: Vec<_> = prepared.iter().map(|one| (one.runs.clone(), one.jobs.clone())).collect();
    let admission = &shared.admission;
    let announce = async {
        let (filled, ()) = tokio::join!(filled, warm_up(client, namespaces.first().copied().flatten()));
        if filled.is_ok() {
            for (runs, jobs) in &stocks {
                admission.take_stock(runs, jobs);
            }
            admission.open();
            health.started();
            info!("caches are filled, ready");
        }
    };
    // Tasks of their own let the runtime spread namespaces over its threads.
    let controllers = prepared.into_iter().map(|one| tokio::spawn(one.run));
    tokio::join!(
        session.run_until_cancelled(announce),
        session.run_until_cancelled(admission.run()),
        join_all(controllers)
    );
}

/// Lists the kind that passes list, until that works: the API server answers the first such requests
/// for a new CRD with 429, which would delay the first runs.
async fn warm_up(client: &Client, namespace: Option<&str>) {
    let memories: Api<Memory> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    while let Err(error) = memories.list(&ListParams::default().limit(1)).await {
        debug!("list Memories: {error}");
        sleep(POLL_WARM_UP).await;
    }
}

/// Waits until discovery shows that all CRDs are served, or that one is not. Trouble with discovery
/// says nothing about the CRDs.
async fn until_crds(client: &Client, health: &Health, served: bool, poll: Duration) {
    loop {
        match crds::missing(client).await {
            Ok(missing) => {
                let complete = missing.is_empty();
                health.crds(missing);
                if complete == served {
                    return;
                }
            }
            Err(error) => warn!("discovery failed to {error}"),
        }
        sleep(poll).await;
    }
}
