//! Follows the pods of one Deployment: their logs, and containers that end by themselves.

use std::collections::BTreeSet;

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
use crate::record::Observation;

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
        let (api, name, container) = (self.api.clone(), pod.name_any(), container.name.clone());
        let (log, tail) = (LogSink::clone(&self.log), self.tail.clone());
        self.logs.spawn(async move {
            let parameters = LogParams { follow: true, container: Some(container), ..LogParams::default() };
            let Ok(stream) = api.log_stream(&name, &parameters).await else { return };
            let mut lines = stream.lines();
            while let Ok(Some(line)) = lines.try_next().await {
                tail.push(&line);
                log(Observation::Log { line: line.into() });
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
