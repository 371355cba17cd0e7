//! `VersionControlProvider`: how repositories are reached. Nothing acts on it yet.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema;
use super::shared::{ObjectStatus, SecretKeyRef};

/// A version control system and the way to use it.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "agents.proompteng.ai",
    version = "v1alpha1",
    kind = "VersionControlProvider",
    plural = "versioncontrolproviders",
    namespaced,
    status = "ObjectStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Provider", "type": "string", "jsonPath": ".spec.provider"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct VersionControlProviderSpec {
    /// Kind of system.
    #[schemars(schema_with = "schema::vcs_provider")]
    pub provider: String,
    /// Base address of its API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_base_url: Option<String>,
    /// Base address for clones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clone_base_url: Option<String>,
    /// Base address of its pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_base_url: Option<String>,
    /// How repositories are cloned.
    #[serde(default, rename = "clone", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub clone_settings: Option<Value>,
    /// How the system is logged in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<VcsAuth>,
    /// Which repositories may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub repository_policy: Option<Value>,
    /// What the system can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub capabilities: Option<Value>,
    /// Values for runs that set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub defaults: Option<Value>,
}

/// How a version control system is logged in to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VcsAuth {
    /// Method of authentication.
    #[schemars(schema_with = "schema::vcs_auth_method")]
    pub method: String,
    /// The Secret that holds the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyRef>,
}
