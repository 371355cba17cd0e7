//! Defaults for the pods of runs.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, LocalObjectReference, PodSecurityContext, Toleration, TopologySpreadConstraint,
};

use super::env::EnvReader;
use crate::decide::ttl::TtlDefault;

/// What a run's pod gets when the run says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunnerDefaults {
    /// `JANGAR_AGENT_RUNNER_IMAGE`.
    pub runner_image: Option<String>,
    /// `JANGAR_AGENT_IMAGE`, the second choice.
    pub agent_image: Option<String>,
    /// Seconds a finished Job lives, or `None` when the TTL is switched off.
    pub job_ttl: TtlDefault,
    /// Retries of a Job's pod.
    pub backoff_limit: i32,
    /// Seconds the runner keeps its logs.
    pub log_retention_seconds: i64,
    /// Service account of the pod.
    pub service_account: Option<String>,
    /// Node labels the pod needs.
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints the pod tolerates.
    pub tolerations: Option<Vec<Toleration>>,
    /// How pods spread.
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    /// Where the pod likes to be.
    pub affinity: Option<Affinity>,
    /// Security settings of the pod.
    pub pod_security_context: Option<PodSecurityContext>,
    /// Credentials for image registries.
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Priority class of the pod.
    pub priority_class: Option<String>,
    /// Scheduler of the pod.
    pub scheduler_name: Option<String>,
}

impl RunnerDefaults {
    /// Reads the `JANGAR_AGENT_RUNNER_*` variables.
    pub(super) fn read(env: &mut EnvReader) -> Self {
        let job_ttl = TtlDefault::from_env(env.text("JANGAR_AGENT_RUNNER_JOB_TTL_SECONDS").as_deref());
        if let Some(problem) = job_ttl.problem("JANGAR_AGENT_RUNNER_JOB_TTL_SECONDS") {
            env.warnings.push(problem);
        }
        let backoff_limit = env.integer("JANGAR_AGENT_RUNNER_BACKOFF_LIMIT", 0, 0);
        Self {
            runner_image: env.text("JANGAR_AGENT_RUNNER_IMAGE"),
            agent_image: env.text("JANGAR_AGENT_IMAGE"),
            job_ttl,
            backoff_limit: i32::try_from(backoff_limit).unwrap_or(i32::MAX),
            log_retention_seconds: env.integer("JANGAR_AGENT_RUNNER_LOG_RETENTION_SECONDS", 604_800, 0),
            service_account: env.text("JANGAR_AGENT_RUNNER_SERVICE_ACCOUNT"),
            node_selector: env.json("JANGAR_AGENT_RUNNER_NODE_SELECTOR", "a map of labels"),
            tolerations: env.json("JANGAR_AGENT_RUNNER_TOLERATIONS", "a list of tolerations"),
            topology_spread_constraints: env
                .json("JANGAR_AGENT_RUNNER_TOPOLOGY_SPREAD_CONSTRAINTS", "a list of constraints"),
            affinity: env.json("JANGAR_AGENT_RUNNER_AFFINITY", "an affinity"),
            pod_security_context: env
                .json("JANGAR_AGENT_RUNNER_POD_SECURITY_CONTEXT", "a pod security context"),
            image_pull_secrets: env
                .json("JANGAR_AGENT_RUNNER_IMAGE_PULL_SECRETS", "a list of objects with a name"),
            priority_class: env.text("JANGAR_AGENT_RUNNER_PRIORITY_CLASS"),
            scheduler_name: env.text("JANGAR_AGENT_RUNNER_SCHEDULER_NAME"),
        }
    }
}
