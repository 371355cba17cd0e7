//! The hidden command `hallmark cluster serve`: the process that owns a kept cluster.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use tokio::signal::unix::{SignalKind, signal};

use super::message::{Message, Order};
use super::state::KeptCluster;
use crate::cluster::provision::Cache;
use crate::cluster::{Cluster, ClusterError, ClusterSpec, start};
use crate::event::EventSink;

/// Keeps a cluster until SIGTERM, SIGINT, or until one of its processes ends unasked.
///
/// `order` is what `cluster up` wrote on the command line. Its standard output belongs to `cluster up`;
/// when that ends before the cluster is ready, nobody wants the cluster any more. False if it failed,
/// which `cluster up` was told.
pub async fn serve(order: &str) -> bool {
    match keep(order).await {
        Ok(()) => true,
        Err(error) => {
            let reason = anyhow::Error::from(error);
            let _nobody = say(&Message::Failed(format!("{reason:#}")));
            false
        }
    }
}

async fn keep(order: &str) -> Result<(), ClusterError> {
    let unusable = |error: serde_json::Error| ClusterError::Keeper(error.to_string());
    let spec = serde_json::from_str::<Order>(order).map_err(unusable)?.spec()?;
    // Signals of the terminal are for `cluster up`. Already being a session's leader serves as well.
    let _leader = rustix::process::setsid();
    let cache = Cache::open()?;
    let _lock = lock(&cache)?;
    let cluster = start_for_somebody(&spec).await?;
    let result = own(&cluster, &cache).await;
    KeptCluster::remove(&cache);
    cluster.stop().await?;
    result
}

/// Starts the cluster while somebody listens to its progress.
async fn start_for_somebody(spec: &ClusterSpec) -> Result<Cluster, ClusterError> {
    let (events, mut received) = EventSink::channel();
    // The sink ends with the start, and the events with the sink: every one is told before the end is.
    let starting = async move { start(spec, &events).await };
    let telling = async {
        while let Some(event) = received.recv().await {
            if Message::of(event).is_some_and(|message| say(&message).is_err()) {
                return Err(ClusterError::Keeper("`cluster up` was interrupted".to_owned()));
            }
        }
        Ok(())
    };
    let (cluster, ()) = tokio::try_join!(starting, telling)?;
    Ok(cluster)
}

async fn own(cluster: &Cluster, cache: &Cache) -> Result<(), ClusterError> {
    let signals = |error: io::Error| ClusterError::Keeper(format!("listen to signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    KeptCluster::of_this_process(cluster.info().clone(), cluster.kubeconfig_path().to_owned())
        .write(cache)?;
    if say(&Message::Ready).is_err() {
        return Err(ClusterError::Keeper("`cluster up` was interrupted".to_owned()));
    }
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        lost = cluster.lost() => Err(ClusterError::Keeper(lost)),
    }
}

/// Takes the lock that only one keeper can have; it ends with the process.
fn lock(cache: &Cache) -> Result<File, ClusterError> {
    let path = cache.dir().join("kept.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(ClusterError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_held) => Err(ClusterError::Keeper("another `cluster up` is at work".to_owned())),
    }
}

/// One line to `cluster up`.
fn say(message: &Message) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, message)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}
