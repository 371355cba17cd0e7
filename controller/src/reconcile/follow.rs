//! A run with a Job: watch the spec, watch the Job, and write down how it ended.

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::api::{AgentRun, JobView};
use crate::config::InFlightPolicy;
use crate::decide::names::Part;
use crate::decide::outcome::Outcome;
use crate::decide::restored::is_restored;
use crate::decide::status::{Draft, Failure, phase, reason};
use crate::decide::{spec_hash, text, validate};
use crate::defects::{self, Defect};

use super::context::Context;
use super::error::Error;
use super::status::write;
use super::{jobs, submit, ttl, workflow};

const EDITED: &str = "the spec was changed after the run was accepted";

/// Brings an accepted run forward.
pub(super) async fn follow(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    let mut draft = Draft::of(run, Timestamp::now());
    if is_edited(run) {
        if context.settings.immutability_enforced {
            return violated(run, draft, context).await;
        }
        draft.condition(reason::WARNING, true, reason::SPEC_IMMUTABLE_VIOLATION, EDITED);
    } else {
        draft.settle_warning(reason::SPEC_IMMUTABLE_VIOLATION);
    }
    // Looked at before the Job, whose end may not hide that the run has to fail.
    if draft.limit_artifacts(&context.settings).has_ended() {
        jobs::delete_active(run, context).await?;
        write(run, draft, context).await?;
        return Ok(Action::await_change());
    }
    if validate::is_workflow(run) {
        return Box::pin(workflow::follow(run, draft, context)).await;
    }
    let name = recorded_name(run);
    let found = jobs::find(run, &name, |job| is_recorded(run, job), context).await?;
    match found.job {
        Some(job) => with_job(run, &job, draft, found.look_again, context).await,
        None => without_job(run, &name, draft, context).await,
    }
}

/// Ends a run whose spec is no more the one that it was started from.
pub(super) async fn violated(
    run: &AgentRun,
    mut draft: Draft<'_>,
    context: &Context,
) -> Result<Action, Error> {
    jobs::delete_all(run, context).await?;
    draft.failed(Failure::Failed, reason::SPEC_IMMUTABLE_VIOLATION, EDITED, None);
    write(run, draft, context).await?;
    Ok(Action::await_change())
}

async fn with_job(
    run: &AgentRun,
    job: &JobView,
    mut draft: Draft<'_>,
    look_again: Duration,
    context: &Context,
) -> Result<Action, Error> {
    let uid = run.uid().unwrap_or_default();
    if Defect::RestartLosesRuns.is_planted() && !defects::was_accepted_here(&uid) {
        return without_job(run, &recorded_name(run), draft, context).await;
    }
    if Defect::RestartRepeatsRuns.is_planted() && !defects::was_accepted_here(&uid) {
        jobs::delete_all(run, context).await?;
        return Box::pin(submit::again(run, context)).await;
    }
    context.not_missing(&uid);
    draft.running(job);
    let is_running = run.status.as_ref().and_then(|status| status.phase.as_deref()) == Some(phase::RUNNING);
    if !is_running {
        // Every run is seen running before it ends; the write brings the next pass.
        write(run, draft, context).await?;
        return Ok(Action::requeue(look_again));
    }
    let outcome = Outcome::of(job);
    if outcome.is_finished() && Defect::TtlBeforeStatus.is_planted() {
        ttl::set(run, job, context).await?;
    }
    draft.outcome(&outcome);
    write(run, draft, context).await?;
    if outcome.is_finished() {
        ttl::set(run, job, context).await?;
        return Ok(Action::await_change());
    }
    Ok(Action::requeue(look_again))
}

async fn without_job(
    run: &AgentRun,
    name: &str,
    mut draft: Draft<'_>,
    context: &Context,
) -> Result<Action, Error> {
    let uid = run.uid().unwrap_or_default();
    let missing = context.missing_for(&uid);
    let grace = context.settings.job_missing_grace;
    if let Some(left) = grace.checked_sub(missing).filter(|left| !left.is_zero()) {
        return Ok(Action::requeue(left));
    }
    if Defect::VanishedJobIsAwaited.is_planted() {
        return Ok(Action::await_change());
    }
    if is_restored(run) {
        return match context.settings.restore.in_flight {
            InFlightPolicy::Retry => Box::pin(submit::again(run, context)).await,
            InFlightPolicy::Fail => lost_in_restore(run, draft, context).await,
        };
    }
    if Defect::VanishedJobIsMadeAgain.is_planted() {
        return Box::pin(submit::again(run, context)).await;
    }
    if Defect::PhaseGoesBack.is_planted() {
        draft.pending_again();
        write(run, draft, context).await?;
        return Ok(Action::requeue(jobs::UNWATCHED_POLL));
    }
    let message = format!("Job {name:?} of this run does not exist any more");
    draft.failed(Failure::Failed, reason::JOB_MISSING, &message, None);
    write(run, draft, context).await?;
    context.not_missing(&uid);
    Ok(Action::await_change())
}

/// Ends a restored run whose Job was lost with the cluster it ran in.
pub(super) async fn lost_in_restore(
    run: &AgentRun,
    mut draft: Draft<'_>,
    context: &Context,
) -> Result<Action, Error> {
    if Defect::LostRunsAreRepeated.is_planted() {
        return Box::pin(submit::again(run, context)).await;
    }
    let message = "the run was in flight when it was backed up, and its Job was lost; it is not executed \
                   again, as what it did may still be there";
    draft.failed(Failure::Failed, reason::RUNTIME_LOST_IN_RESTORE, message, None);
    write(run, draft, context).await?;
    context.not_missing(&run.uid().unwrap_or_default());
    Ok(Action::await_change())
}

fn is_edited(run: &AgentRun) -> bool {
    let stored = run.status.as_ref().and_then(|status| text::given(status.spec_hash.as_ref()));
    stored.is_some_and(|stored| stored != spec_hash::compute(&run.spec))
        && !Defect::ChangedSpecPasses.is_planted()
}

/// The recorded name of the Job, else the one it must have. Its namespace always is the run's own.
fn recorded_name(run: &AgentRun) -> String {
    jobs::recorded(run, "name").map_or_else(|| jobs::name(run, Part::Run), str::to_owned)
}

/// Whether this is the Job that was recorded. Nothing recorded means any owned Job of the name, and so does what
/// was recorded in another cluster: nobody owns a Job there with the uid that the run has here.
fn is_recorded(run: &AgentRun, job: &JobView) -> bool {
    is_restored(run) || jobs::recorded(run, "uid").is_none_or(|uid| job.uid().as_deref() == Some(uid))
}
