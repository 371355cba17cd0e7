//! `ImplementationSource`: where `ImplementationSpec`s are synchronised from. Nothing acts on it yet.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema;
use super::shared::SecretKeyRef;

/// A system whose items become `ImplementationSpec`s.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "agents.proompteng.ai",
    version = "v1alpha1",
    kind = "ImplementationSource",
    plural = "implementationsources",
    namespaced,
    status = "ImplementationSourceStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Provider", "type": "string", "jsonPath": ".spec.provider"}"#,
    printcolumn = r#"{"name": "LastSync", "type": "date", "jsonPath": ".status.lastSyncedAt"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ImplementationSourceSpec {
    /// System to read from.
    #[schemars(schema_with = "schema::sync_provider")]
    pub provider: String,
    /// Credentials for the system.
    pub auth: SourceAuth,
    /// Which items are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub scope: Option<Value>,
    /// How items become specs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub mapping: Option<Value>,
    /// Push notifications of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// Credentials of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceAuth {
    /// The Secret that holds them.
    pub secret_ref: SecretKeyRef,
}

/// Push notifications.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhook {
    /// Whether they are accepted.
    #[serde(default)]
    pub enabled: bool,
}

/// Status of an `ImplementationSource`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, kube::KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImplementationSourceStatus {
    /// Current conditions, one per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    pub conditions: Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
    /// Generation that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Time of the last synchronisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_synced_at: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>,
}
