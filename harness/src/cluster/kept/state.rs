//! The file that tells other commands where the kept cluster is.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cluster::ClusterError;
use crate::cluster::info::ClusterInfo;
use crate::cluster::process::ProcessIdentity;
use crate::cluster::provision::Cache;

/// A cluster that another process of this program owns.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptCluster {
    /// The process that owns it.
    keeper: ProcessIdentity,
    kubeconfig: PathBuf,
    info: ClusterInfo,
}

impl KeptCluster {
    /// A cluster owned by the calling process.
    pub(super) fn of_this_process(info: ClusterInfo, kubeconfig: PathBuf) -> Self {
        Self { keeper: ProcessIdentity::current(), kubeconfig, info }
    }

    /// What is known about it.
    pub fn info(&self) -> &ClusterInfo {
        &self.info
    }

    /// Its kubeconfig.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// The process that owns it.
    pub fn keeper(&self) -> ProcessIdentity {
        self.keeper
    }

    /// Reads the state file; `None` if there is none, or if it is stale because its process is gone.
    pub(super) fn read(cache: &Cache) -> Option<Self> {
        let text = fs::read(path(cache)).ok()?;
        // A file of another version of this program counts as none: nothing can be done with it.
        let state: Self = serde_json::from_slice(&text).ok()?;
        state.keeper.is_alive().then_some(state)
    }

    /// Writes the state file in one step, so that nobody reads half of it.
    pub(super) fn write(&self, cache: &Cache) -> Result<(), ClusterError> {
        let path = path(cache);
        let unfinished = path.with_added_extension("partial");
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| ClusterError::Keeper(error.to_string()))?;
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(ClusterError::io("write", &path))
    }

    /// Removes the state file.
    pub(super) fn remove(cache: &Cache) {
        let _none = fs::remove_file(path(cache));
    }
}

fn path(cache: &Cache) -> PathBuf {
    cache.dir().join("kept.json")
}
