//! One pass over one run: the finalizer first, then whatever the run's stage asks for.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, Event, finalizer};
use tokio::time::timeout;
use tracing::warn;

use crate::api::AgentRun;
use crate::decide::metadata::FINALIZER;
use crate::decide::stage::Stage;

use super::context::Context;
use super::error::Error;
use super::{cleanup, follow, submit, ttl};

/// Longest time for a pass. A pass can be cut off anywhere, since the next one starts from the cluster.
const DEADLINE: Duration = Duration::from_secs(30);

/// When a run is looked at again whose cached copy is behind; the watch usually is faster.
const CATCH_UP_POLL: Duration = Duration::from_millis(250);

/// Brings one run forward.
pub(super) async fn reconcile(run: Arc<AgentRun>, context: Arc<Context>) -> Result<Action, Error> {
    if context.is_behind(&run) {
        return Ok(Action::requeue(CATCH_UP_POLL));
    }
    let _permit = context.permits.acquire().await.map_err(|_| Error::Stopping)?;
    let uid = run.uid().unwrap_or_default();
    let name = run.name_any();
    let passed = timeout(DEADLINE, pass(run, &context)).await;
    let action = passed.unwrap_or(Err(Error::Deadline { run: name, deadline: DEADLINE }))?;
    context.backoff.succeeded(&uid);
    Ok(action)
}

/// Decides when a failed pass is repeated.
#[expect(clippy::needless_pass_by_value, reason = "the signature is given by the controller runtime")]
pub(super) fn on_error(run: Arc<AgentRun>, error: &Error, context: Arc<Context>) -> Action {
    let outdated = error.is_outdated();
    let delay = context.backoff.failed(&run.uid().unwrap_or_default(), outdated);
    if !outdated {
        warn!(
            namespace = run.namespace(),
            run = run.name_any(),
            retry_in = ?delay,
            cause = error.cause(),
            "pass failed to {error}"
        );
    }
    Action::requeue(delay)
}

async fn pass(run: Arc<AgentRun>, context: &Context) -> Result<Action, Error> {
    // Decisions need all Jobs; without them an existing one could be taken for missing.
    context.jobs_filled.clone().wait_for(|filled| *filled).await.map_err(|_| Error::Stopping)?;
    let name = run.name_any();
    let api = context.api::<AgentRun>(&run);
    let passed = finalizer(&api, FINALIZER, run, |event| async {
        match event {
            Event::Apply(run) => apply(&run, context).await,
            Event::Cleanup(run) => cleanup::delete_jobs(&run, context).await,
        }
    });
    passed.await.or_else(|error| match error {
        finalizer::Error::ApplyFailed(error) | finalizer::Error::CleanupFailed(error) => Err(error),
        finalizer::Error::AddFinalizer(source) | finalizer::Error::RemoveFinalizer(source) => {
            Err(Error::Finalizer { run: name, source })
        }
        // An object from the API server has a name, and the finalizer's path is a constant.
        finalizer::Error::UnnamedObject | finalizer::Error::InvalidFinalizer => Ok(Action::await_change()),
    })
}

async fn apply(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    match Stage::of(run) {
        // Submitting holds whole objects across its calls; boxed, the other passes stay small.
        Stage::New => Box::pin(submit::submit(run, context)).await,
        Stage::Accepted => follow::follow(run, context).await,
        Stage::Terminal => ttl::heal(run, context).await,
    }
}
