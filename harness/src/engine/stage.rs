//! What watches a cluster while cases run, and what was installed for all of them.

use kube::Client;

use super::EngineError;
use super::cleanup;
use super::kinds::Kinds;
use super::plan::{PlacedCase, Plan};
use super::played::PlayedJobs;
use super::prepare::Prepared;
use crate::cluster::Cluster;
use crate::cluster::audit::MARK;
use crate::event::EventSink;
use crate::record::{Record, RequestHub, WatchHub};
use crate::scenario::suite::Fence;

/// What watches the cluster while cases run.
pub(super) struct Stage {
    played: PlayedJobs,
    pub(super) kinds: Kinds,
    hub: WatchHub,
    /// Where requests are recorded, if they can be.
    requests: Option<RequestHub>,
}

impl Stage {
    /// Begins to watch everything that the cases of a plan touch.
    pub(super) async fn open(
        prepared: &Prepared,
        plan: &Plan,
        fence: Option<&Fence>,
        run_id: &str,
    ) -> Result<Self, EngineError> {
        let client = &prepared.client;
        let kinds = Kinds::discover(client, plan, fence).await?;
        Self::on(&prepared.cluster, client, kinds, run_id, 0).await
    }

    /// Begins to watch objects of these kinds; `after` is added to their revisions.
    pub(super) async fn on(
        cluster: &Cluster,
        client: &Client,
        kinds: Kinds,
        run_id: &str,
        after: u64,
    ) -> Result<Self, EngineError> {
        let played = PlayedJobs::install(client, run_id).await?;
        let hub = WatchHub::start_after(client, kinds.resources(), after).await?;
        let requests = match cluster.audit_log() {
            Some(path) => Some(
                RequestHub::start(path.clone(), MARK)
                    .await
                    .map_err(|source| EngineError::AuditLog { path, source })?,
            ),
            None => None,
        };
        Ok(Self { played, kinds, hub, requests })
    }

    /// Watches what another plan touches as well; no case may run meanwhile.
    pub(super) async fn extend(
        &mut self,
        client: &Client,
        plan: &Plan,
        fence: Option<&Fence>,
    ) -> Result<(), EngineError> {
        if let Some(kinds) = self.kinds.extended(client, plan, fence).await? {
            self.hub = WatchHub::start(client, kinds.resources()).await?;
            self.kinds = kinds;
        }
        Ok(())
    }

    /// Removes what a run made outside of namespaces, and waits for the end of these.
    pub(super) async fn tidy(&self, client: &Client, run_id: &str, events: &EventSink) {
        self.played.remove().await;
        for namespace in cleanup::wait_until_gone(client, run_id).await {
            events.note(format!("the namespace {namespace} is still being deleted"));
        }
    }

    /// From now on the record gets what happens in the namespace of a case, and what the subject asks for whose
    /// release is in the namespace `subject`, if the case is about that.
    pub(super) fn route(&self, placed: &PlacedCase, subject: &str, record: &Record) {
        if !placed.namespace.is_empty() {
            self.hub.route(&placed.namespace, record);
        }
        if let Some(requests) = self.requests.as_ref().filter(|_| placed.case.reads_requests()) {
            requests.route(&placed.namespace, subject, record);
        }
    }

    /// What subjects do in the namespaces of a plan concerns no case but the one that has the namespace.
    pub(super) fn expect(&self, plan: &Plan) {
        if let Some(requests) = &self.requests {
            requests.expect(plan.namespaces());
        }
    }

    /// What happens in the namespace of a case is recorded no longer.
    pub(super) fn forget(&self, placed: &PlacedCase) {
        self.hub.forget(&placed.namespace);
        if let Some(requests) = &self.requests {
            requests.forget(&placed.namespace);
        }
    }

    /// The watches end while the harness keeps the API server down.
    pub(super) async fn pause(&self) {
        self.hub.pause().await;
    }

    /// The watches begin anew, with `after` added to every revision.
    pub(super) fn resume(&self, after: u64) {
        self.hub.resume(after);
    }

    /// Waits until the watches have listed everything.
    pub(super) async fn caught_up(&self) -> Result<(), EngineError> {
        Ok(self.hub.caught_up().await?)
    }

    /// Ends the watches: nothing that happens now is of anybody's concern.
    pub(super) fn silence(&self) {
        self.hub.stop();
    }
}
