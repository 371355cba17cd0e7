//! What a suite says, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DrillDocument, InvariantDocument, Metadata};
use crate::yaml::{Located, Node};

/// A suite: what all scenarios of a folder have in common.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "Suite")]
pub struct SuiteDocument {
    /// `hallmark.dev/v1alpha1`.
    pub api_version: Located<String>,
    /// `Suite`.
    pub kind: Located<String>,
    /// Name and labels.
    pub metadata: Metadata,
    /// The suite itself.
    pub spec: SuiteSpec,
}

/// What a suite says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SuiteSpec {
    /// The requirement catalogue, relative to the suite's file.
    pub requirements: Located<String>,
    /// The record of which scenarios prove which requirements, relative to the suite's file; `hallmark coverage`
    /// tells what differs from it.
    #[serde(default)]
    pub proofs: Option<Located<String>>,
    /// The implementation under test unless the command line names another one.
    #[serde(default)]
    pub implementation: Option<Located<String>>,
    /// How settings are named as environment variables, relative to the suite's file; needed for
    /// implementations without a chart.
    #[serde(default)]
    pub settings: Option<Located<String>>,
    /// How "the controller has processed everything up to now" is recognised.
    #[serde(default)]
    pub fence: Option<FenceDocument>,
    /// What `hallmark drill` fills a cluster with before it destroys it.
    #[serde(default)]
    pub drill: Option<DrillDocument>,
    /// What has to be true of the whole history of every case with a controller.
    #[serde(default)]
    #[schemars(with = "Vec<InvariantDocument>")]
    pub invariants: Vec<Node>,
}

/// A sentinel object that the controller must process.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FenceDocument {
    /// The manifest of the sentinel, relative to the suite's file; its name is made unique.
    pub file: Located<String>,
    /// The part of the object that shows that the controller processed it.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub matches: Node,
}
