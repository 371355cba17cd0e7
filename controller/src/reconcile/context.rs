//! What all passes of one controller share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::{Api, Client, Resource, ResourceExt};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::api::{AgentRun, JobView};
use crate::config::Settings;
use crate::decide::hold::Grace;
use crate::decide::limits::Answer;
use crate::metrics::Metrics;

use super::admission::Admission;
use super::backoff::Backoff;
use super::caches::Caches;
use super::default_memory::DefaultMemories;
use super::doubt::Doubt;
use super::error::Error;
use super::events::Events;
use super::keys::Keys;
use super::origins::Origins;

/// Whether a cache holds everything that was there at the start.
pub(super) type Filled = watch::Receiver<bool>;

/// How long the cache is trusted to catch up with a write of our own. Afterwards a pass goes ahead with
/// what is cached: after a restore of the datastore versions may even go back.
const CATCH_UP: Duration = Duration::from_secs(2);

/// The last write of an object.
struct Written {
    version: u64,
    at: Instant,
}

/// What all controllers of a session share.
#[derive(Clone)]
pub(super) struct Shared {
    /// Talks to the API server.
    pub client: Client,
    /// Settings of the process.
    pub settings: Arc<Settings>,
    /// Numbers for Prometheus.
    pub metrics: Arc<Metrics>,
    /// Where passes leave what users are told.
    pub events: Events,
    /// Bounds the passes that are under way in the whole process.
    pub permits: Arc<Semaphore>,
    /// Decides who may start.
    pub admission: Arc<Admission>,
    /// Which run has which idempotency key, if there is a database.
    pub keys: Option<Arc<Keys>>,
    /// Before when retention deletes what.
    pub grace: Grace,
    /// Told when no new work may begin.
    pub stop: CancellationToken,
}

/// Client, settings, caches and the little that is remembered between passes.
pub(super) struct Context {
    /// Talks to the API server.
    pub client: Client,
    /// Settings of the process.
    pub settings: Arc<Settings>,
    /// All labelled Jobs of the watched namespaces.
    pub jobs: Store<JobView>,
    /// Whether `jobs` is complete.
    pub jobs_filled: Filled,
    /// Whether `jobs` can be believed.
    pub doubt: Arc<Doubt>,
    /// What runs refer to.
    pub references: Caches,
    /// Finds the Memory of runs that name none.
    pub default_memories: DefaultMemories,
    /// Numbers for Prometheus.
    pub metrics: Arc<Metrics>,
    /// Where passes leave what users are told.
    pub events: Events,
    /// Bounds the passes that are under way in the whole process.
    pub permits: Arc<Semaphore>,
    /// Decides who may start.
    pub admission: Arc<Admission>,
    /// Which run has which idempotency key, if there is a database.
    pub keys: Option<Arc<Keys>>,
    /// Told when no new work may begin.
    pub stop: CancellationToken,
    /// Failures in a row.
    pub backoff: Backoff,
    /// What Jobs were made from that no status tells of.
    pub origins: Origins,
    missing: Mutex<HashMap<String, Instant>>,
    written: Mutex<HashMap<String, Written>>,
    warned: Mutex<HashSet<String>>,
}

impl Context {
    pub(super) fn new(
        shared: Shared,
        jobs: Store<JobView>,
        jobs_filled: Filled,
        doubt: Arc<Doubt>,
        references: Caches,
    ) -> Self {
        let Shared { client, settings, metrics, events, permits, admission, keys, grace: _, stop } = shared;
        Self {
            client,
            settings,
            jobs,
            jobs_filled,
            doubt,
            references,
            default_memories: DefaultMemories::default(),
            metrics,
            events,
            permits,
            admission,
            keys,
            stop,
            backoff: Backoff::default(),
            origins: Origins::default(),
            missing: Mutex::default(),
            written: Mutex::default(),
            warned: Mutex::default(),
        }
    }

    /// Waits until a cache is filled, unless the controller is being stopped.
    pub(super) async fn until_filled(&self, filled: &Filled) -> Result<(), Error> {
        let mut filled = filled.clone();
        let waited = self.stop.run_until_cancelled(filled.wait_for(|filled| *filled)).await;
        waited.and_then(Result::ok).map(|_| ()).ok_or(Error::Stopping)
    }

    /// Whether the run may start, see [`Admission::ask`].
    pub(super) async fn ask_admission(&self, run: &AgentRun) -> Result<Answer, Error> {
        self.stop.run_until_cancelled(self.admission.ask(run)).await.ok_or(Error::Stopping)
    }

    /// Access to objects in the run's own namespace; no status can point a pass anywhere else.
    pub(super) fn api<K>(&self, run: &AgentRun) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &run.namespace().unwrap_or_default())
    }

    /// How long the Job of this run has been missing, counted from the first call.
    pub(super) fn missing_for(&self, run_uid: &str) -> Duration {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.entry(run_uid.to_owned()).or_insert_with(Instant::now).elapsed()
    }

    /// The Job of this run is there, or nobody waits for it any more.
    pub(super) fn not_missing(&self, run_uid: &str) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).remove(run_uid);
    }

    /// Whether this is the first warning about this run.
    pub(super) fn first_warning(&self, run_uid: &str) -> bool {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(run_uid.to_owned())
    }

    /// This run's status or this Job was written and has this version now.
    pub(super) fn wrote(&self, object: &impl ResourceExt) {
        let (Some(uid), Some(version)) = (object.uid(), version(object)) else { return };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|_, earlier| earlier.at.elapsed() < CATCH_UP);
        written.insert(uid, Written { version, at: Instant::now() });
    }

    /// Whether this copy is older than our own last write. A pass over it could only end in a conflict or
    /// repeat that write, and the event that brings the new copy is on its way.
    pub(super) fn is_behind(&self, object: &impl ResourceExt) -> bool {
        let (Some(uid), Some(cached)) = (object.uid(), version(object)) else { return false };
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.get(&uid).is_some_and(|last| cached < last.version && last.at.elapsed() < CATCH_UP)
    }

    /// Drops everything that is remembered about a run.
    pub(super) fn forget(&self, run_uid: &str) {
        self.not_missing(run_uid);
        self.origins.forget(run_uid);
        self.backoff.succeeded(run_uid);
        self.warned.lock().unwrap_or_else(PoisonError::into_inner).remove(run_uid);
    }
}

/// Versions of one kind can be compared as numbers, by the conventions of the API.
fn version(object: &impl ResourceExt) -> Option<u64> {
    object.resource_version()?.parse().ok()
}
