//! Archives as objects of an S3-compatible store.
//!
//! An upload becomes an object when its last byte has arrived and not before, so nothing is renamed here: the archive
//! is uploaded under its name, read back and verified, and then its digest follows, which completes it. Where the store
//! offers conditional writes, nothing that is there already is overwritten, whoever wrote it meanwhile.

mod error;
mod publish;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt as _, RetryConfig};

pub use self::error::{Asked, StoreError};
use super::address::ObjectAddress;
use super::error::VerifyError;
use super::outer::Limits;
use crate::backup::Patience;

/// Bytes that one request carries. Each has the time limit of a request, so that slow lines get along, too.
const PART: usize = 8 << 20;
/// The next pause is between the first one and this many times the one before, which doubles it on average.
const GROWTH: f64 = 4.0;
/// Retries end after this time, whatever their number.
const RETRIES: std::time::Duration = std::time::Duration::from_mins(1);

/// The way to a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// For messages.
    endpoint: String,
}

impl Bucket {
    /// The bucket of an object, by the usual variables of the environment (`AWS_…`). Nothing is asked yet.
    pub(crate) fn open(address: &ObjectAddress) -> Result<Self, StoreError> {
        // The HTTP client takes the provider of the process. An error means that there is one already.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let patience = Patience::default();
        let mut settings =
            AmazonS3Builder::from_env().with_bucket_name(&address.bucket).with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: patience.first,
                    max_backoff: patience.longest,
                    base: GROWTH,
                },
                max_retries: patience.times,
                retry_timeout: RETRIES,
            });
        let endpoint = settings
            .get_config_value(&AmazonS3ConfigKey::S3Endpoint)
            .or_else(|| settings.get_config_value(&AmazonS3ConfigKey::Endpoint));
        // Somebody who writes http:// wants it.
        if endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")) {
            settings = settings.with_allow_http(true);
        }
        let endpoint = endpoint.unwrap_or_else(|| "Amazon S3".to_owned());
        match settings.build() {
            Ok(store) => Ok(Self { store: Arc::new(store), endpoint }),
            Err(source) => {
                let asked = Asked { action: "look for", address: address.clone(), endpoint };
                Err(StoreError::Settings { asked: Box::new(asked), source: Box::new(source) })
            }
        }
    }

    /// Whether a complete archive has this name.
    pub(crate) async fn is_published(&self, archive: &ObjectAddress) -> Result<bool, StoreError> {
        Ok(self.small("look for", &archive.digest()).await?.is_some())
    }

    /// The line with the digest of an archive, if it is there.
    pub(crate) async fn digest_line(&self, archive: &ObjectAddress) -> Result<Option<String>, StoreError> {
        let line = self.small("read", &archive.digest()).await?;
        Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned()))
    }

    /// The bytes of an archive that is not too large.
    pub(crate) async fn read(&self, archive: &ObjectAddress, limits: Limits) -> Result<Vec<u8>, VerifyError> {
        let key = key(archive);
        let Some(size) = self.size(archive).await? else {
            return Err(VerifyError::NoObject { archive: archive.clone() });
        };
        if size > limits.file {
            return Err(VerifyError::TooLarge { what: "the object".to_owned(), limit: limits.file });
        }
        let mut bytes = Vec::new();
        for start in (0..size).step_by(PART) {
            let end = size.min(start + PART as u64);
            let part = self.store.get_range(&key, start..end).await;
            bytes.extend_from_slice(&part.map_err(self.failed("read", archive))?);
        }
        Ok(bytes)
    }

    /// The size of an object in bytes, if it is there.
    async fn size(&self, address: &ObjectAddress) -> Result<Option<u64>, StoreError> {
        match self.store.head(&key(address)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(source) => self.failed("look for", address)(source).or_absent(),
        }
    }

    /// A small object, if it is there. That the bucket is missing is an error.
    async fn small(
        &self,
        action: &'static str,
        address: &ObjectAddress,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let answer = async { self.store.get(&key(address)).await?.bytes().await };
        match answer.await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(source) => {
                let absent = self.failed(action, address)(source).or_absent()?;
                // Some stores tell that there is no bucket only when they are to list it.
                let listed = self.store.list(Some(&key(address))).try_next().await;
                listed.map_err(self.failed(action, address))?;
                Ok(absent)
            }
        }
    }

    fn failed(
        &self,
        action: &'static str,
        address: &ObjectAddress,
    ) -> impl FnOnce(object_store::Error) -> StoreError {
        move |source| {
            let asked = Asked { action, address: address.clone(), endpoint: self.endpoint.clone() };
            StoreError::of(source, asked)
        }
    }
}

/// A key as it is written. Addresses that were understood have none that would have to be encoded.
fn key(address: &ObjectAddress) -> Path {
    Path::parse(&address.key).unwrap_or_else(|_odd| Path::from(address.key.as_str()))
}
