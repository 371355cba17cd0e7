//! From bytes to an object that readers see complete or not at all.

use object_store::{MultipartUpload, ObjectStoreExt as _, PutMode, PutPayload};

use super::{Bucket, PART, StoreError, key};
use crate::archive::{Limits, ObjectAddress, PublishError, VerifyError, digest};

/// What became of a write that must not replace anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Creation {
    /// The object is there and has these bytes.
    Done,
    /// It has others.
    Taken,
}

impl Bucket {
    /// Uploads an archive, reads it back, verifies what came, and uploads its digest, which completes it.
    ///
    /// `verify` gets the bytes that came back and the line of the digest file. Returns the digest. A kill at any point
    /// leaves no object, or an archive without digest, and verification accepts neither.
    pub(crate) async fn publish<T>(
        &self,
        bytes: &[u8],
        archive: &ObjectAddress,
        verify: impl FnOnce(&[u8], &str) -> Result<T, VerifyError>,
    ) -> Result<String, PublishError> {
        let exists = || PublishError::Exists(archive.clone().into());
        if self.is_published(archive).await? {
            return Err(exists());
        }
        let created = if bytes.len() <= PART {
            self.create(archive, bytes).await?
        } else {
            self.create_in_parts(archive, bytes).await?
        };
        if created == Creation::Taken {
            return Err(PublishError::Unfinished { archive: archive.clone() });
        }
        let unsound = |error| match error {
            VerifyError::Store(error) => PublishError::Store(error),
            error => PublishError::Unsound(Box::new(error)),
        };
        let written = self.read(archive, Limits::default()).await.map_err(unsound)?;
        let sha256 = digest(bytes);
        let line = format!("{sha256}  {}\n", archive.name());
        verify(&written, &line).map_err(unsound)?;
        match self.create(&archive.digest(), line.as_bytes()).await? {
            Creation::Done => Ok(sha256),
            Creation::Taken => Err(exists()),
        }
    }

    /// One request with a condition, where the store knows conditions.
    async fn create(&self, address: &ObjectAddress, bytes: &[u8]) -> Result<Creation, StoreError> {
        let payload = || PutPayload::from(bytes.to_vec());
        match self.store.put_opts(&key(address), payload(), PutMode::Create.into()).await {
            Ok(_done) => Ok(Creation::Done),
            // Also what a retry meets after an answer was lost.
            Err(object_store::Error::AlreadyExists { .. }) => self.compared(address, bytes).await,
            Err(object_store::Error::NotImplemented { .. }) => {
                if self.size(address).await?.is_some() {
                    return self.compared(address, bytes).await;
                }
                let put = self.store.put(&key(address), payload()).await;
                put.map(|_done| Creation::Done).map_err(|source| self.failed("upload", address)(source))
            }
            Err(source) => Err(self.failed("upload", address)(source)),
        }
    }

    /// Parts become an object by a last request, which knows no condition: what is there is looked for right before.
    async fn create_in_parts(&self, address: &ObjectAddress, bytes: &[u8]) -> Result<Creation, StoreError> {
        let mut upload =
            self.store.put_multipart(&key(address)).await.map_err(self.failed("begin to upload", address))?;
        let outcome = self.upload(upload.as_mut(), address, bytes).await;
        if !matches!(outcome, Ok(Creation::Done)) {
            // Parts without object are seen by nobody, but are paid for. What failed is the first error.
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, archive = %address, "parts of the upload are left in the store");
            }
        }
        match outcome? {
            Creation::Taken => self.compared(address, bytes).await,
            Creation::Done => Ok(Creation::Done),
        }
    }

    async fn upload(
        &self,
        upload: &mut dyn MultipartUpload,
        address: &ObjectAddress,
        bytes: &[u8],
    ) -> Result<Creation, StoreError> {
        for part in bytes.chunks(PART) {
            upload.put_part(part.to_vec().into()).await.map_err(self.failed("upload a part of", address))?;
        }
        if self.size(address).await?.is_some() {
            return Ok(Creation::Taken);
        }
        upload.complete().await.map_err(self.failed("complete", address))?;
        Ok(Creation::Done)
    }

    /// Whether what is there is what was to be written.
    async fn compared(&self, address: &ObjectAddress, bytes: &[u8]) -> Result<Creation, StoreError> {
        if self.size(address).await? != Some(bytes.len() as u64) {
            return Ok(Creation::Taken);
        }
        match self.read(address, Limits::default()).await {
            Ok(found) if found == bytes => Ok(Creation::Done),
            Err(VerifyError::Store(error)) => Err(error),
            Ok(_) | Err(_) => Ok(Creation::Taken),
        }
    }
}
