//! Folders and files in the temporary folder that go with their handle, and the removal of those whose
//! process was killed before it could let go of them.
//!
//! A name says what it is for and which process it belongs to, so that nothing has to be read to tell that
//! nobody uses it any more:
//!
//! ```text
//! hallmark-subject-4711-1234567-a8Xk2P
//!          for     │    │       random
//!                  pid  start of the process
//! ```

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::cluster::process::ProcessIdentity;

const PREFIX: &str = "hallmark-";

/// Where names are short whatever `TMPDIR` says.
pub(crate) const SHORT: &str = "/tmp";

/// What it is for. There is no other kind, so that all are swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scratch {
    /// Archives that a case takes.
    Archives,
    /// A chart out of a package or a revision.
    Chart,
    /// The files of a local cluster.
    Cluster,
    /// What a drill notes down.
    Drill,
    /// The home of helm.
    Helm,
    /// Archives of images for a node.
    Images,
    /// The one context of a kubeconfig that is used.
    Kubeconfig,
    /// The files of a cluster with a node.
    Node,
    /// The files and the socket of a database.
    Postgres,
    /// What a controller that runs as a process finds mounted.
    Subject,
    /// Values of a release.
    Values,
}

impl Scratch {
    /// Each of them.
    const ALL: [Self; 11] = [
        Self::Archives,
        Self::Chart,
        Self::Cluster,
        Self::Drill,
        Self::Helm,
        Self::Images,
        Self::Kubeconfig,
        Self::Node,
        Self::Postgres,
        Self::Subject,
        Self::Values,
    ];

    /// The word in its name.
    fn word(self) -> &'static str {
        match self {
            Self::Archives => "archives",
            Self::Chart => "chart",
            Self::Cluster => "cluster",
            Self::Drill => "drill",
            Self::Helm => "helm",
            Self::Images => "images",
            Self::Kubeconfig => "kubeconfig",
            Self::Node => "node",
            Self::Postgres => "postgres",
            Self::Subject => "subject",
            Self::Values => "values",
        }
    }

    /// The folder in which it is made where `temporary` is that for temporary files.
    fn base(self, temporary: &Path) -> PathBuf {
        match self {
            // The name of a socket may have 107 bytes.
            Self::Postgres => PathBuf::from(SHORT),
            _ => temporary.to_owned(),
        }
    }
}

/// Makes a folder.
pub(crate) fn folder(kind: Scratch) -> io::Result<TempDir> {
    sweep_once();
    folder_in(&kind.base(&env::temp_dir()), kind, ProcessIdentity::current())
}

fn folder_in(base: &Path, kind: Scratch, owner: ProcessIdentity) -> io::Result<TempDir> {
    Builder::new().prefix(&prefix(kind, owner)).tempdir_in(base)
}

/// Makes a file that only this user can read.
pub(crate) fn file(kind: Scratch, suffix: &str) -> io::Result<NamedTempFile> {
    sweep_once();
    file_in(&kind.base(&env::temp_dir()), kind, suffix, ProcessIdentity::current())
}

fn file_in(base: &Path, kind: Scratch, suffix: &str, owner: ProcessIdentity) -> io::Result<NamedTempFile> {
    Builder::new().prefix(&prefix(kind, owner)).suffix(suffix).tempfile_in(base)
}

/// Removes what belongs to processes that no longer run. What cannot be removed stays.
pub fn sweep() {
    for base in bases(&env::temp_dir()) {
        sweep_in(&base);
    }
}

/// Wherever something is made, each once.
fn bases(temporary: &Path) -> BTreeSet<PathBuf> {
    Scratch::ALL.into_iter().map(|kind| kind.base(temporary)).collect()
}

/// The first that a process makes comes after what dead ones have left.
fn sweep_once() {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(sweep);
}

fn sweep_in(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.filter_map(Result::ok) {
        let owner = entry.file_name().to_str().and_then(owner);
        if owner.is_some_and(|owner| !owner.is_alive()) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            let _stays = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

fn prefix(kind: Scratch, owner: ProcessIdentity) -> String {
    format!("{PREFIX}{}-{}-{}-", kind.word(), owner.pid, owner.started)
}

/// Reads out of a name who made it; `None` for what has another origin.
fn owner(name: &str) -> Option<ProcessIdentity> {
    let mut parts = name.strip_prefix(PREFIX)?.rsplitn(4, '-');
    let (_random, started, pid, _purpose) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(ProcessIdentity { pid: pid.parse().ok()?, started: started.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that ended, though another one has its number now.
    fn dead() -> ProcessIdentity {
        let own = ProcessIdentity::current();
        ProcessIdentity { started: own.started + 1, ..own }
    }

    #[test]
    fn what_a_dead_process_has_left_is_swept_whatever_it_was_for() {
        let base = tempfile::tempdir().unwrap();
        for kind in Scratch::ALL {
            let left = folder_in(base.path(), kind, dead()).unwrap().keep();
            fs::write(left.join("content"), "").unwrap();
            file_in(base.path(), kind, ".yaml", dead()).unwrap().keep().unwrap();
        }
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 2 * Scratch::ALL.len());
        sweep_in(base.path());
        let stayed: Vec<_> =
            fs::read_dir(base.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(stayed.is_empty(), "{stayed:?}");
    }

    #[test]
    fn what_a_living_process_uses_stays_whatever_it_is_for() {
        let base = tempfile::tempdir().unwrap();
        let own = ProcessIdentity::current();
        let folders = Scratch::ALL.map(|kind| folder_in(base.path(), kind, own).unwrap());
        let files = Scratch::ALL.map(|kind| file_in(base.path(), kind, ".yaml", own).unwrap());
        sweep_in(base.path());
        for path in folders.iter().map(TempDir::path).chain(files.iter().map(NamedTempFile::path)) {
            assert!(path.exists(), "{}", path.display());
        }
    }

    #[test]
    fn what_the_harness_did_not_make_stays() {
        let base = tempfile::tempdir().unwrap();
        let names = [
            "hallmark-cluster-b2c3d4".to_owned(),
            "hallmark-of-somebody-else-s".to_owned(),
            format!("other-{}-{}-b2c3d4", dead().pid, dead().started),
        ];
        let paths = names.map(|name| base.path().join(name));
        for path in &paths {
            fs::create_dir(path).unwrap();
        }
        sweep_in(base.path());
        for path in paths {
            assert!(path.exists(), "{}", path.display());
        }
    }

    #[test]
    fn the_sweep_looks_wherever_something_is_made() {
        let elsewhere = Path::new("/var/elsewhere");
        let bases = bases(elsewhere);
        assert!(bases.contains(elsewhere) && bases.contains(Path::new(SHORT)), "{bases:?}");
        assert_eq!(bases.len(), 2);
        assert_eq!(Scratch::Postgres.base(elsewhere), Path::new(SHORT));
    }
}
