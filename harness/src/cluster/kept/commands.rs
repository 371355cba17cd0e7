//! `hallmark cluster up`, `status` and `down`.

use std::fs::OpenOptions;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::Instant;

use super::message::{Message, Order};
use super::state::KeptCluster;
use crate::cluster::process::ProcessIdentity;
use crate::cluster::provision::Cache;
use crate::cluster::{ClusterError, ClusterSpec};
use crate::event::EventSink;

/// How long the keeper may take to stop its cluster before it is killed, which its children do not outlive.
const STOP: Duration = Duration::from_secs(30);
/// How long a killed process may take to disappear.
const KILL: Duration = Duration::from_secs(5);
/// Pause between two looks at a process that is no child of ours and cannot be waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Starts a cluster that goes on after this process; returns when it can be worked with.
pub async fn up(spec: &ClusterSpec, events: &EventSink) -> Result<KeptCluster, ClusterError> {
    let cache = Cache::open()?;
    if let Some(kept) = KeptCluster::read(&cache) {
        return Err(ClusterError::AlreadyKept { pid: kept.keeper().pid });
    }
    let order =
        serde_json::to_string(&Order::of(spec)?).map_err(|error| ClusterError::Keeper(error.to_string()))?;
    let log = cache.dir().join("kept.log");
    let stderr = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&log)
        .map_err(ClusterError::io("open", &log))?;
    let mut keeper = Command::new(spec.supervisor.path())
        .arg0("hallmark")
        .args(["cluster", "serve", &order])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(ClusterError::io("start", spec.supervisor.path()))?;
    let Some(stdout) = keeper.stdout.take() else {
        return Err(ClusterError::Keeper("its output cannot be read".to_owned()));
    };
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Message>(&line).map(|message| message.tell(events)) {
            Ok(Err(Message::Ready)) => {
                return KeptCluster::read(&cache).ok_or(ClusterError::NotKept);
            }
            Ok(Err(Message::Failed(reason))) => return Err(ClusterError::Keeper(reason)),
            Ok(_told) => {}
            Err(_no_message) => break,
        }
    }
    Err(ClusterError::Keeper(format!("its process ended; see `{}`", log.display())))
}

/// The kept cluster, if one runs.
pub fn status() -> Result<Option<KeptCluster>, ClusterError> {
    Ok(KeptCluster::read(&Cache::open()?))
}

/// The kept cluster; an error that says how to get one otherwise.
pub fn find() -> Result<KeptCluster, ClusterError> {
    status()?.ok_or(ClusterError::NotKept)
}

/// Stops the kept cluster and waits until it is gone; false if there was none.
pub async fn down() -> Result<bool, ClusterError> {
    let cache = Cache::open()?;
    let Some(kept) = KeptCluster::read(&cache) else {
        KeptCluster::remove(&cache);
        return Ok(false);
    };
    let keeper = kept.keeper();
    send(keeper, Signal::TERM);
    if !gone(keeper, STOP).await {
        send(keeper, Signal::KILL);
        if !gone(keeper, KILL).await {
            return Err(ClusterError::Keeper(format!("process {} cannot be killed", keeper.pid)));
        }
    }
    KeptCluster::remove(&cache);
    Ok(true)
}

fn send(process: ProcessIdentity, signal: Signal) {
    if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
        let _gone = kill_process(pid, signal);
    }
}

async fn gone(process: ProcessIdentity, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while process.is_alive() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}
