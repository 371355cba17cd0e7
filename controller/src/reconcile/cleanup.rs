//! A run is being deleted: its Jobs go first, then the finalizer. `ConfigMap`s follow by garbage collection.

use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::api::AgentRun;

use super::context::Context;
use super::error::Error;
use super::jobs;

/// Deletes the run's Jobs. The finalizer is removed by the caller once this has succeeded.
pub(super) async fn delete_jobs(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    jobs::delete_all(run, context).await?;
    context.forget(&run.uid().unwrap_or_default());
    Ok(Action::await_change())
}
