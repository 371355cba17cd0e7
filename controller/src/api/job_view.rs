//! The part of a Kubernetes Job that decisions look at.
//!
//! Watching this type instead of the full Job keeps pod templates out of memory: they are skipped
//! while the response is parsed. Jobs are created from the full type, see [`crate::decide::job`].

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};

/// A Job without its pod template.
#[derive(Resource, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[resource(inherit = "Job")]
pub struct JobView {
    /// Name, uid, labels and owners.
    pub metadata: ObjectMeta,
    /// Desired state.
    #[serde(default)]
    pub spec: JobViewSpec,
    /// Observed state.
    #[serde(default)]
    pub status: JobViewStatus,
}

/// The one field of the Job's spec that this controller changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobViewSpec {
    /// Seconds the Job lives after it finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<i32>,
}

/// How far the Job is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobViewStatus {
    /// Conditions of the Job controller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<JobCondition>,
    /// When the Job controller first saw the Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the Job completed; absent for failed Jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// Number of pods that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<i32>,
}
