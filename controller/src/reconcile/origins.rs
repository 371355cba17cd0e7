//! What the Jobs of runs were made from, until the status of their run tells it.
//!
//! A run may be edited right before the status that accepts it is written. The write fails then, and the next pass finds a
//! Job that executes what the run was before: that is what has been accepted, and the edit ends the run. After a restart in
//! that moment nobody knows, and what the run is then counts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt as _;

use crate::api::AgentRun;
use crate::decide::spec_hash;
use crate::defects::Defect;

/// Hashes of specs by uid of the run.
#[derive(Debug, Default)]
pub(super) struct Origins(Mutex<HashMap<String, String>>);

impl Origins {
    /// A Job may be made from this spec now; one that was made before keeps what it is.
    pub(super) fn attempted(&self, run: &AgentRun) {
        self.lock().entry(run.uid().unwrap_or_default()).or_insert_with(|| spec_hash::compute(&run.spec));
    }

    /// The Job was made from this spec.
    pub(super) fn made(&self, run: &AgentRun) {
        self.lock().insert(run.uid().unwrap_or_default(), spec_hash::compute(&run.spec));
    }

    /// The hash of what the Job of this run executes.
    pub(super) fn hash(&self, run: &AgentRun) -> String {
        let known = self.lock().get(&run.uid().unwrap_or_default()).cloned();
        let known = known.filter(|_| !Defect::EditAtTheStartPasses.is_planted());
        known.unwrap_or_else(|| spec_hash::compute(&run.spec))
    }

    /// The status of this run tells it, or the run is gone.
    pub(super) fn forget(&self, run_uid: &str) {
        self.lock().remove(run_uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
