//! Follows the runs and Jobs of some namespaces.

use std::sync::Arc;
use std::time::Duration;

use agents_controller::api::AgentRun;
use anyhow::{Result, ensure};
use hallmark::event::CaseId;
use hallmark::record::{Entry, Observation, Record, RecordWriter, WatchHub};
use k8s_openapi::api::batch::v1::Job;
use kube::Client;
use kube::api::ApiResource;

use crate::history::State;
use crate::wait;

/// Starts the watches that all followers of a cluster share.
pub(crate) async fn watch(client: &Client) -> Result<WatchHub> {
    let kinds = vec![ApiResource::erase::<AgentRun>(&()), ApiResource::erase::<Job>(&())];
    Ok(WatchHub::start(client, kinds).await?)
}

/// The recorded history of some namespaces, and its latest state as far as it is known.
pub(crate) struct Follower {
    record: Record,
    taken: usize,
    state: State,
}

impl Follower {
    /// Records a namespace from now on.
    pub(crate) fn start(watches: &WatchHub, namespace: &str) -> Self {
        Self::of(watches, &[namespace])
    }

    /// Records several namespaces, in which no two runs have the same name, from now on.
    pub(crate) fn of(watches: &WatchHub, namespaces: &[&str]) -> Self {
        let case = CaseId { scenario: "cluster".to_owned(), case: namespaces.join("-") };
        let record = Record::new(case, RecordWriter::none());
        for namespace in namespaces {
            watches.route(namespace, &record);
        }
        Self { record, taken: 0, state: State::default() }
    }

    /// Waits until the latest state is as wanted, and returns how long that took.
    pub(crate) async fn until(
        &mut self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&State) -> bool,
    ) -> Result<Duration> {
        let look = async || {
            self.catch_up()?;
            Ok(if wanted(&self.state) { Ok(()) } else { Err(self.state.to_string()) })
        };
        let ((), elapsed) = wait::until(limit, what, look).await?;
        Ok(elapsed)
    }

    /// Waits until so many runs have ended.
    pub(crate) async fn until_ended(&mut self, limit: Duration, runs: usize) -> Result<Duration> {
        self.until(limit, &format!("{runs} runs have ended"), |state| state.ended() >= runs).await
    }

    /// The latest state.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Everything that was recorded.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.record.snapshot()
    }

    fn catch_up(&mut self) -> Result<()> {
        let entries = self.record.snapshot();
        for entry in entries.iter().skip(self.taken) {
            if let Observation::Object(version) = &entry.observation {
                self.state.apply(version)?;
            }
        }
        ensure!(entries.len() >= self.taken, "a record never shrinks");
        self.taken = entries.len();
        Ok(())
    }
}
