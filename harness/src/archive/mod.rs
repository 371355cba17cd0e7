//! The container: a tar archive in one zstd frame with content checksum, and its digest file.
//!
//! The file ends where its content ends: readers here go to the end of the frame, because a tar reader
//! alone stops at its end marker and misses the checksum behind it. What the entries mean is none of its
//! business: [`crate::backup`] and [`crate::evidence`] each have a manifest of their own.

mod address;
mod bucket;
mod canonical;
mod error;
mod outer;
mod pack;
mod place;
mod publish;
mod unpack;

pub use address::{Address, AddressError, ObjectAddress};
pub use bucket::{Asked, StoreError};
pub(crate) use canonical::{canonical_of, digest_of_manifest};
pub use canonical::{digest, to_canonical};
pub use error::{VerifyError, Warning};
pub use outer::{Limits, verify_digest};
pub(crate) use outer::{MANIFEST_FILE, manifest_value, verify_content};
pub use pack::pack;
pub(crate) use place::{Fetched, fetch, fetch_file, publish_at, unpublished};
pub use publish::{PublishError, digest_path, is_published, publish};
pub(crate) use unpack::{Unpacked, unpack};
