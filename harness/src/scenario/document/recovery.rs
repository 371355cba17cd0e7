//! Steps about backup and restore as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::backup::Profile;
use crate::yaml::{Located, Node};

/// Takes an archive of the scenario's namespace. A backup that sends a write fails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BackupDocument {
    /// The name of the archive for later steps.
    #[serde(rename = "as")]
    pub alias: String,
    /// The archive has the content of this one, taken before.
    #[serde(default)]
    pub equals: Option<Located<String>>,
    /// API groups whose kinds are archived; those of the kinds that the suite knows unless told.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub groups: Option<Node>,
    /// Objects per request of a list; 500 unless told.
    #[serde(default)]
    pub page: Option<Located<u32>>,
    /// So many processes of the `hallmark` command take it, too, and are killed with SIGKILL at moments from
    /// the beginning of their work to its end. Each must leave nothing that can be verified, or all of it.
    #[serde(default)]
    pub killed: Option<Located<u32>>,
}

/// Damages an archive, as a disk or a transfer would, or changes it as somebody might.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DamageDocument {
    /// Which archive.
    pub archive: Located<String>,
    /// What happens to it.
    pub how: Located<Damage>,
    /// Where, as a share of its length from 0 to 1; for a bit and for a truncated file.
    #[serde(default)]
    pub at: Option<Located<f64>>,
    /// The version of the format that it has afterwards; for `otherFormat`.
    #[serde(default)]
    pub format: Option<Located<String>>,
}

/// What happens to an archive. Whatever is done to its entries, it is cleanly packed again with a fitting
/// digest of the file, unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Damage {
    /// One bit has the other value.
    FlippedBit,
    /// Everything behind is missing.
    Truncated,
    /// The last object of a namespace is missing.
    MissingEntry,
    /// An object is there that the manifest does not list.
    ExtraEntry,
    /// The last object of a namespace stands there twice.
    DuplicateEntry,
    /// An entry has a path that leads out of the archive.
    ClimbingPath,
    /// An entry is a symbolic link.
    Link,
    /// An entry claims to be larger than any object can be.
    OversizeEntry,
    /// The last object of a namespace is another one and every digest within fits it, but the digest of the file is the old
    /// one.
    EditedEntry,
    /// It is of another version of the format.
    OtherFormat,
}

/// Verifies an archive without a cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VerifyDocument {
    /// Which archive.
    pub archive: Located<String>,
    /// It must be refused, with a message that this regular expression finds something in.
    #[serde(default)]
    pub fails: Option<Located<String>>,
    /// There is a warning that this regular expression finds something in.
    #[serde(default)]
    pub warns: Option<Located<String>>,
    /// A part of its manifest, see "Matching".
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub matches: Option<Node>,
    /// Texts that stand nowhere in it.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// It holds every object of the namespace that the custom kinds of the suite had at its revision, as the
    /// watches delivered them, and no other.
    #[serde(default)]
    pub as_recorded: bool,
}

/// Restores an archive into the scenario's namespace.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the step")]
pub struct RestoreDocument {
    /// Which archive.
    pub archive: Located<String>,
    /// The tool whose restore is played, see [profiles](backup.md#profiles). Others than this engine's own look neither
    /// for a controller nor for a hold, and leave out objects whose names are taken.
    #[serde(default)]
    pub profile: Profile,
    /// Leave out objects whose names are taken, instead of restoring nothing; there must be some.
    #[serde(default)]
    pub skip_existing: bool,
    /// Restore no definitions: those that are missing are an obstacle.
    #[serde(default)]
    pub without_definitions: bool,
    /// Restore although Secrets are missing that objects need.
    #[serde(default)]
    pub without_secrets: bool,
    /// Look for no controller, as by the word of somebody who knows that none runs. So it is anyway in scenarios with
    /// `subject: none`.
    #[serde(default)]
    pub assume_no_controller: bool,
    /// Everything can be restored, and no request that changes something is sent.
    #[serde(default)]
    pub dry_run: bool,
    /// Everything is there already, and no request that changes something is sent.
    #[serde(default)]
    pub unchanged: bool,
    /// It must be refused before anything is written, with a message that this regular expression finds
    /// something in.
    #[serde(default)]
    pub fails: Option<Located<String>>,
    /// It must restore everything but some objects, and name them and the reasons in a text that this regular
    /// expression finds something in.
    #[serde(default)]
    pub partially: Option<Located<String>>,
    /// It is killed on its way.
    #[serde(default)]
    pub killed: Option<KilledDocument>,
    /// Right after this one of its writes, counted from 1, the API server is killed with SIGKILL, before anybody gets
    /// the answer, and started again. The restore must go on and restore everything. Only with
    /// `given: {cluster: own}`.
    #[serde(default)]
    pub api_server_dies_after_write: Option<Located<u32>>,
    /// So many more restores of the same archive begin at the same time. All but one must be refused because
    /// another one runs.
    #[serde(default)]
    pub rivals: Option<Located<u32>>,
}

/// How a restore is killed: by the API server's view like SIGKILL, after which nothing more is asked. Exactly
/// one of both.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KilledDocument {
    /// Once, right after this one of its writes, counted from 1; its lock is left behind.
    #[serde(default)]
    pub after_write: Option<Located<u32>>,
    /// Right after its first write, and then again and again when it goes on, until nothing is left to be
    /// written; at least so many times. Every second time it is told that the write was done, and killed before
    /// the API server sees the next one.
    #[serde(default)]
    pub times: Option<Located<u32>>,
}

/// Changes that never end: objects are created, changed and deleted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ChurnDocument {
    /// Manifests, relative to the scenario's file. Again and again one object of each is created in this
    /// order, changed, and later deleted the other way round; a number is appended to their names.
    pub files: Vec<Located<String>>,
    /// Pause between two writes.
    pub every: Located<String>,
}
