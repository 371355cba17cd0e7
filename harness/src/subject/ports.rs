//! Ports for processes that share the host.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

/// The ports that are given out.
///
/// They lie below the range from which Linux takes the local ports of outgoing connections (32768 and
/// up): the hundreds of connections of a run would otherwise now and then sit on a port between the
/// moment it is given out and the moment the subject binds it.
const RANGE: Range<u16> = 20_000..32_000;

/// How many ports this process has looked at, so that one that was given back rests for a while.
static LOOKED_AT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 that no run of the harness by the same user gets while this lives.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    /// Locked; the system unlocks it when the process ends, however it ends.
    _lock: File,
}

/// A port could not be given out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// All are taken.
    #[error("no free port from {} to {} on 127.0.0.1", RANGE.start, RANGE.end - 1)]
    NoneFree,
    /// The files could not be used that say which are taken.
    #[error("{action} `{}`, which says which ports are taken", .path.display())]
    File {
        /// What was done to it.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Port {
    /// A port on which nothing listens and that was not given out, here or in another run of the harness.
    ///
    /// That nothing listens is not enough: the process that gets the port binds it a moment later. Each
    /// port has a file, and who has the file's lock has the port.
    pub(super) fn take() -> Result<Self, PortError> {
        let user = rustix::process::geteuid().as_raw();
        Self::take_noting_it_in(&std::env::temp_dir().join(format!("hallmark-ports-{user}")))
    }

    fn take_noting_it_in(folder: &Path) -> Result<Self, PortError> {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| PortError::File { action, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("create", folder))?;
        for _ in RANGE {
            let number = RANGE.start + LOOKED_AT.fetch_add(1, Ordering::Relaxed) % (RANGE.end - RANGE.start);
            let path = folder.join(number.to_string());
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(failed("open", &path))?;
            if lock.try_lock().is_ok() && is_free(number) {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(PortError::NoneFree)
    }

    /// The number.
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

/// Whether nothing listens there; both addresses are tried because programs bind either one of them.
fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the search was when the last port was found: the next call looks behind it.
    fn looked_at_next(port: &Port) -> u16 {
        port.number() + 1
    }

    #[test]
    fn a_port_that_was_given_out_is_not_given_again_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let taken = Port::take_noting_it_in(folder.path()).unwrap();
        let lock = |number: u16| File::open(folder.path().join(number.to_string())).unwrap();
        assert!(lock(taken.number()).try_lock().is_err());
        let number = taken.number();
        drop(taken);
        assert!(lock(number).try_lock().is_ok());
    }

    #[test]
    fn ports_in_use_or_of_another_run_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let first = Port::take_noting_it_in(folder.path()).unwrap();
        let next = looked_at_next(&first);
        let _bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, next));
        let of_another_run = File::create(folder.path().join((next + 1).to_string())).unwrap();
        of_another_run.try_lock().unwrap();
        let second = Port::take_noting_it_in(folder.path()).unwrap();
        assert!(![first.number(), next, next + 1].contains(&second.number()), "{second:?}");
    }

    #[test]
    fn everybody_who_asks_at_once_gets_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let take_ten = || {
            LOOKED_AT.store(0, Ordering::Relaxed);
            (0..10).map(|_| Port::take_noting_it_in(folder.path()).unwrap()).collect::<Vec<_>>()
        };
        let ports: Vec<Port> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..8).map(|_| scope.spawn(take_ten)).collect();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        let numbers: std::collections::BTreeSet<_> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 80);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Port::take_noting_it_in(file.path()).unwrap_err().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
