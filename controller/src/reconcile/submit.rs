//! A run without a Job: let it wait for its turn, check it, create its objects, and say that it is running.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::controller::Action;
use tracing::debug;

use crate::api::{AgentRun, JobView};
use crate::decide::contract;
use crate::decide::idempotency::{Key, Taken};
use crate::decide::limits::{Answer, Limit};
use crate::decide::names::Part;
use crate::decide::restored::{self, Lost};
use crate::decide::stage::Stage;
use crate::decide::status::{Draft, Submission, reason};
use crate::decide::validate::{Extent, Refusal};
use crate::defects::{self, Defect};

use super::context::Context;
use super::error::Error;
use super::keys::{Claimed, Gate, claim};
use super::objects::{self, Submitted, began};
use super::pass::mark;
use super::references::{Prepared, prepare};
use super::status::write;
use super::{follow, jobs};

/// How often a taken name is looked at: nothing tells when somebody else's `ConfigMap` goes away.
pub(super) const CONFLICT_POLL: Duration = Duration::from_secs(2);

/// Starts the run, ends it, or says what it waits for.
pub(super) async fn submit(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    if let Some(lost) = restored::lost(run) {
        return settle_lost(run, &lost, context).await;
    }
    if restored::is_restored(run) && Defect::RestoredRunsNeverStart.is_planted() {
        return Ok(Action::await_change());
    }
    let part = jobs::first(run);
    // A Job that is already there was created right before a crash. It is followed, whatever the limits
    // and references say by now.
    if let Some(job) = jobs::known(run, &jobs::name(run, part), context).await? {
        if Defect::UnrecordedJobIsForeign.is_planted() {
            return conflict(run, "the Job belongs to nobody knows whom", context).await;
        }
        let prepared = prepare(run, Extent::Whole, context).await?.ok();
        let began = began(&job, Timestamp::now());
        return accept(run, part, &job, began, submission(run, prepared.as_ref(), context), context).await;
    }
    if jobs::has_one_of_other_type(run, context).await? {
        return follow::violated(run, Draft::of(run, Timestamp::now()), context).await;
    }
    if Defect::LooksElsewhere.is_planted() {
        let elsewhere = kube::Api::<JobView>::namespaced(context.client.clone(), "default");
        drop(elsewhere.get_opt(&run.name_any()).await);
    }
    if Defect::LooksEverywhere.is_planted() {
        let everywhere = kube::Api::<JobView>::all(context.client.clone());
        drop(everywhere.list(&ListParams::default().limit(1)).await);
    }
    if let Some(keys) = context.keys.as_ref().filter(|_| Key::of(run).is_some()) {
        // A run that waits for the database takes no slot from others.
        match keys.gate(run) {
            Gate::Open => {}
            closed => return await_store(run, closed, context).await,
        }
    }
    if let Answer::Wait(limit) = context.ask_admission(run).await? {
        return block(run, &limit, context).await;
    }
    match prepare(run, Extent::Whole, context).await? {
        // A key is taken by nobody who could not start, and before anything is made.
        Ok(prepared) => match claim(run, context).await? {
            Claimed::Own if restored::is_released(run) => {
                // The decision is used up before anything is made. Should this process die now, the run is an
                // ordinary new one.
                mark(run, &restored::renewed(run), context).await?;
                Ok(Action::await_change())
            }
            Claimed::Own => start(run, part, &prepared, context).await,
            Claimed::Taken(taken) => refuse_duplicate(run, &taken, context).await,
            Claimed::Unavailable => {
                let gate = context.keys.as_ref().map_or(Gate::Open, |keys| keys.gate(run));
                await_store(run, gate, context).await
            }
        },
        Err(refusal) => {
            context.admission.park(run);
            if refusal.reason == reason::MISSING_AGENT && Defect::MissingAgentIsAwaited.is_planted() {
                return Ok(Action::requeue(CONFLICT_POLL));
            }
            refuse(run, &refusal, context).await
        }
    }
}

/// Executes a run again whose Job was lost in a restore. It holds its slot already.
pub(super) async fn again(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    match prepare(run, Extent::Whole, context).await? {
        Ok(prepared) => start(run, jobs::first(run), &prepared, context).await,
        Err(refusal) => refuse(run, &refusal, context).await,
    }
}

/// Tells that a run has lost its status, or ends it if somebody has decided so.
async fn settle_lost(run: &AgentRun, lost: &Lost, context: &Context) -> Result<Action, Error> {
    context.admission.park(run);
    let mut draft = Draft::of(run, Timestamp::now());
    match lost {
        Lost::Undecided => {
            draft.status_lost();
            tell_blocked(run, draft, reason::STATUS_LOST_IN_RESTORE, context).await?;
        }
        Lost::Done(mark) => {
            draft.done_before(mark);
            write(run, draft, context).await?;
        }
    }
    Ok(Action::await_change())
}

async fn start(run: &AgentRun, part: Part, prepared: &Prepared, context: &Context) -> Result<Action, Error> {
    // Checked runs have at least one piece of work.
    let Some(plan) = prepared.plans.first() else { return Ok(Action::await_change()) };
    context.origins.attempted(run);
    match objects::submit(run, plan, context).await? {
        Submitted::Job { job, began, is_new } => {
            if is_new {
                context.origins.made(run);
            }
            accept(run, part, &job, began, submission(run, Some(prepared), context), context).await
        }
        Submitted::Conflict(message) => conflict(run, &message, context).await,
        Submitted::Impossible(message) => {
            if Defect::MalformedObjectIsFatal.is_planted() {
                std::process::exit(70);
            }
            refuse(run, &Refusal::failed(reason::SUBMIT_FAILED, message), context).await
        }
        Submitted::Rejected(rejection, error) => {
            if rejection.is_refusal && has_no_job(run, part, context).await {
                context.origins.forget(&run.uid().unwrap_or_default());
                // What keeps this run from starting may last, and others that could start wait for the slot.
                give_way(run, context);
            }
            let mut draft = Draft::of(run, Timestamp::now());
            draft.submit_retrying(&rejection.answer);
            write(run, draft, context).await?;
            // The error makes the next pass wait, longer with every attempt.
            Err(error)
        }
    }
}

async fn block(run: &AgentRun, limit: &Limit, context: &Context) -> Result<Action, Error> {
    debug!(namespace = run.namespace(), run = run.name_any(), limit = limit.description(), "waits");
    let mut draft = Draft::of(run, Timestamp::now());
    draft.blocked(limit);
    tell_blocked(run, draft, limit.reason(), context).await?;
    // Admission wakes the run.
    Ok(Action::await_change())
}

/// Writes what a run waits for, and counts it once it is written: a refused write is repeated.
async fn tell_blocked(
    run: &AgentRun,
    draft: Draft<'_>,
    reason: &str,
    context: &Context,
) -> Result<(), Error> {
    write(run, draft, context).await?;
    let told = run.status.as_ref().and_then(|status| status.reason.as_deref());
    if told != Some(reason) {
        context.metrics.blocked(reason);
    }
    Ok(())
}

/// Lets a run wait that has a key, while the database of keys cannot be asked. It is looked at again when
/// that changes.
async fn await_store(run: &AgentRun, gate: Gate, context: &Context) -> Result<Action, Error> {
    context.admission.park(run);
    match gate {
        Gate::Open => Ok(Action::requeue(Duration::ZERO)),
        // Nothing is said of what takes a moment.
        Gate::Opening => Ok(Action::await_change()),
        Gate::Closed => {
            let mut draft = Draft::of(run, Timestamp::now());
            draft.store_unavailable();
            tell_blocked(run, draft, reason::IDEMPOTENCY_STORE_UNAVAILABLE, context).await?;
            Ok(Action::await_change())
        }
    }
}

/// Ends a run whose key another one has.
async fn refuse_duplicate(run: &AgentRun, taken: &Taken, context: &Context) -> Result<Action, Error> {
    context.admission.park(run);
    let mut draft = Draft::of(run, Timestamp::now());
    draft.duplicate(taken);
    write(run, draft, context).await?;
    Ok(Action::await_change())
}

/// Somebody else has the name of an object that the run needs.
async fn conflict(run: &AgentRun, message: &str, context: &Context) -> Result<Action, Error> {
    // The run may not hold a slot for as long as somebody else holds the name.
    give_way(run, context);
    let mut draft = Draft::of(run, Timestamp::now());
    draft.in_conflict(message);
    write(run, draft, context).await?;
    Ok(Action::requeue(CONFLICT_POLL))
}

/// Whether nothing has come of any attempt to create this Job: a quota may also refuse it because it is there.
async fn has_no_job(run: &AgentRun, part: Part, context: &Context) -> bool {
    matches!(jobs::read(run, &jobs::name(run, part), context).await, Ok(None))
}

/// Leaves the slot of a run that has not started to others. One that has keeps it.
fn give_way(run: &AgentRun, context: &Context) {
    if Stage::of(run) == Stage::New {
        context.admission.park(run);
    }
}

async fn refuse(run: &AgentRun, refusal: &Refusal, context: &Context) -> Result<Action, Error> {
    let mut draft = Draft::of(run, Timestamp::now());
    draft.refused(refusal);
    write(run, draft, context).await?;
    Ok(Action::await_change())
}

async fn accept(
    run: &AgentRun,
    part: Part,
    job: &JobView,
    began: Timestamp,
    submission: Submission,
    context: &Context,
) -> Result<Action, Error> {
    let mut draft = Draft::of(run, Timestamp::now());
    draft.accepted(submission);
    match part {
        Part::Run => draft.running(job),
        Part::Attempt { step, attempt } => draft.attempt_started(step, attempt, job, began),
    };
    // Before the write, which brings the next pass.
    defects::note_accepted(run.uid());
    write(run, draft, context).await?;
    context.origins.forget(&run.uid().unwrap_or_default());
    Ok(Action::await_change())
}

fn submission(run: &AgentRun, prepared: Option<&Prepared>, context: &Context) -> Submission {
    let spec_hash = context.origins.hash(run);
    match prepared {
        None => Submission { spec_hash, ..Submission::default() },
        Some(prepared) => Submission {
            spec_hash,
            system_prompt_hash: prepared.system_prompt_hash.clone(),
            contract: contract::merged(prepared.plans.iter().filter_map(|plan| plan.contract.as_ref())),
            vcs_skipped: prepared.vcs_skipped.clone(),
        },
    }
}

#[cfg(test)]
mod tests;
