//! `manifest.json`: what a bundle holds, who made it, and the digests that prove it.

use serde::{Deserialize, Serialize};

use crate::archive::{canonical_of, digest, digest_of_manifest};
use crate::backup::Engine;
use crate::event::{Artifact, HostInfo};

/// Version of the format, as written. A newer major version is refused, an older minor one read.
pub const FORMAT: &str = "1.1.0";

/// Folder of what the run left.
pub(super) const RUN_FOLDER: &str = "run";

/// The first entry of a bundle. Unknown fields, which a newer minor version may have, are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of the format.
    pub format: String,
    /// Who wrote it; another version may judge by other rules.
    pub engine: Engine,
    /// The suite.
    pub suite: SuiteRecord,
    /// What was tested.
    pub implementation: ImplementationRecord,
    /// The run.
    pub run: RunRecord,
    /// All other entries, in their order.
    pub entries: Vec<FileRecord>,
    /// SHA-256 of this manifest in canonical form without this field.
    #[serde(default)]
    pub manifest_digest: String,
}

/// The suite of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuiteRecord {
    /// Its name.
    pub name: String,
    /// Its folder in the bundle; files that it names outside of it stand beside it.
    pub root: String,
    /// Its digest, as reports tell it.
    pub digest: String,
}

/// The implementation that a bundle is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImplementationRecord {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its file in the bundle; absent where the cluster itself was tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Digest of its chart, whose files are not in the bundle; empty without one.
    pub chart_digest: String,
    /// Digests of its file, its manifests and its programs; manifests before 1.1 have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
}

/// The run of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Its random name.
    pub id: String,
    /// Version of the API server.
    pub kubernetes: String,
    /// What kind of cluster that was.
    pub distribution: String,
    /// Version of Helm; empty if it was not used.
    pub helm: String,
    /// The machine on which it was made; manifests before 1.1 do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostInfo>,
}

/// An entry of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRecord {
    /// Where it stands.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of the bytes.
    pub sha256: String,
}

impl FileRecord {
    pub(super) fn of(path: &str, content: &[u8]) -> Self {
        Self { path: path.to_owned(), size: content.len() as u64, sha256: digest(content) }
    }
}

impl Manifest {
    /// Fills in the digest of the manifest and returns its canonical bytes.
    pub(super) fn seal(&mut self) -> Result<Vec<u8>, serde_json::Error> {
        self.manifest_digest = digest_of_manifest(&serde_json::to_value(&*self)?);
        canonical_of(self)
    }
}
