//! Installs the implementation's CRDs on a running cluster.

use serde_json::Value;

use super::bundle::is_crd;
use super::context::SubjectContext;
use super::error::SubjectError;
use super::helm::Helm;
use super::implementation::Implementation;
use crate::cluster::kinds;

/// The CRDs that the implementation brings, by its chart or its manifests.
pub async fn of(implementation: &Implementation, helm: Option<&Helm>) -> Result<Vec<Value>, SubjectError> {
    match (helm, implementation.chart()) {
        (Some(helm), Some(chart)) => Ok(helm.crds(&chart).await?),
        _ => Ok(implementation.objects.iter().filter(|object| is_crd(object)).cloned().collect()),
    }
}

/// Applies the CRDs of the implementation, waits until all are served, and returns their names.
pub async fn apply(context: &SubjectContext) -> Result<Vec<String>, SubjectError> {
    let crds = of(&context.implementation, context.helm.as_ref()).await?;
    Ok(kinds::serve(&context.client, &crds).await?)
}
