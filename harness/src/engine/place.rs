//! The cluster of one case alone, which the case may lose, and the one after it.
//!
//! A case that loses its cluster goes on with another [`RunContext`]; its record goes on, too. Revisions of the
//! next cluster are counted on from those of the one before, so that the order of versions stays theirs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

use super::EngineError;
use super::case::{CaseRun, RunContext, Stop, chain};
use super::plan::PlacedCase;
use super::stage::Stage;
use crate::cluster::local::LocalCluster;
use crate::cluster::{self, Cluster};
use crate::event::EventSink;
use crate::pulse::Pulse;
use crate::record::{Change, Entry, ObjectVersion, Observation, Record};
use crate::subject::SubjectContext;
use crate::yaml::Location;

/// How much revisions of the next cluster are ahead of the last one that was recorded: that of the same number
/// must not be taken for it.
pub(super) const AHEAD: u64 = 1_000;

/// A cluster of one's own.
pub(super) struct OwnPlace {
    cluster: Mutex<Option<Cluster>>,
    context: RunContext,
    stage: Stage,
    next: OnceCell<Box<Self>>,
}

impl OwnPlace {
    /// Starts it; what else the case needs is that of the run.
    pub(super) async fn start(run: &RunContext, after: u64) -> Result<Self, EngineError> {
        let spec = run.own_clusters.clone().ok_or(EngineError::NoOwnCluster)?;
        let cluster = cluster::start(&spec, &EventSink::silent()).await?;
        let client = cluster.client().await?;
        let stage = Stage::on(&cluster, &client, run.kinds.clone(), &run.run_id, after).await?;
        let pulse = Pulse::start(client.clone());
        let subjects = run.subjects.clone().map(|subjects| SubjectContext {
            client: client.clone(),
            kubeconfig_path: cluster.kubeconfig_path().to_owned(),
            info: cluster.info().clone(),
            pulse: Arc::clone(&pulse),
            ..subjects
        });
        let context = RunContext { client, subjects, pulse, first_revision: after, ..run.clone() };
        Ok(Self { cluster: Mutex::new(Some(cluster)), context, stage, next: OnceCell::new() })
    }

    /// What a case works with there.
    pub(super) fn context(&self) -> &RunContext {
        &self.context
    }

    /// From now on the record gets what happens in the namespace of the case.
    pub(super) fn route(&self, placed: &PlacedCase, record: &Record) {
        self.stage.route(placed, &placed.namespace, record);
    }

    /// Kills the API server and starts it again; `down` is called in between. `after` is added to revisions.
    pub(super) async fn restart_api_server(
        &self,
        after: u64,
        down: impl FnOnce(),
    ) -> Result<(), EngineError> {
        let mut cluster = self.cluster.lock().await;
        let local = local(&mut cluster)?;
        self.go_down(local).await;
        down();
        self.come_up(local, after).await
    }

    /// Copies the data of the datastore to a new folder.
    pub(super) async fn copy_datastore(&self, after: u64, to: &Path) -> Result<(), EngineError> {
        let mut cluster = self.cluster.lock().await;
        let local = local(&mut cluster)?;
        self.go_down(local).await;
        local.copy_datastore(to).await?;
        self.come_up(local, after).await
    }

    /// Puts data that were copied in place of those of the datastore.
    pub(super) async fn put_datastore_back(&self, after: u64, from: &Path) -> Result<(), EngineError> {
        let mut cluster = self.cluster.lock().await;
        let local = local(&mut cluster)?;
        self.go_down(local).await;
        local.put_datastore_back(from).await?;
        self.come_up(local, after).await
    }

    async fn go_down(&self, local: &mut LocalCluster) {
        self.stage.pause().await;
        local.kill_apiserver().await;
    }

    /// The watches begin before anybody else knows that the API server answers.
    async fn come_up(&self, local: &mut LocalCluster, after: u64) -> Result<(), EngineError> {
        self.stage.resume(after);
        local.start_apiserver().await?;
        self.stage.caught_up().await
    }

    /// Kills the cluster and removes its data.
    async fn destroy(&self) -> Result<(), EngineError> {
        self.stage.silence();
        let Some(cluster) = self.cluster.lock().await.take() else { return Ok(()) };
        let folder = cluster.kubeconfig_path().parent().map(ToOwned::to_owned).unwrap_or_default();
        cluster.stop().await?;
        if folder.exists() { Err(EngineError::NotDestroyed { folder }) } else { Ok(()) }
    }

    /// Ends whichever cluster the case has by now.
    pub(super) async fn stop(&self) {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        if let Err(error) = last.destroy().await {
            tracing::debug!(error = %chain(&error), "own cluster not stopped");
        }
    }
}

impl CaseRun<'_> {
    /// Kills the subject and the cluster with all of its data, and starts another cluster, where the case goes
    /// on without subject.
    pub(super) async fn lose_cluster(&mut self, at: &Location) -> Result<(), Stop> {
        let Some(place) = self.place else {
            return Err(Stop::Inconclusive("the case has no cluster of its own to lose".to_owned()));
        };
        if let Some(subject) = self.subject.take() {
            subject.kill().await.map_err(|error| self.subject_trouble(&error, at))?;
        }
        // No list will ever show what the watches have not delivered by now.
        self.catch_up().await?;
        let trouble = |error: EngineError| Stop::Inconclusive(chain(&error));
        place.destroy().await.map_err(trouble)?;
        let history = self.record.snapshot();
        for version in left(&history) {
            self.record.append(Observation::Object(ObjectVersion { change: Change::Deleted, ..version }));
        }
        let start = async || OwnPlace::start(&place.context, newest(&history) + AHEAD).await.map(Box::new);
        let next = place.next.get_or_try_init(start).await.map_err(trouble)?;
        next.route(self.placed, &self.record);
        self.run = &next.context;
        self.ahead = 0;
        self.recovery.lose_way();
        self.place = Some(next);
        self.create_namespace().await
    }
}

fn local(cluster: &mut Option<Cluster>) -> Result<&mut LocalCluster, EngineError> {
    cluster.as_mut().and_then(Cluster::local_mut).ok_or(EngineError::NoOwnCluster)
}

/// The last versions of the objects that were there.
fn left(history: &[Arc<Entry>]) -> Vec<ObjectVersion> {
    let mut left: BTreeMap<&str, &ObjectVersion> = BTreeMap::new();
    for entry in history {
        if let Observation::Object(version) = &entry.observation {
            match version.change {
                Change::Deleted => left.remove(version.uid.as_str()),
                Change::Added | Change::Modified => left.insert(&version.uid, version),
            };
        }
    }
    left.into_values().cloned().collect()
}

/// The highest revision that was recorded.
pub(super) fn newest(history: &[Arc<Entry>]) -> u64 {
    let revision = |entry: &Arc<Entry>| match &entry.observation {
        Observation::Object(version) => version.resource_version,
        _ => 0,
    };
    history.iter().map(revision).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn version(uid: &str, resource_version: u64, change: Change) -> Arc<Entry> {
        Arc::new(Entry {
            sequence: 0,
            at: Timestamp::UNIX_EPOCH,
            observation: Observation::Object(ObjectVersion {
                change,
                api_version: "v1".to_owned(),
                kind: "ConfigMap".to_owned(),
                namespace: "n".to_owned(),
                name: uid.to_owned(),
                uid: uid.to_owned(),
                resource_version,
                object: Arc::default(),
            }),
        })
    }

    #[test]
    fn what_is_there_goes_with_the_cluster_and_revisions_go_on() {
        let history = [
            version("a", 3, Change::Added),
            version("b", 9, Change::Added),
            version("a", 5, Change::Modified),
            version("b", 12, Change::Deleted),
        ];
        let found: Vec<_> =
            left(&history).into_iter().map(|version| (version.uid, version.resource_version)).collect();
        assert_eq!(found, [("a".to_owned(), 5)]);
        assert_eq!(newest(&history), 12);
        assert_eq!(newest(&[]), 0);
    }
}
