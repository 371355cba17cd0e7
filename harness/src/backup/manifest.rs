//! `manifest.json`: what an archive holds, and the digests that prove it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::defects::Defect;
use super::kind::Kind;
use super::portable::without_rewritten;
use crate::archive::{canonical_of, digest, digest_of_manifest, to_canonical};

/// Version of the format, as written. A newer major version is refused, an older minor one read.
pub const FORMAT: &str = "1.0.0";

/// Entry with the version alone, where Velero has it.
pub(super) const VERSION_FILE: &str = "metadata/version";
/// Entry with the Jobs that were seen.
pub(super) const JOBS_FILE: &str = "evidence/jobs.ndjson";

/// The first entry of an archive. Unknown fields, which a newer minor version may have, are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of the format.
    pub format: String,
    /// Who wrote it.
    pub engine: Engine,
    /// When the cluster was read.
    pub created: Created,
    /// `gitVersion` of the API server.
    pub kubernetes: String,
    /// What was asked for.
    pub scope: Scope,
    /// How consistent the content is.
    pub listing: Listing,
    /// The kinds, in the order of a restore.
    pub kinds: Vec<KindRecord>,
    /// The objects, by path.
    pub entries: Vec<Entry>,
    /// The `CustomResourceDefinition`s, by name.
    pub definitions: Vec<DefinitionRecord>,
    /// Secrets that the objects refer to; their values are in no archive.
    pub required_secrets: Vec<RequiredSecret>,
    /// Objects that were being deleted and are therefore not restored.
    pub terminating: Vec<Terminating>,
    /// Fields that a restore rewrites.
    pub rewritten: Vec<String>,
    /// SHA-256 of a dump of the controller's idempotency store, if one was taken beside the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_store: Option<String>,
    /// The Jobs that were seen.
    pub evidence: EvidenceRecord,
    /// SHA-256 over the sorted paths and digests of the objects without rewritten fields: equal for two
    /// backups of equal state, also before and after a restore.
    pub content_digest: String,
    /// SHA-256 of this manifest in canonical form without this field.
    #[serde(default)]
    pub manifest_digest: String,
}

/// The program that wrote an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// When the cluster was read, by the clock of the machine that did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Before the first request.
    pub started: Timestamp,
    /// After the last answer.
    pub finished: Timestamp,
}

/// What a backup was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// API groups.
    pub groups: Vec<String>,
    /// Namespaces; empty means all.
    pub namespaces: Vec<String>,
    /// Plurals of the run kinds.
    pub last: Vec<String>,
}

/// How the kinds were listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// What is known about the moment that the content shows.
    pub method: Method,
    /// The one revision of all kinds, with [`Method::Exact`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// How often the listing was begun.
    pub attempts: u32,
}

/// What is known about the moment that the content of an archive shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// All kinds at one revision of a datastore that all of them were seen to share.
    Exact,
    /// Two listings in a row were equal, so nothing changed from the end of the first to the begin of the
    /// second.
    DoubleCollect,
    /// Each kind at one moment of its own.
    PerKind,
}

impl Method {
    /// The word of the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::DoubleCollect => "double-collect",
            Self::PerKind => "per-kind",
        }
    }
}

/// A kind and what there is of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KindRecord {
    /// Which.
    pub kind: Kind,
    /// The resourceVersion of its listing; one per namespace if the scope names several.
    pub resource_versions: Vec<String>,
    /// Number of its objects in the archive.
    pub count: usize,
    /// Number of its objects by `status.phase`; those without one are not counted.
    pub phases: BTreeMap<String, usize>,
}

/// One object: its digest, and the identity that a restore cannot give back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Path in the archive.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of the bytes.
    pub sha256: String,
    /// uid in the source.
    pub uid: String,
    /// resourceVersion in the source.
    pub resource_version: String,
    /// Generation in the source, if the kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// creationTimestamp in the source.
    pub creation_timestamp: String,
    /// `status.phase`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

/// A `CustomResourceDefinition`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionRecord {
    /// Its name.
    pub name: String,
    /// SHA-256 of its canonical `spec`.
    pub schema_sha256: String,
    /// `status.storedVersions` in the source.
    pub stored_versions: Vec<String>,
}

/// A Secret that objects of the archive refer to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequiredSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The keys that are named.
    pub keys: Vec<String>,
    /// How many objects refer to it.
    pub referrers: usize,
}

/// An object that was being deleted, or that only such objects own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terminating {
    /// Where it would stand in the archive.
    pub path: String,
    /// Its uid.
    pub uid: String,
    /// Since when; that of its namespace or owner if only they are being deleted, and empty if its owner is gone.
    pub deletion_timestamp: String,
}

/// The entry with the Jobs that were seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceRecord {
    /// Bytes.
    pub size: u64,
    /// Of the bytes.
    pub sha256: String,
    /// Number of Jobs.
    pub jobs: usize,
    /// Why there may be more of them than the entry holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

impl Manifest {
    /// Fills in the digest of the manifest and returns its canonical bytes.
    pub(super) fn seal(&mut self) -> Result<Vec<u8>, serde_json::Error> {
        self.manifest_digest = digest_of_manifest(&serde_json::to_value(&*self)?);
        canonical_of(self)
    }
}

/// The content digest of objects with their paths.
pub(crate) fn content_digest<'a>(objects: impl IntoIterator<Item = (String, &'a Value)>) -> String {
    let counted = |object: &Value| {
        if Defect::RewrittenFieldsCount.is_planted() { object.clone() } else { without_rewritten(object) }
    };
    let mut lines: Vec<String> = objects
        .into_iter()
        .map(|(path, object)| format!("{}  {path}\n", digest(&to_canonical(&counted(object)))))
        .collect();
    // By path: a digest has always the same length.
    lines.sort_unstable_by(|one, other| one.get(64..).cmp(&other.get(64..)));
    digest(lines.concat().as_bytes())
}
