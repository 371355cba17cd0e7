//! `AgentRun`: one execution of an agent, the object this controller is about.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent_run_status::AgentRunStatus;
use super::implementation_spec::ImplementationSpecSpec;
use super::shared::{NameRef, SystemPromptRef};
use super::{saturating, schema};

// What is large and often absent is boxed: thousands of runs that have ended stay in memory without it.
/// Which agent does which work on which runtime.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "agents.proompteng.ai",
    version = "v1alpha1",
    kind = "AgentRun",
    plural = "agentruns",
    namespaced,
    status = "AgentRunStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Phase", "type": "string", "jsonPath": ".status.phase"}"#,
    printcolumn = r#"{"name": "Agent", "type": "string", "jsonPath": ".spec.agentRef.name"}"#,
    printcolumn = r#"{"name": "Succeeded", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Succeeded\")].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.reason"}"#,
    printcolumn = r#"{"name": "StartTime", "type": "date", "jsonPath": ".status.startedAt"}"#,
    printcolumn = r#"{"name": "CompletionTime", "type": "date", "jsonPath": ".status.finishedAt"}"#,
    printcolumn = r#"{"name": "Runtime", "type": "string", "jsonPath": ".spec.runtime.type"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.implementation) || has(self.implementationSpecRef)")
        .message("implementation or implementationSpecRef is required"),
    validation = Rule::new("!(has(self.systemPrompt) && has(self.systemPromptRef))")
        .message("systemPrompt and systemPromptRef are mutually exclusive")
)]
pub struct AgentRunSpec {
    /// The `Agent` that does the work.
    pub agent_ref: NameRef,
    /// The work, written inline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implementation: Option<ImplementationRef>,
    /// The work as an `ImplementationSpec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implementation_spec_ref: Option<NameRef>,
    /// The `Memory` to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_ref: Option<NameRef>,
    /// The `VersionControlProvider` to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcs_ref: Option<NameRef>,
    /// Key under which equal runs of an Agent are recognised; with a database only one of them is executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Parameters for templates and the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::parameters")]
    pub parameters: Option<BTreeMap<String, Value>>,
    /// What executes the run.
    pub runtime: Runtime,
    /// Names of Secrets whose keys become environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// System prompt as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub system_prompt: Option<String>,
    /// System prompt in a Secret or `ConfigMap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt_ref: Option<Box<SystemPromptRef>>,
    /// Seconds the finished run is kept.
    #[serde(default, deserialize_with = "saturating::int32", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ttl_seconds_after_finished: Option<i32>,
    /// What the run may do with version control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcs_policy: Option<VcsPolicy>,
    /// Steps of a run with runtime `workflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Workflow>,
    /// Image, resources and volumes of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Box<Workload>>,
}

/// The work, written inline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImplementationRef {
    /// The fields of an `ImplementationSpec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<Box<ImplementationSpecSpec>>,
}

/// What executes a run, and its settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Runtime {
    /// `job`, `workflow`, `temporal` or `custom`.
    #[serde(rename = "type")]
    #[schemars(schema_with = "schema::runtime_type")]
    pub type_: String,
    /// Settings of the runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub config: Option<Value>,
}

/// What a run may do with version control.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VcsPolicy {
    /// `read-write`, `read-only` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::vcs_mode")]
    pub mode: Option<String>,
    /// Whether the run makes no sense without version control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

/// Steps of a workflow run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Workflow {
    /// Steps in the order of their execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<WorkflowStep>>,
}

/// One step of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStep {
    /// Name, unique in the workflow.
    pub name: String,
    /// The work of this step, written inline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implementation: Option<ImplementationRef>,
    /// The work of this step as an `ImplementationSpec`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implementation_spec_ref: Option<NameRef>,
    /// Parameters that win over the run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::parameters")]
    pub parameters: Option<BTreeMap<String, Value>>,
    /// Attempts after the first one.
    #[serde(default, deserialize_with = "saturating::int32", skip_serializing_if = "Option::is_none")]
    pub retries: Option<i32>,
    /// Seconds between attempts.
    #[serde(default, deserialize_with = "saturating::int32", skip_serializing_if = "Option::is_none")]
    pub retry_backoff_seconds: Option<i32>,
    /// Seconds an attempt may take; 0 is unlimited.
    #[serde(default, deserialize_with = "saturating::int32", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub timeout_seconds: Option<i32>,
    /// Replaces the run's workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
}

/// Image, resources and volumes of the container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// Container image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Requests and limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<WorkloadResources>,
    /// Further volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<WorkloadVolume>>,
}

/// Requests and limits, as quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadResources {
    /// What the container is given at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<BTreeMap<String, String>>,
    /// What the container gets at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<BTreeMap<String, String>>,
}

/// One further volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadVolume {
    /// `emptyDir`, `pvc` or `secret`.
    #[serde(rename = "type")]
    #[schemars(schema_with = "schema::volume_type")]
    pub type_: String,
    /// Name of the volume.
    pub name: String,
    /// Absolute path in the container.
    pub mount_path: String,
    /// Claim of a `pvc` volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_name: Option<String>,
    /// Secret of a `secret` volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// Medium of an `emptyDir` volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    /// Size of an `emptyDir` volume, a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_limit: Option<String>,
    /// Whether the mount is read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}
