//! `AgentProvider`: the program that a run's container executes and how it is called.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::ObjectStatus;

/// A program and the templates of its arguments, environment and files.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "agents.proompteng.ai",
    version = "v1alpha1",
    kind = "AgentProvider",
    plural = "agentproviders",
    namespaced,
    status = "ObjectStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct AgentProviderSpec {
    /// Program of the container.
    pub binary: String,
    /// Arguments, each a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args_template: Option<Vec<String>>,
    /// Environment; each value is a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_template: Option<BTreeMap<String, String>>,
    /// Files that are mounted into the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_files: Option<Vec<InputFile>>,
    /// Artifacts the program leaves behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_artifacts: Option<Vec<OutputArtifact>>,
}

/// One file to mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputFile {
    /// Absolute path in the container.
    pub path: String,
    /// Content, taken as it is.
    #[serde(default)]
    #[schemars(required)]
    pub content: String,
}

/// One artifact to expect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputArtifact {
    /// Name of the artifact.
    pub name: String,
    /// Path in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Key in the artifact store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Address of the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
