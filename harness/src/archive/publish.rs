//! From bytes to a file that readers see complete or not at all.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::address::{Address, ObjectAddress};
use super::bucket::StoreError;
use super::error::VerifyError;
use crate::backup::defects::Defect;

/// An archive that was not published. Nothing that `verify` accepts is left behind.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is a complete archive already.
    #[error("the archive `{0}` exists already; it is not overwritten")]
    Exists(Address),
    /// A bucket has an archive of this name without digest, and it is another one.
    #[error(
        "`{archive}` is there without its digest: its backup was cut off, or still runs; it is not overwritten; help: use \
         another name, or delete it if no backup runs"
    )]
    Unfinished {
        /// What is there.
        archive: ObjectAddress,
    },
    /// The store refused, or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be written.
    #[error("{action} `{}`", .path.display())]
    Io {
        /// What was done: `write`, `rename to`.
        action: &'static str,
        /// With which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What came back from the disk is not what was written.
    #[error("verify the archive just written")]
    Unsound(#[source] Box<VerifyError>),
}

impl PublishError {
    /// Whether what was named is at fault, found before anything was read.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Exists(_) | Self::Unfinished { .. } => true,
            Self::Store(error) => error.is_usage(),
            Self::Io { .. } | Self::Unsound(_) => false,
        }
    }
}

/// The file with the digest of an archive: its presence means that the archive is complete.
pub fn digest_path(archive: &Path) -> PathBuf {
    let mut name: OsString = archive.as_os_str().to_owned();
    name.push(".sha256");
    PathBuf::from(name)
}

/// Whether a complete archive has this name.
pub fn is_published(archive: &Path) -> bool {
    digest_path(archive).exists()
}

/// Writes under a pending name, verifies what is on disk, and renames: first the archive, then its digest.
///
/// `verify` gets the bytes that came back and the line of the digest file. Returns the digest. A kill at any point
/// leaves pending files, or an archive without digest, and verification accepts neither. Of two backups of one name
/// the second finds that of the first.
pub fn publish<T>(
    bytes: &[u8],
    archive: &Path,
    verify: impl FnOnce(&[u8], &str) -> Result<T, VerifyError>,
) -> Result<String, PublishError> {
    let folder = match archive.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| PublishError::Io { action, path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
    let opened = File::open(folder).map_err(failed("open", folder))?;
    // Until it is closed nobody else publishes here. Where a file system has no locks, the name of the digest
    // decides below.
    let _unlocked = opened.lock();
    if is_published(archive) {
        return Err(PublishError::Exists(archive.into()));
    }
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    if Defect::PublishedTooEarly.is_planted() {
        let line = format!("{}  {name}\n", super::digest(bytes));
        std::fs::write(digest_path(archive), line).map_err(failed("write", archive))?;
        for half in [bytes.split_at(bytes.len() / 2).0, bytes] {
            std::fs::write(archive, half).map_err(failed("write", archive))?;
            #[expect(clippy::disallowed_methods, reason = "it imitates a disk that has much to do")]
            std::thread::sleep(std::time::Duration::from_millis(150));
        }
    }
    let pending = write(folder, &name, bytes).map_err(failed("write a file in", folder))?;
    let written = std::fs::read(pending.path()).map_err(failed("read back", pending.path()))?;
    let sha256 = super::digest(bytes);
    let line = format!("{sha256}  {name}\n");
    verify(&written, &line).map_err(|error| PublishError::Unsound(Box::new(error)))?;
    pending.persist(archive).map_err(|error| failed("rename to", archive)(error.error))?;
    let digest_file = digest_path(archive);
    let pending = write(folder, &name, line.as_bytes()).map_err(failed("write a file in", folder))?;
    pending.persist_noclobber(&digest_file).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => PublishError::Exists(archive.into()),
        _ => failed("rename to", &digest_file)(error.error),
    })?;
    // The names, too, must survive a loss of power.
    opened.sync_all().map_err(failed("flush", folder))?;
    Ok(sha256)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(&format!(".{name}.pending-"))
        .permissions(std::fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Limits;
    use crate::backup::{fixture, verify, verify_bytes};

    fn publish(bytes: &[u8], archive: &Path) -> Result<String, PublishError> {
        super::publish(bytes, archive, |bytes, line| verify_bytes(bytes, line, Limits::default()))
    }

    #[test]
    fn a_published_archive_verifies_and_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("new/a.tar.zst");
        let sha256 = publish(&fixture::archive(), &archive).unwrap();
        assert_eq!(verify(&archive, Limits::default()).unwrap().sha256, sha256);
        let left: Vec<_> = std::fs::read_dir(archive.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(matches!(publish(&fixture::archive(), &archive), Err(PublishError::Exists(_))));
    }

    #[test]
    fn an_archive_without_its_digest_is_not_accepted_and_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tar.zst");
        publish(&fixture::archive(), &archive).unwrap();
        std::fs::remove_file(digest_path(&archive)).unwrap();
        assert!(matches!(verify(&archive, Limits::default()), Err(VerifyError::NotPublished { .. })));
        publish(&fixture::archive(), &archive).unwrap();
    }

    #[test]
    fn of_many_that_publish_under_one_name_one_does_and_its_archive_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tar.zst");
        let all = std::sync::Barrier::new(8);
        let published = std::thread::scope(|scope| {
            let one = || {
                let bytes = fixture::archive();
                all.wait();
                publish(&bytes, &archive)
            };
            let publishing: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            publishing.into_iter().flat_map(|one| one.join().unwrap()).count()
        });
        assert_eq!(published, 1);
        verify(&archive, Limits::default()).unwrap();
    }

    #[test]
    fn bytes_that_are_no_archive_are_not_published() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tar.zst");
        assert!(matches!(publish(b"nonsense", &archive), Err(PublishError::Unsound(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
