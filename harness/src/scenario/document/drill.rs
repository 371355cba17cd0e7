//! What a drill works with, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::{Located, Node};

/// The runs of a drill, and what they need. Files are relative to the suite's file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DrillDocument {
    /// Chart values of the controller.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub values: Option<Node>,
    /// Dotted path of the chart value that limits how many runs of a namespace are active at the same time;
    /// it makes runs wait.
    pub limit: Located<String>,
    /// Manifests that runs refer to, created in this order.
    #[serde(default)]
    pub objects: Vec<Located<String>>,
    /// The manifest of a run with one Job; each run gets a name of its own.
    pub run: Located<String>,
    /// The manifest of a run of the same kind with several Jobs, one after the other.
    pub workflow: Located<String>,
}
