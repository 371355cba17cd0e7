//! Serving the kinds of a chart's CRDs.
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
use serde_json::Value;

use super::ClusterError;

/// How long the API server may take to serve a new kind.
const ESTABLISHED: Duration = Duration::from_secs(30);
/// Field manager of what the harness applies for an install.
const MANAGER: &str = "hallmark-install";

/// Applies CRDs, waits until all of them are served, and returns their names.
pub async fn serve(client: &Client, crds: &[Value]) -> Result<Vec<String>, ClusterError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    try_join_all(crds.iter().map(|crd| serve_one(&api, crd))).await
}

async fn serve_one(api: &Api<CustomResourceDefinition>, crd: &Value) -> Result<String, ClusterError> {
    let name = crd.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let failed = |source| ClusterError::Kind { name: name.to_owned(), source: Box::new(source) };
    let served = async {
        let parameters = PatchParams::apply(MANAGER).force();
        api.patch(name, &parameters, &Patch::Apply(crd)).await.map_err(failed)?;
        let established = await_condition(api.clone(), name, is_crd_established()).await;
        established.map(drop).map_err(|error| not_served(name, error.to_string()))
    };
    match tokio::time::timeout(ESTABLISHED, served).await {
        Ok(served) => served.map(|()| name.to_owned()),
        Err(_elapsed) => {
            let seen = api.get(name).await.map_err(failed)?;
            let conditions = seen.status.and_then(|status| status.conditions).unwrap_or_default();
            let last: Vec<String> = conditions.iter().map(|c| format!("{}={}", c.type_, c.status)).collect();
            Err(not_served(name, last.join(", ")))
        }
    }
}

fn not_served(name: &str, last: String) -> ClusterError {
    ClusterError::NotReady { what: format!("CRD `{name}` was not established"), waited: ESTABLISHED, last }
}
