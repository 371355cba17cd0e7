//! Deleting runs whose time is over, with one timer for all of them.
//!
//! This runs beside the passes and shares nothing with them but the cache of runs, so that deleting many
//! runs never holds up the others.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::api::AgentRun;
use crate::config::Settings;
use crate::decide::hold::Grace;
use crate::decide::restored::is_restored;
use crate::decide::retention::{Due, Queue, expiry};
use crate::defects::Defect;
use crate::metrics::{Metrics, Share};

use super::admission::until;
use super::backoff::Backoff;
use super::context::Filled;
use super::error::api_code;
use super::pass::KIND;

/// Deletions of one controller at the same time.
const CONCURRENCY: usize = 8;
/// Longest time for one deletion.
const DEADLINE: Duration = Duration::from_secs(10);

/// Retention in one namespace, or in all of them.
pub(super) struct Retention {
    client: Client,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    runs: Store<AgentRun>,
    grace: Grace,
    backlog: Share,
    queue: Mutex<Queue>,
    changed: Notify,
    backoff: Backoff,
}

impl Retention {
    /// Retention over the runs of this cache.
    pub(super) fn new(
        client: Client,
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
        runs: Store<AgentRun>,
        grace: Grace,
    ) -> Self {
        let queue = Mutex::new(Queue::new(settings.retention_max_deletes));
        let (changed, backoff) = (Notify::new(), Backoff::default());
        let backlog = metrics.retention_backlog();
        Self { client, settings, metrics, runs, grace, backlog, queue, changed, backoff }
    }

    /// Takes in what the watch of runs has delivered; the cache must show it already.
    pub(super) fn observe(&self, event: &watcher::Result<Event<AgentRun>>) {
        let Ok(event) = event else { return };
        match event {
            Event::Apply(run) | Event::InitApply(run) => {
                let expiry = self.expiry(run);
                self.change(|queue| queue.set(due(run), expiry));
            }
            Event::Delete(run) => self.change(|queue| queue.remove(&run.uid().unwrap_or_default())),
            Event::InitDone => self.change(|queue| queue.retain(|due| self.cached(due).is_some())),
            Event::Init => {}
        }
    }

    /// Deletes what expires, from the moment the cache is filled. Never ends.
    pub(super) async fn run(self: Arc<Self>, mut filled: Filled) {
        if filled.wait_for(|filled| *filled).await.is_err() {
            return;
        }
        self.until_grace_is_over().await;
        loop {
            let now = Timestamp::now();
            let due = self.lock(|queue| queue.take_due(now));
            self.publish(now);
            let deletions = stream::iter(due).map(|due| self.delete(due));
            deletions.buffer_unordered(CONCURRENCY).collect::<()>().await;
            let next = self.lock(|queue| queue.next_at());
            let timer = async {
                match next.filter(|_| !Defect::RetentionNeedsAnEvent.is_planted()) {
                    Some(at) => sleep(until(at, Timestamp::now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = timer => {}
            }
        }
    }

    /// After a hold nothing is deleted for a while, so that somebody can look at what was restored.
    async fn until_grace_is_over(&self) {
        loop {
            let now = Timestamp::now();
            if self.grace.all <= now || Defect::NoGraceAfterHold.is_planted() {
                return;
            }
            self.publish(now);
            sleep(until(self.grace.all, now)).await;
        }
    }

    fn publish(&self, now: Timestamp) {
        self.backlog.set(self.lock(|queue| queue.backlog(now)));
    }

    fn expiry(&self, run: &AgentRun) -> Option<Timestamp> {
        let at = expiry(run, self.settings.retention_seconds)?;
        Some(if is_restored(run) { at.max(self.grace.restored) } else { at })
    }

    async fn delete(&self, due: Due) {
        let Some(run) = self.cached(&due) else { return self.backoff.succeeded(&due.uid) };
        // The cached copy may be newer than the decision, so the rules are looked at again.
        let expiry = match self.expiry(&run) {
            Some(at) if at <= Timestamp::now() => at,
            changed => return self.change(|queue| queue.set(due, changed)),
        };
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: run.uid(), resource_version: run.resource_version() }),
            ..DeleteParams::default()
        };
        let api: Api<AgentRun> = Api::namespaced(self.client.clone(), &due.namespace);
        let Due { namespace, name, uid } = &due;
        match timeout(DEADLINE, api.delete(name, &params)).await {
            Ok(Ok(_)) => {
                self.backoff.succeeded(uid);
                self.metrics.retention_deleted();
                info!(namespace, run = name, "deleted, its retention is over");
            }
            Ok(Err(error)) if api_code(&error) == Some(404) => {
                self.backoff.succeeded(uid);
                debug!(namespace, run = name, "gone already: {error}");
            }
            failed => {
                let cause = match &failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => format!("no answer within {DEADLINE:?}"),
                };
                // A newer version of the run may be on its way; it is decided about when it comes.
                let is_outdated = matches!(&failed, Ok(Err(error)) if api_code(error) == Some(409));
                if !is_outdated {
                    self.metrics.reconcile_failed(KIND, "DeleteRun");
                }
                let delay = self.backoff.failed(uid, is_outdated);
                warn!(namespace, run = name, retry_in = ?delay, cause, "could not delete the expired run");
                let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::from_mins(1));
                let again = Timestamp::now().saturating_add(delay).unwrap_or(Timestamp::MAX);
                self.change(|queue| queue.try_again(due, expiry, again));
            }
        }
    }

    fn cached(&self, due: &Due) -> Option<Arc<AgentRun>> {
        let run = self.runs.get(&ObjectRef::new(&due.name).within(&due.namespace));
        run.filter(|run| run.uid().as_deref() == Some(&due.uid))
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        self.lock(change);
        self.changed.notify_one();
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn due(run: &AgentRun) -> Due {
    Due {
        namespace: run.namespace().unwrap_or_default(),
        name: run.name_any(),
        uid: run.uid().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use serde_json::json;
    use tokio::sync::watch;

    use super::super::mock::{api_server, refusal};
    use super::*;

    fn expired(namespace: &str, name: &str) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}-{name}")},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}, "ttlSecondsAfterFinished": 1},
            "status": {"phase": "Succeeded", "finishedAt": "2026-01-01T00:00:00Z"},
        }))
        .unwrap()
    }

    /// Retention over so many expired runs, at work while a grace keeps it from deleting them.
    fn held_back(namespace: &str, runs: usize, metrics: &Arc<Metrics>) -> tokio::task::JoinHandle<()> {
        let (client, _) = api_server(|_| refusal(404, "NotFound"));
        let grace = Grace { all: Timestamp::MAX, ..Grace::default() };
        let settings = Arc::new(Settings::default());
        let retention = Retention::new(client, settings, Arc::clone(metrics), reflector::store().0, grace);
        for number in 0..runs {
            retention.observe(&Ok(Event::Apply(expired(namespace, &number.to_string()))));
        }
        tokio::spawn(Arc::new(retention).run(watch::Sender::new(true).subscribe()))
    }

    fn backlog(metrics: &Metrics) -> String {
        let text = metrics.render().unwrap();
        text.lines().find(|line| line.starts_with("agents_retention_backlog ")).unwrap().to_owned()
    }

    /// [HL-04]
    #[tokio::test]
    async fn the_backlog_is_that_of_all_namespaces_and_goes_with_the_work() {
        let metrics = Arc::new(Metrics::default());
        let (one, other) = (held_back("ns", 2, &metrics), held_back("other", 3, &metrics));
        let told = async {
            while backlog(&metrics) != "agents_retention_backlog 5" {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), told).await.unwrap();
        one.abort();
        assert!(one.await.unwrap_err().is_cancelled());
        assert_eq!(backlog(&metrics), "agents_retention_backlog 3");
        other.abort();
        assert!(other.await.unwrap_err().is_cancelled());
        assert_eq!(backlog(&metrics), "agents_retention_backlog 0");
    }

    /// [HL-04]
    #[tokio::test]
    async fn refused_deletions_are_counted_and_stay_in_the_backlog() {
        let metrics = Arc::new(Metrics::default());
        let (client, _) = api_server(|_| refusal(500, "InternalError"));
        let (runs, mut writer) = reflector::store();
        writer.apply_watcher_event(&Event::Apply(expired("ns", "r")));
        let settings = Arc::new(Settings { retention_max_deletes: 1, ..Settings::default() });
        let retention = Retention::new(client, settings, Arc::clone(&metrics), runs, Grace::default());
        retention.observe(&Ok(Event::Apply(expired("ns", "r"))));
        let working = tokio::spawn(Arc::new(retention).run(watch::Sender::new(true).subscribe()));
        let told = async {
            let error = "agents_reconcile_errors_total{kind=\"AgentRun\",reason=\"DeleteRun\"} 1";
            while !metrics.render().unwrap().contains(error)
                || backlog(&metrics) != "agents_retention_backlog 1"
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(10), told).await.unwrap();
        working.abort();
    }
}
