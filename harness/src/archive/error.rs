//! Why an archive is refused.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::address::{Address, ObjectAddress};
use super::bucket::StoreError;

/// An archive that must not be used. Messages name the entry where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A file cannot be read.
    #[error("read `{}`", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no digest file, so the archive was never completed.
    #[error(
        "`{digest_file}` is missing: the archive was not completed, or its digest was not copied with it"
    )]
    NotPublished {
        /// The file that completes an archive.
        digest_file: Address,
    },
    /// A bucket has no such archive.
    #[error("there is no object `{archive}`; help: look at the name, or take a backup first")]
    NoObject {
        /// What was looked for.
        archive: ObjectAddress,
    },
    /// The store of the archive refused, or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The digest file holds no digest.
    #[error("the digest file does not begin with a SHA-256 digest")]
    DigestFile,
    /// The file is not the one whose digest was written down.
    #[error("the file has the digest {found} instead of {expected}{}", inner(.inside.as_deref()))]
    Outer {
        /// Of the digest file.
        expected: String,
        /// Of the archive.
        found: String,
        /// What is wrong with the content, as far as it can be read.
        inside: Option<Box<Self>>,
    },
    /// The frame is damaged or truncated.
    #[error("decompress the archive")]
    Decompress(#[source] io::Error),
    /// The tar archive is damaged or truncated.
    #[error("read the tar archive")]
    Tar(#[source] io::Error),
    /// Data stand behind the end marker of the tar archive, or the marker is missing.
    #[error("the tar archive does not end after its last entry")]
    Trailing,
    /// Something is larger than it may be.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What: `entry ..`, `the content`, `the file`.
        what: String,
        /// In bytes.
        limit: u64,
    },
    /// An entry ends early.
    #[error("entry `{path}` is truncated")]
    Short {
        /// Which.
        path: String,
    },
    /// An entry is no plain file.
    #[error("entry `{path}` is a link or another special file")]
    EntryType {
        /// Which.
        path: String,
    },
    /// An entry leads out of the archive, or is no place for an object.
    #[error("entry `{path}` has a path that an archive must not have")]
    UnsafePath {
        /// Which.
        path: String,
    },
    /// The first entry is not the manifest.
    #[error("the first entry is not manifest.json")]
    NoManifest,
    /// The manifest is not JSON of the expected form.
    #[error("read manifest.json")]
    Manifest(#[source] serde_json::Error),
    /// The manifest has no version of the format.
    #[error("manifest.json has no version of the format, but `{found}`")]
    NoFormat {
        /// What stands there.
        found: String,
    },
    /// The archive is newer than this program.
    #[error("the archive has format {found}; this version reads up to {supported}: use a newer hallmark")]
    NewerFormat {
        /// Of the archive.
        found: String,
        /// Of this program.
        supported: &'static str,
    },
    /// An entry that the manifest lists is not there.
    #[error("entry `{path}` is missing{}", and_others(*.others))]
    Missing {
        /// The first one.
        path: String,
        /// How many more.
        others: usize,
    },
    /// An entry is there that the manifest does not list.
    #[error("entry `{path}` is not listed in the manifest")]
    Extra {
        /// Which.
        path: String,
    },
    /// An entry is there twice.
    #[error("entry `{path}` stands there twice")]
    Duplicate {
        /// Which.
        path: String,
    },
    /// The content of an entry is not what was written.
    #[error("entry `{path}` has the digest {found} instead of {expected}, or another size")]
    Digest {
        /// Which.
        path: String,
        /// Of the manifest.
        expected: String,
        /// Of the content.
        found: String,
    },
    /// An entry is no JSON.
    #[error("entry `{path}` is no JSON")]
    Object {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// Two parts of the archive contradict each other.
    #[error("{what} is {found}, but the manifest says {expected}")]
    Contradiction {
        /// About what: `the number of agents.example.dev`, `the name in entry ..`.
        what: String,
        /// By the manifest or the path.
        expected: String,
        /// By the content.
        found: String,
    },
}

fn inner(inside: Option<&VerifyError>) -> String {
    inside.map(|inside| format!("; inside, {inside}")).unwrap_or_default()
}

fn and_others(others: usize) -> String {
    if others == 0 { String::new() } else { format!(", and {others} more") }
}

/// Something odd that does not make an archive unusable.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// The object, or what it is about.
    pub about: String,
    /// What is odd, to be read after it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.about, self.message)
    }
}
