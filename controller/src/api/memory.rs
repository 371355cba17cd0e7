//! `Memory`: a store that agents may use. Runs refer to it; no connection is checked.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;
use super::shared::{ObjectStatus, SecretKeyRef};

/// A store and the Secret that opens it.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "agents.proompteng.ai",
    version = "v1alpha1",
    kind = "Memory",
    plural = "memories",
    namespaced,
    status = "ObjectStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Type", "type": "string", "jsonPath": ".spec.type"}"#,
    printcolumn = r#"{"name": "Default", "type": "boolean", "jsonPath": ".spec.default"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct MemorySpec {
    /// Kind of store.
    #[serde(rename = "type")]
    #[schemars(schema_with = "schema::memory_type")]
    pub type_: String,
    /// How the store is reached.
    pub connection: MemoryConnection,
    /// Whether runs that name no Memory use this one.
    #[serde(default)]
    pub default: bool,
    /// What the store can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
}

/// How a store is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryConnection {
    /// The Secret with the connection.
    pub secret_ref: SecretKeyRef,
}
