//! The folder of a cluster, and the removal of folders whose harness died.
//!
//! The processes of a killed harness die with it; only its folder stays, named after us and holding a file
//! that says who owned it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::cluster::ClusterError;
use crate::cluster::process::ProcessIdentity;

const PREFIX: &str = "hallmark-cluster-";
const OWNER: &str = "owner.json";

/// A folder without a readable owner is left alone for this long: its harness may be about to write it.
const UNOWNED: Duration = Duration::from_hours(1);

/// A cluster's folder, removed when dropped.
#[derive(Debug)]
pub(super) struct State(TempDir);

impl State {
    /// Makes a folder that belongs to this process.
    pub(super) fn create() -> Result<Self, ClusterError> {
        let root = std::env::temp_dir();
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&root)
            .map_err(ClusterError::io("create a folder in", &root))?;
        let path = dir.path().join(OWNER);
        let owner = serde_json::to_vec(&ProcessIdentity::current()).map_err(std::io::Error::from);
        owner.and_then(|owner| fs::write(&path, owner)).map_err(ClusterError::io("write", &path))?;
        Ok(Self(dir))
    }

    /// A path inside.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Removes the folders of clusters whose harness no longer runs. What cannot be removed stays.
pub fn sweep() {
    sweep_in(&std::env::temp_dir());
}

fn sweep_in(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    let ours = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)));
    for entry in ours {
        if is_abandoned(&entry.path()) {
            let _stays = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(dir: &Path) -> bool {
    let owner = fs::read(dir.join(OWNER)).ok();
    match owner.and_then(|text| serde_json::from_slice::<ProcessIdentity>(&text).ok()) {
        Some(owner) => !owner.is_alive(),
        None => age(dir).is_some_and(|age| age > UNOWNED),
    }
}

fn age(dir: &Path) -> Option<Duration> {
    fs::metadata(dir).ok()?.modified().ok()?.elapsed().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_dead_owners_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str, owner: Option<ProcessIdentity>| {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            if let Some(owner) = owner {
                fs::write(path.join(OWNER), serde_json::to_vec(&owner).unwrap()).unwrap();
            }
            path
        };
        let own = ProcessIdentity::current();
        let dead = ProcessIdentity { started: own.started + 1, ..own };
        let kept = [
            folder("hallmark-cluster-a", Some(own)),
            folder("hallmark-cluster-b", None),
            folder("c", Some(dead)),
        ];
        let swept = folder("hallmark-cluster-d", Some(dead));
        sweep_in(root.path());
        assert!(kept.iter().all(|path| path.exists()));
        assert!(!swept.exists());
    }
}
