//! The container: a tar archive in one zstd frame with content checksum, and its digest file.
//!
//! The file ends where its content ends: readers here go to the end of the frame, because a tar reader
//! alone stops at its end marker and misses the checksum behind it.

mod pack;
mod publish;
mod unpack;

pub use pack::pack;
pub use publish::{PublishError, digest_path, is_published, publish};
pub(super) use unpack::{Unpacked, unpack};
