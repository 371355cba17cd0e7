//! Jobs are played, not run: an admission policy keeps them from getting pods.
//!
//! In a namespace with the label [`LABEL`] the API server refuses every pod that a Job controls. The Job
//! controller then only backs off, and a scenario writes the end of the Job itself. Pods of the subject in
//! the same namespace are not touched, which is why this is a policy and not a quota of zero pods.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::EngineError;
use super::cleanup::MANAGER;

/// The label of namespaces whose Jobs are played.
pub(super) const LABEL: &str = "hallmark.dev/jobs";
/// Its value.
pub(super) const PLAYED: &str = "played";

/// How long the API server may take to act on a new policy.
const ACTIVE: Duration = Duration::from_secs(30);

/// The policy of one run; it is of the cluster and has to be removed from clusters that live on.
pub struct PlayedJobs {
    client: Client,
    name: String,
    run_id: String,
}

impl PlayedJobs {
    /// Installs the policy and waits until it is in force, shown by a pod that is refused.
    pub async fn install(client: &Client, run_id: &str) -> Result<Self, EngineError> {
        let name = format!("hallmark-played-jobs-{run_id}");
        let labels = json!({super::cleanup::RUN_LABEL: run_id});
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                }]},
                "validations": [{
                    "expression": "!has(object.metadata.ownerReferences) || \
                        !object.metadata.ownerReferences.exists(o, o.kind == 'Job')",
                    "message": "Jobs in this namespace are played by hallmark",
                }],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "policyName": name, "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {LABEL: PLAYED, super::cleanup::RUN_LABEL: run_id}}},
            },
        });
        apply::<ValidatingAdmissionPolicy>(client, &name, &policy).await?;
        apply::<ValidatingAdmissionPolicyBinding>(client, &name, &binding).await?;
        let played = Self { client: client.clone(), name, run_id: run_id.to_owned() };
        played.wait_until_active().await?;
        Ok(played)
    }

    /// The labels of namespaces in which it is in force.
    pub fn labels(&self) -> BTreeMap<String, String> {
        [(LABEL, PLAYED), (super::cleanup::RUN_LABEL, self.run_id.as_str())]
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .into()
    }

    /// Tries, without creating anything, to make a pod of a Job until that is refused.
    async fn wait_until_active(&self) -> Result<(), EngineError> {
        let refused = |action| move |source| EngineError::PlayedJobs { action, source: Box::new(source) };
        let probe = format!("hallmark-probe-{}", self.run_id);
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace: Namespace = decode(json!({"metadata": {"name": probe, "labels": self.labels()}}));
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .map_err(refused("create the namespace that probes the admission policy"))?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &probe);
        let pod: Pod = decode(json!({
            "metadata": {
                "name": "probe",
                // A mirror pod needs no service account, which controllers would have to make first.
                "annotations": {"kubernetes.io/config.mirror": "probe"},
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "Job", "name": "probe", "uid": "00000000-0000-0000-0000-000000000000"},
                ],
            },
            "spec": {"nodeName": "probe", "containers": [{"name": "probe", "image": "probe"}]},
        }));
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let deadline = tokio::time::Instant::now() + ACTIVE;
        let mut pause = tokio::time::interval(Duration::from_millis(25));
        while tokio::time::Instant::now() < deadline {
            pause.tick().await;
            match pods.create(&dry_run, &pod).await {
                Err(kube::Error::Api(status)) if status.message.contains("played by hallmark") => {
                    let _best_effort =
                        namespaces.delete(&namespace.name_any(), &DeleteParams::default()).await;
                    return Ok(());
                }
                // The policy is not in force yet.
                Ok(_) | Err(kube::Error::Api(_)) => {}
                Err(source) => return Err(refused("probe the admission policy")(source)),
            }
        }
        Err(EngineError::PlayedJobsInactive(ACTIVE.as_secs()))
    }

    /// Removes the policy.
    pub async fn remove(&self) {
        let parameters = DeleteParams::default();
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(self.client.clone());
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.client.clone());
        let removed = (
            bindings.delete(&self.name, &parameters).await.map(drop),
            policies.delete(&self.name, &parameters).await.map(drop),
        );
        tracing::debug!(?removed, policy = %self.name, "admission policy removed");
    }
}

async fn apply<K>(client: &Client, name: &str, object: &serde_json::Value) -> Result<(), EngineError>
where
    K: kube::Resource<Scope = kube::core::ClusterResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::all(client.clone());
    api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(object)).await.map(drop).map_err(
        |source| EngineError::PlayedJobs { action: "install the admission policy", source: Box::new(source) },
    )
}

/// Objects of this module are constants; a default in place of one that does not decode is refused by the
/// API server with a readable message.
fn decode<K: DeserializeOwned + Default>(value: serde_json::Value) -> K {
    serde_json::from_value(value).unwrap_or_default()
}
