//! Steps that act on objects, as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ResourceDocument;
use crate::yaml::{Located, Node};

/// An object to be created.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ManifestDocument {
    /// A manifest, relative to the scenario's file.
    pub file: Located<String>,
    /// The alias for later steps; `metadata.name` unless told.
    #[serde(rename = "as", default)]
    pub alias: Option<Located<String>>,
    /// Values by path, put into the manifest; `{$absent: true}` removes the path.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub set: Option<Node>,
    /// The API server must refuse the object, with a message that this regular expression finds something in.
    #[serde(default)]
    pub refused: Option<Located<String>>,
    /// That many objects, one after the other; `-1` to `-N` is appended to name and alias, padded with
    /// zeros to equal length, and `${{ index }}` is the number.
    #[serde(default)]
    pub count: Option<Located<usize>>,
}

/// An object to be applied.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ApplyDocument {
    /// A manifest, relative to the scenario's file.
    pub file: Located<String>,
    /// The alias for later steps; `metadata.name` unless told.
    #[serde(rename = "as", default)]
    pub alias: Option<Located<String>>,
    /// Values by path, put into the manifest; `{$absent: true}` removes the path.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub set: Option<Node>,
    /// The field manager; `hallmark-scenario` unless told.
    #[serde(default)]
    pub field_manager: Option<String>,
    /// Fields are taken over from other managers.
    #[serde(default)]
    pub force: bool,
}

/// A patch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PatchDocument {
    /// The object known by this alias.
    #[serde(default)]
    pub object: Option<Located<String>>,
    /// The Job of an object.
    #[serde(default)]
    pub job: Option<OwnedDocument>,
    /// The `ConfigMap` of an object.
    #[serde(default)]
    pub config_map: Option<OwnedDocument>,
    /// An object of any kind.
    #[serde(default)]
    pub resource: Option<ResourceDocument>,
    /// `status` patches the status subresource.
    #[serde(default)]
    pub subresource: Option<Located<Subresource>>,
    /// The JSON merge patch.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub merge: Node,
    /// The API server must refuse it, with a message that this regular expression finds something in.
    #[serde(default)]
    pub refused: Option<Located<String>>,
}

/// A subresource that can be patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Subresource {
    /// `/status`.
    Status,
}

/// What becomes of the objects that a deleted one owns (Kubernetes' propagation policy).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    #[default]
    Background,
    /// They are deleted first; until then the object waits.
    Foreground,
    /// They stay.
    Orphan,
}

/// Deletes one object, named in exactly one way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeleteDocument {
    /// What becomes of the objects that it owns.
    #[serde(default)]
    pub propagation: Propagation,
    /// The object known by this alias.
    #[serde(default)]
    pub object: Option<Located<String>>,
    /// The Job of an object.
    #[serde(default)]
    pub job: Option<OwnedDocument>,
    /// The `ConfigMap` of an object.
    #[serde(default)]
    pub config_map: Option<OwnedDocument>,
    /// An object of any kind.
    #[serde(default)]
    pub resource: Option<ResourceDocument>,
}

/// Objects that belong to another one by their controller owner references, directly or through others.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OwnedDocument {
    /// Alias of the owner.
    #[serde(default)]
    pub of: Option<Located<String>>,
    /// Only the object of this name.
    #[serde(default)]
    pub name: Option<String>,
    /// Only objects with these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// The end of a Job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FinishDocument {
    /// Which Job.
    pub job: OwnedDocument,
    /// How it ends.
    pub outcome: Outcome,
    /// Reason of the terminal condition.
    #[serde(default)]
    pub reason: Option<String>,
    /// Message of the terminal condition.
    #[serde(default)]
    pub message: Option<String>,
    /// How long ago it ended, but not before its start; now unless told.
    #[serde(default)]
    pub ago: Option<Located<String>>,
    /// `false` leaves `status.failed` out; `true` unless told.
    #[serde(default)]
    pub counted: Option<bool>,
}

/// The end of every Job of a selection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PlayDocument {
    /// Which Jobs, those that are there and those that will be.
    pub job: OwnedDocument,
    /// How each of them ends.
    pub outcome: Outcome,
    /// Reason of the terminal condition.
    #[serde(default)]
    pub reason: Option<String>,
    /// Message of the terminal condition.
    #[serde(default)]
    pub message: Option<String>,
    /// How long after its appearance each Job ends; at once unless told.
    #[serde(default)]
    pub after: Option<Located<String>>,
}

/// How a Job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// With the condition Complete.
    Succeeded,
    /// With the condition Failed.
    Failed,
}
