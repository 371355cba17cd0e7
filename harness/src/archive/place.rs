//! Reading and publishing wherever an archive is.

use std::path::Path;

use super::address::Address;
use super::bucket::Bucket;
use super::error::VerifyError;
use super::outer::{Limits, read};
use super::publish::{PublishError, digest_path, is_published, publish};

/// An archive as it was found, unverified.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    /// Where it was found.
    pub(crate) archive: Address,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// The line of the digest beside it, if there is one.
    pub(crate) digest_line: Option<String>,
}

/// Reads an archive that is not too large.
pub(crate) async fn fetch(archive: &Address, limits: Limits) -> Result<Fetched, VerifyError> {
    match archive {
        Address::File(path) => fetch_file(path, limits),
        Address::Object(object) => {
            let bucket = Bucket::open(object)?;
            let digest_line = bucket.digest_line(object).await?;
            let bytes = bucket.read(object, limits).await?;
            Ok(Fetched { archive: archive.clone(), bytes, digest_line })
        }
    }
}

/// Reads a file that is not too large.
pub(crate) fn fetch_file(path: &Path, limits: Limits) -> Result<Fetched, VerifyError> {
    let bytes = read(path, limits)?;
    let digest_file = digest_path(path);
    let digest_line = match std::fs::read_to_string(&digest_file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        line => Some(line.map_err(|source| VerifyError::Read { path: digest_file, source })?),
    };
    Ok(Fetched { archive: path.into(), bytes, digest_line })
}

/// Fails if a complete archive is there.
pub(crate) async fn unpublished(archive: &Address) -> Result<(), PublishError> {
    let published = match archive {
        Address::File(path) => is_published(path),
        Address::Object(object) => Bucket::open(object)?.is_published(object).await?,
    };
    if published { Err(PublishError::Exists(archive.clone())) } else { Ok(()) }
}

/// Publishes an archive where it is to be, and returns its digest. Readers see it complete or not at all.
pub(crate) async fn publish_at<T>(
    bytes: &[u8],
    archive: &Address,
    verify: impl FnOnce(&[u8], &str) -> Result<T, VerifyError>,
) -> Result<String, PublishError> {
    match archive {
        Address::File(path) => publish(bytes, path, verify),
        Address::Object(object) => Bucket::open(object)?.publish(bytes, object, verify).await,
    }
}
