//! `Agent`: who does the work, with what, and what it may touch.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shared::{EnvEntry, NameRef, ObjectStatus, SystemPromptRef};
use super::{saturating, schema};

/// An agent: a provider with configuration, defaults and an allow list.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "agents.proompteng.ai",
    version = "v1alpha1",
    kind = "Agent",
    plural = "agents",
    namespaced,
    status = "ObjectStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Provider", "type": "string", "jsonPath": ".spec.providerRef.name"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct AgentSpec {
    /// The `AgentProvider` that runs this agent.
    pub provider_ref: NameRef,
    /// Free-form configuration for templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub config: Option<Value>,
    /// Names and values for templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<EnvEntry>>,
    /// The `Memory` of runs that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_ref: Option<NameRef>,
    /// The `VersionControlProvider` of runs that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcs_ref: Option<NameRef>,
    /// What runs of this agent may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<AgentSecurity>,
    /// Values for runs that set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<AgentDefaults>,
}

/// Allow lists; an empty list allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentSecurity {
    /// Names of Secrets that runs may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_secrets: Option<Vec<String>>,
    /// Names of service accounts that runs may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_service_accounts: Option<Vec<String>>,
}

/// Values for runs that set none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.systemPrompt) && has(self.systemPromptRef))")
        .message("systemPrompt and systemPromptRef are mutually exclusive")
)]
pub struct AgentDefaults {
    /// Attempts after the first one; without effect on Jobs.
    #[serde(default, deserialize_with = "saturating::int32", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub retry_limit: Option<i32>,
    /// Seconds a run may take; without effect on Jobs.
    #[serde(default, deserialize_with = "saturating::int32", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub timeout_seconds: Option<i32>,
    /// System prompt as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub system_prompt: Option<String>,
    /// System prompt in a Secret or `ConfigMap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt_ref: Option<SystemPromptRef>,
}
