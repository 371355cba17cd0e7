//! `ImplementationSpec`: the work to do, and the parameters it needs.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;
use super::shared::NameRef;

/// A piece of work, written down once and run many times.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "agents.proompteng.ai",
    version = "v1alpha1",
    kind = "ImplementationSpec",
    plural = "implementationspecs",
    namespaced,
    status = "ImplementationSpecStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Source", "type": "string", "jsonPath": ".spec.source.provider"}"#,
    printcolumn = r#"{"name": "Updated", "type": "date", "jsonPath": ".status.syncedAt"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ImplementationSpecSpec {
    /// The work as text.
    #[schemars(length(max = 131_072))]
    pub text: String,
    /// The work in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub summary: Option<String>,
    /// Background of the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 131_072))]
    pub description: Option<String>,
    /// What must hold when the work is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub acceptance_criteria: Option<Vec<String>>,
    /// Labels for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Where the text comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Parameters that a run must bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// The `VersionControlProvider` the work needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcs_ref: Option<NameRef>,
}

/// Where the text of an implementation comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// System the text was taken from.
    #[schemars(schema_with = "schema::source_provider")]
    pub provider: String,
    /// Identity in that system, for github `owner/name#number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Address in that system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Parameters that a run must bring.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// Keys that need a value that is not blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub required_keys: Option<Vec<String>>,
    /// Further names for keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub mappings: Option<Vec<ContractMapping>>,
}

/// Another name for a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContractMapping {
    /// Key that is read.
    #[schemars(length(max = 256))]
    pub from: String,
    /// Key that is set, unless it has a value.
    #[schemars(length(max = 256))]
    pub to: String,
}

/// Status of an `ImplementationSpec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImplementationSpecStatus {
    /// Current conditions, one per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    pub conditions: Vec<Condition>,
    /// Generation that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Time of the last write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// Time of the last synchronisation with the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<Time>,
    /// Version of the source at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
}
