//! Installs the chart's CRDs on a running cluster.

use kube::Client;

use super::error::SubjectError;
use super::helm::Helm;
use super::implementation::Implementation;
use crate::cluster::kinds;

/// Applies the CRDs of the implementation's chart, waits until all are served, and returns their names.
pub async fn apply(
    client: &Client,
    helm: &Helm,
    implementation: &Implementation,
) -> Result<Vec<String>, SubjectError> {
    let crds = helm.crds(&implementation.chart()).await?;
    Ok(kinds::serve(client, &crds).await?)
}
