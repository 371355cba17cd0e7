//! A run is being deleted: its Jobs go first, then the finalizer. `ConfigMap`s follow by garbage collection.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::json;
use tokio::time::sleep;

use crate::api::AgentRun;
use crate::defects::Defect;

use super::context::Context;
use super::error::Error;
use super::jobs;
use super::supervisor::PASSES;

/// Deletes the run's Jobs. The finalizer is removed by the caller once this has succeeded.
pub(super) async fn delete_jobs(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    if !Defect::DeletionLeavesJob.is_planted() {
        jobs::delete_all(run, context).await?;
    }
    if Defect::ForeignFinalizersRemoved.is_planted() {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        let patched =
            context.api::<AgentRun>(run).patch(&run.name_any(), &PatchParams::default(), &patch).await;
        patched.map_err(|source| Error::Finalizer { run: run.name_any(), source })?;
    }
    if Defect::RetentionHoldsUpRuns.is_planted() {
        let _all_others = context.permits.acquire_many(PASSES - 1).await;
        sleep(Duration::from_secs(10)).await;
    }
    context.forget(&run.uid().unwrap_or_default());
    Ok(Action::await_change())
}
