//! A run is being deleted: its Jobs go first, then the finalizer. `ConfigMap`s follow by garbage collection.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::api::AgentRun;
use crate::decide::metadata::FINALIZER;
use crate::defects::Defect;

use super::context::Context;
use super::error::Error;
use super::jobs;
use super::supervisor::PASSES;

/// Deletes the run's Jobs. The finalizer is removed by the caller once this has succeeded.
pub(super) async fn delete_jobs(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    if Defect::FinalizerBeforeJobs.is_planted() {
        let others: Vec<&String> = run.finalizers().iter().filter(|name| *name != FINALIZER).collect();
        set_finalizers(run, &json!(others), context).await?;
    }
    if !Defect::DeletionLeavesJob.is_planted() {
        jobs::delete_all(run, context).await?;
    }
    if Defect::ForeignFinalizersRemoved.is_planted() {
        set_finalizers(run, &Value::Null, context).await?;
    }
    if Defect::RetentionHoldsUpRuns.is_planted() {
        let _all_others = context.permits.acquire_many(PASSES - 1).await;
        sleep(Duration::from_secs(10)).await;
    }
    context.forget(&run.uid().unwrap_or_default());
    Ok(Action::await_change())
}

/// For the defects that do not leave the finalizers to the caller.
async fn set_finalizers(run: &AgentRun, finalizers: &Value, context: &Context) -> Result<(), Error> {
    let (name, params) = (run.name_any(), PatchParams::default());
    let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    let patched = context.api::<AgentRun>(run).patch(&name, &params, &patch).await;
    patched.map(drop).map_err(|source| Error::Finalizer { run: name, source })
}
