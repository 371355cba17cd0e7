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

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Once;

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::cluster::process::ProcessIdentity;

const PREFIX: &str = "hallmark-";

/// Makes a folder in the temporary folder of this machine.
pub(crate) fn folder(purpose: &str) -> io::Result<TempDir> {
    folder_in(&std::env::temp_dir(), purpose)
}

/// Makes a folder in another one.
pub(crate) fn folder_in(base: &Path, purpose: &str) -> io::Result<TempDir> {
    sweep_once();
    Builder::new().prefix(&prefix(purpose, ProcessIdentity::current())).tempdir_in(base)
}

/// Makes a file that only this user can read.
pub(crate) fn file(purpose: &str, suffix: &str) -> io::Result<NamedTempFile> {
    sweep_once();
    Builder::new().prefix(&prefix(purpose, ProcessIdentity::current())).suffix(suffix).tempfile()
}

/// Removes what belongs to processes that no longer run. What cannot be removed stays.
pub fn sweep() {
    sweep_in(&std::env::temp_dir());
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

fn prefix(purpose: &str, owner: ProcessIdentity) -> String {
    format!("{PREFIX}{purpose}-{}-{}-", owner.pid, owner.started)
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

    #[test]
    fn only_what_dead_processes_have_left_is_swept() {
        let base = tempfile::tempdir().unwrap();
        let own = ProcessIdentity::current();
        let dead = ProcessIdentity { started: own.started + 1, ..own };
        let make = |name: String| {
            let path = base.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("content"), "").unwrap();
            path
        };
        let used = folder_in(base.path(), "subject").unwrap();
        let kept = [
            used.path().to_owned(),
            make(format!("{}b2c3d4", prefix("cluster", own))),
            make("hallmark-cluster-b2c3d4".into()),
            make("hallmark-of-somebody-else-s".into()),
            make(format!("other-{}-{}-b2c3d4", dead.pid, dead.started)),
        ];
        let folder = make(format!("{}b2c3d4", prefix("cluster", dead)));
        let file = base.path().join(format!("{}b2c3d4.yaml", prefix("values", dead)));
        fs::write(&file, "").unwrap();
        sweep_in(base.path());
        for path in kept {
            assert!(path.exists(), "{}", path.display());
        }
        assert!(!folder.exists() && !file.exists());
    }
}
