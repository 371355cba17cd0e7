//! Releases that begin with one version of an implementation and are taken to the next.
//!
//! CRDs belong to the whole cluster and Helm never upgrades them, so they are applied here as a runbook
//! would: those of the new version before the release is upgraded, and left as they are by a rollback.

use std::sync::Arc;

use super::context::SubjectContext;
use super::crds;
use super::error::SubjectError;

/// The context of the version with which a release begins, its CRDs applied.
pub(super) async fn first(context: &SubjectContext) -> Result<SubjectContext, SubjectError> {
    let first = SubjectContext { implementation: context.implementation.first(), ..context.clone() };
    define(context, &first).await?;
    Ok(first)
}

/// The context of the version that an upgrade takes, its CRDs applied.
pub(super) async fn next(
    present: &SubjectContext,
    newest: &SubjectContext,
) -> Result<SubjectContext, SubjectError> {
    if !Arc::ptr_eq(&present.implementation, &newest.implementation) {
        define(present, newest).await?;
    }
    Ok(newest.clone())
}

/// Applies the CRDs of a version, unless those of the other one are the same.
async fn define(other: &SubjectContext, version: &SubjectContext) -> Result<(), SubjectError> {
    if Arc::ptr_eq(&other.implementation, &version.implementation) {
        return Ok(());
    }
    let before = crds::of(&other.implementation, other.helm.as_ref()).await?;
    let after = crds::of(&version.implementation, version.helm.as_ref()).await?;
    if before != after {
        crds::apply(version).await?;
    }
    Ok(())
}
