//! Steps about backup and restore as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::backup::Profile;
use crate::yaml::Located;

/// Takes an archive of the scenario's namespace.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BackupDocument {
    /// The name of the archive for later steps.
    #[serde(rename = "as")]
    pub alias: String,
    /// The archive has the content of this one, taken before.
    #[serde(default)]
    pub equals: Option<Located<String>>,
}

/// Damages an archive, as a disk or a transfer would.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DamageDocument {
    /// Which archive.
    pub archive: Located<String>,
    /// What happens to it.
    pub how: Damage,
    /// Where, as a share of its length from 0 to 1.
    pub at: Located<f64>,
}

/// What happens to the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Damage {
    /// One bit has the other value.
    FlippedBit,
    /// Everything behind is missing.
    Truncated,
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
}

/// Restores an archive into the scenario's namespace.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RestoreDocument {
    /// Which archive.
    pub archive: Located<String>,
    /// The tool whose restore is played; this engine's own unless told. Others look neither for a controller nor
    /// for a hold, and leave out objects whose names are taken.
    #[serde(default)]
    pub profile: Profile,
    /// Leave out objects whose names are taken, instead of restoring nothing.
    #[serde(default)]
    pub skip_existing: bool,
    /// It must find everything there already, and write nothing.
    #[serde(default)]
    pub unchanged: bool,
    /// It must be refused before anything is written, with a message that this regular expression finds
    /// something in.
    #[serde(default)]
    pub fails: Option<Located<String>>,
}
