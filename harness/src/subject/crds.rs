//! Installs the chart's CRDs, once per cluster.
//!
//! Helm installs CRDs only with the first release and never updates them; tests of a whole cluster need
//! them before any release and in the chart's present version.

use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};

use super::call::request;
use super::error::SubjectError;
use super::helm::Helm;
use super::implementation::Implementation;

/// How long the API server may take to serve a new kind.
const ESTABLISHED: Duration = Duration::from_secs(30);
/// Field manager of what the harness applies for an install.
const MANAGER: &str = "hallmark-install";

/// Applies the CRDs of the implementation's chart, waits until all are served, and returns their names.
pub async fn apply(
    client: &Client,
    helm: &Helm,
    implementation: &Implementation,
) -> Result<Vec<String>, SubjectError> {
    let crds = helm.crds(&implementation.chart()).await?;
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    try_join_all(crds.iter().map(|crd| apply_one(&api, crd))).await
}

async fn apply_one(
    api: &Api<CustomResourceDefinition>,
    crd: &serde_json::Value,
) -> Result<String, SubjectError> {
    let name = crd.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or_default();
    let parameters = PatchParams::apply(MANAGER).force();
    request(&format!("apply CRD `{name}`"), api.patch(name, &parameters, &Patch::Apply(crd))).await?;
    let action = format!("wait until CRD `{name}` is established");
    let established = await_condition(api.clone(), name, is_crd_established());
    match tokio::time::timeout(ESTABLISHED, established).await {
        Ok(Ok(_crd)) => Ok(name.to_owned()),
        Ok(Err(error)) => {
            Err(SubjectError::Deadline { action, within: ESTABLISHED, last_seen: error.to_string() })
        }
        Err(_elapsed) => {
            let seen = request(&format!("get CRD `{name}`"), api.get(name)).await?;
            let conditions = seen.status.and_then(|status| status.conditions).unwrap_or_default();
            let last_seen =
                conditions.iter().map(|c| format!("{}={}", c.type_, c.status)).collect::<Vec<_>>();
            Err(SubjectError::Deadline { action, within: ESTABLISHED, last_seen: last_seen.join(", ") })
        }
    }
}
