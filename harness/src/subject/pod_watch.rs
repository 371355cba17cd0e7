//! Follows the pods of one Deployment: their logs, and containers that end by themselves.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::LogParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;

use super::context::LogSink;
use super::exits::{Exits, Wanted};
use super::log_tail::LogTail;
use super::pod_status::last_end;
use crate::record::{LOG, Observation};

/// By when the status of a pod tells that a container ended whose log did.
const ENDED_BY: Duration = Duration::from_secs(3);

/// A running watch; dropping it ends it.
#[derive(Debug)]
pub(super) struct PodWatch {
    tail: LogTail,
    /// One task; a set ends its tasks when it is dropped.
    _task: JoinSet<()>,
}

/// One run of a container: pod uid, container name, number of restarts before it.
type Incarnation = (String, String, i32);

impl PodWatch {
    /// Follows the pods that `selector` selects.
    pub(super) fn start(
        api: Api<Pod>,
        selector: &str,
        log: &LogSink,
        exits: &Exits,
        wanted: &Wanted,
    ) -> Self {
        let tail = LogTail::default();
        let follower = Follower {
            api,
            log: LogSink::clone(log),
            tail: tail.clone(),
            exits: exits.clone(),
            wanted: wanted.clone(),
            followed: BTreeSet::new(),
            ended: BTreeSet::new(),
            logs: JoinSet::new(),
        };
        let mut task = JoinSet::new();
        task.spawn(follower.run(selector.to_owned()));
        Self { tail, _task: task }
    }

    /// The last lines of all followed logs.
    pub(super) fn tail(&self) -> Vec<String> {
        self.tail.lines()
    }
}

struct Follower {
    api: Api<Pod>,
    log: LogSink,
    tail: LogTail,
    exits: Exits,
    wanted: Wanted,
    followed: BTreeSet<Incarnation>,
    ended: BTreeSet<Incarnation>,
    logs: JoinSet<()>,
}

impl Follower {
    async fn run(mut self, selector: String) {
        let config = watcher::Config::default().labels(&selector);
        let pods = watcher(self.api.clone(), config).default_backoff().applied_objects();
        let mut pods = std::pin::pin!(pods);
        loop {
            // Interruptions are mended by the watcher itself; the next event tells the state anyway.
            match pods.try_next().await {
                Ok(Some(pod)) => self.see(&pod),
                Ok(None) => return,
                Err(_interrupted) => {}
            }
        }
    }

    fn see(&mut self, pod: &Pod) {
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        for container in statuses.into_iter().flatten() {
            self.follow(pod, container);
            // The end of a pod that is being deleted is the end that was asked for.
            if pod.metadata.deletion_timestamp.is_none() {
                self.notice_end(pod, container);
            }
        }
    }

    fn follow(&mut self, pod: &Pod, container: &ContainerStatus) {
        let started = container.state.as_ref().is_some_and(|state| state.waiting.is_none());
        let key = (pod.uid().unwrap_or_default(), container.name.clone(), container.restart_count);
        if !started || !self.followed.insert(key) {
            return;
        }
        let followed = Followed {
            api: self.api.clone(),
            pod: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            container: container.name.clone(),
            restarts: container.restart_count,
        };
        let (log, tail) = (LogSink::clone(&self.log), self.tail.clone());
        self.logs.spawn(async move {
            let broke_off = followed.read(|line| {
                tail.push(&line);
                log(Observation::Log { line: line.into() });
            });
            let reason = broke_off.await.err().unwrap_or_else(|| "it ended".to_owned());
            // Its end is known a little later than its log ends.
            tokio::time::sleep(ENDED_BY).await;
            if followed.still_runs().await {
                log(Observation::Gap { kind: LOG.to_owned(), reason });
            }
        });
    }

    fn notice_end(&mut self, pod: &Pod, container: &ContainerStatus) {
        let terminated = container.state.as_ref().is_some_and(|state| state.terminated.is_some());
        // A run of a container that ended is counted once, whether it is seen as ended or as restarted.
        let ends = container.restart_count + i32::from(terminated);
        let key = (pod.uid().unwrap_or_default(), container.name.clone(), ends);
        if ends > 0 && self.ended.insert(key) {
            let how = last_end(container).unwrap_or_else(|| "ended".to_owned());
            let what = format!("container `{}` of pod `{}` {how}", container.name, pod.name_any());
            self.exits.ended(what, &self.wanted);
        }
    }
}

/// One run of a container, whose log is read.
struct Followed {
    api: Api<Pod>,
    pod: String,
    uid: String,
    container: String,
    restarts: i32,
}

impl Followed {
    /// Reads the log line by line until it ends; the error tells why it could not be read any further.
    async fn read(&self, mut each: impl FnMut(String)) -> Result<(), String> {
        let container = Some(self.container.clone());
        let parameters = LogParams { follow: true, container, ..LogParams::default() };
        let stream = self.api.log_stream(&self.pod, &parameters).await;
        let mut stream = std::pin::pin!(stream.map_err(|error| error.to_string())?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = stream.read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
            if length == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line);
            each(text.trim_end_matches(['\r', '\n']).to_owned());
        }
    }

    /// Whether this run of the container goes on, although its log does not.
    async fn still_runs(&self) -> bool {
        let Ok(Some(pod)) = self.api.get_opt(&self.pod).await else { return false };
        let is_same = pod.uid().as_ref() == Some(&self.uid) && pod.metadata.deletion_timestamp.is_none();
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        let runs = |status: &ContainerStatus| {
            status.name == self.container
                && status.restart_count == self.restarts
                && status.state.as_ref().is_some_and(|state| state.running.is_some())
        };
        is_same && statuses.into_iter().flatten().any(runs)
    }
}
