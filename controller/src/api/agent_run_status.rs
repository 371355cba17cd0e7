//! Status of an `AgentRun`: everything the controller and the runner report about it.
//!
//! A status is replaced as a whole when it is written, and a later version of the controller may have put
//! more into it than this one knows. That is kept in [`Unknown`] and written back as it was.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{saturating, schema};

/// Fields that a later version of this API has, as they were read. They are no part of the schema.
pub type Unknown = BTreeMap<String, Value>;

/// What became of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentRunStatus {
    /// Pending, Running, Succeeded, Failed or Cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Reason of the condition that matches the phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Generation at the last write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The run's own uid at the last write; another one means the object was restored.
    #[serde(default, rename = "observedUID", skip_serializing_if = "Option::is_none")]
    pub observed_uid: Option<String>,
    /// Start of the Job, or of the submission while that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// End of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Time of the last write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// Current conditions, one per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    pub conditions: Vec<Condition>,
    /// The object that executes the run: type, name, namespace, uid, jobObservedAt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_form")]
    pub runtime_ref: Option<Value>,
    /// Hex SHA-256 of the accepted spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<String>,
    /// Hex SHA-256 of the effective system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt_hash: Option<String>,
    /// Required and missing parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Box<ContractStatus>>,
    /// Repository and branches of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcs: Option<Box<VcsStatus>>,
    /// What the run left behind; written by the runner's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub artifacts: Option<Vec<Artifact>>,
    /// Progress of a workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Box<WorkflowStatus>>,
    /// What else was there.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: Unknown,
}

/// Required and missing parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractStatus {
    /// Keys the contract asks for.
    #[serde(default)]
    pub required_keys: Vec<String>,
    /// Those of them without a value.
    #[serde(default)]
    pub missing_keys: Vec<String>,
    /// What else was there.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: Unknown,
}

/// Repository and branches of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VcsStatus {
    /// Kind of version control system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Repository as `owner/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Branch the work starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// Branch the work goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_branch: Option<String>,
    /// What the run may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// What else was there.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: Unknown,
}

/// Something a run left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
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
    #[schemars(length(max = 2048))]
    pub url: Option<String>,
    /// What else was there.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: Unknown,
}

/// Progress of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStatus {
    /// Pending, Running, Succeeded or Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// When the phase changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// The steps in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<WorkflowStepStatus>>,
    /// What else was there.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: Unknown,
}

/// Progress of one step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStepStatus {
    /// Name of the step.
    pub name: String,
    /// Pending, Running, Retrying, Succeeded or Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Number of the current attempt, from 1.
    #[serde(default, deserialize_with = "saturating::int32", skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// Start of the current attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// End of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// When the phase changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// When the next attempt is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_retry_at: Option<Time>,
    /// When the Job of the attempt was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_observed_at: Option<Time>,
    /// What happened, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The Job of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_ref: Option<JobRef>,
    /// What else was there.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: Unknown,
}

/// Identity of a Job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobRef {
    /// Name of the Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace of the Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Uid of the Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}
