//! The folder that outlives runs, and its locks.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ProvisionError;
use super::progress::Phase;

/// Pause between two attempts to get a lock. A blocking wait could not be cancelled.
const RETRY: Duration = Duration::from_millis(200);

/// `$HALLMARK_CACHE`, else `$XDG_CACHE_HOME/hallmark`, else `~/.cache/hallmark`.
#[derive(Debug, Clone)]
pub struct Cache(PathBuf);

impl Cache {
    /// The user's cache; the folder exists when this returns.
    pub fn open() -> Result<Self, ProvisionError> {
        let path = choose(|name| env::var_os(name)).ok_or(ProvisionError::NoCacheFolder)?;
        let path =
            std::path::absolute(&path).map_err(ProvisionError::cache("the cache", "make absolute", &path))?;
        fs::create_dir_all(&path).map_err(ProvisionError::cache("the cache", "create the folder", &path))?;
        Ok(Self(path))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// Where the built binary of this key is or will be.
    pub(super) fn binary(&self, key: &str) -> PathBuf {
        self.0.join("bin").join(key)
    }

    /// Where its sources are written for the build.
    pub(super) fn sources(&self, key: &str) -> PathBuf {
        self.0.join("src").join(key)
    }

    /// Takes the lock of `name`, waiting for other processes; the lock ends when the file is dropped, also
    /// by the death of the process.
    pub(super) async fn lock(&self, name: &str, phase: &mut Phase<'_>) -> Result<File, ProvisionError> {
        let dir = self.0.join("lock");
        let path = dir.join(name);
        let file = fs::create_dir_all(&dir)
            .and_then(|()| OpenOptions::new().create(true).truncate(false).write(true).open(&path))
            .map_err(ProvisionError::cache(name, "open the lock", &path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => phase.tick("waiting for another process that builds"),
                Err(TryLockError::Error(error)) => {
                    return Err(ProvisionError::cache(name, "lock", &path)(error));
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// An empty variable counts as unset, as the XDG base directory specification demands.
fn choose(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("HALLMARK_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|base| base.join("hallmark")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("hallmark")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_variable_wins_and_empty_ones_are_unset() {
        let chosen = |set: &[(&str, &str)]| {
            choose(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        let (own, xdg, home) = (("HALLMARK_CACHE", "/h"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/u"));
        assert_eq!(chosen(&[own, xdg, home]), Some(PathBuf::from("/h")));
        assert_eq!(chosen(&[xdg, home]), Some(PathBuf::from("/x/hallmark")));
        assert_eq!(chosen(&[("HALLMARK_CACHE", ""), home]), Some(PathBuf::from("/u/.cache/hallmark")));
        assert_eq!(chosen(&[]), None);
    }
}
