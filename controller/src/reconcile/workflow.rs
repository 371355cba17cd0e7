//! An accepted workflow: follow the Job of the current attempt, and start the next one when it is due.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::api::{AgentRun, JobView};
use crate::config::InFlightPolicy;
use crate::decide::names::Part;
use crate::decide::outcome::Outcome;
use crate::decide::restored::is_restored;
use crate::decide::status::{AttemptFailure, Draft, Failure, reason};
use crate::decide::validate::Extent;
use crate::decide::workflow::{
    Progress, is_at_work, possible_attempts, progress, recorded, retry_at, was_late, was_stopped,
};
use crate::defects::Defect;

use super::admission::until;
use super::context::Context;
use super::error::Error;
use super::follow::lost_in_restore;
use super::jobs::Found;
use super::objects::{self, Submitted};
use super::references::prepare;
use super::status::write;
use super::submit::CONFLICT_POLL;
use super::{jobs, ttl};

/// How often an attempt that was deleted is looked at until it is really gone; its event usually is faster.
const GOING_POLL: Duration = Duration::from_secs(1);

/// Brings an accepted workflow forward.
pub(super) async fn follow(run: &AgentRun, draft: Draft<'_>, context: &Context) -> Result<Action, Error> {
    let now = Timestamp::now();
    match progress(run, now) {
        Progress::Attempt { step, attempt, deadline } => {
            let at_work = Attempt { run, context, step, number: attempt };
            at_work.follow(draft, deadline, now).await
        }
        Progress::Due { step, attempt } => Attempt { run, context, step, number: attempt }.start(draft).await,
        // Nothing is written while a step waits.
        Progress::Waiting { until: at } => {
            heal_ended(run, context).await?;
            Ok(Action::requeue(until(at, now)))
        }
        Progress::Exhausted { step } => {
            let failure = AttemptFailure {
                reason: reason::WORKFLOW_STEP_RETRIES_EXHAUSTED,
                message: "an attempt is due, but none is left".to_owned(),
                at: None,
            };
            fail(run, draft, step, &failure, None, context).await
        }
    }
}

/// One attempt of one step of a run.
struct Attempt<'a> {
    run: &'a AgentRun,
    context: &'a Context,
    step: usize,
    number: i32,
}

impl Attempt<'_> {
    fn part(&self) -> Part {
        Part::Attempt { step: self.step, attempt: self.number }
    }

    fn job_name(&self) -> String {
        jobs::name(self.run, self.part())
    }

    async fn follow(
        &self,
        mut draft: Draft<'_>,
        deadline: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Action, Error> {
        let Self { run, context, .. } = *self;
        let name = self.job_name();
        let Found { job, look_again } = jobs::find(run, &name, |job| self.is_recorded(job), context).await?;
        let Some(mut job) = job else { return self.without_job(draft, deadline, now).await };
        context.not_missing(&run.uid().unwrap_or_default());
        if is_restored(run) {
            return self.found_again(draft, &job, now).await;
        }
        let is_late = deadline.is_some_and(|deadline| deadline <= now);
        if is_late && Defect::CachedJobsAreLate.is_planted() {
            Arc::make_mut(&mut job).metadata.resource_version = None;
        } else if is_late && !Outcome::of(&job).is_finished() {
            // The cache may be behind, and an attempt that has ended in time is none that took too long.
            let read = jobs::read_owned(run, &name, context).await?;
            let Some(read) = read.filter(|job| self.is_recorded(job)) else {
                return self.without_job(draft, deadline, now).await;
            };
            job = read;
        }
        // Seen now at the latest, also if a crash kept an earlier pass from seeing it before it ended.
        draft.attempt_observed(self.step, self.number, &job);
        if was_stopped(deadline, &job) {
            return self.end_late(draft).await;
        }
        match Outcome::of(&job) {
            Outcome::Active if is_late => self.time_out(draft, &job).await,
            Outcome::Active => self.observe(draft, deadline, look_again).await,
            Outcome::Succeeded { at } => {
                draft.step_succeeded(self.step, at);
                write(run, draft, context).await?;
                ttl::set(run, &job, context).await?;
                Ok(Action::await_change())
            }
            Outcome::Failed { at, reason, message } => {
                let reason = reason.unwrap_or_else(|| reason::JOB_FAILED.to_owned());
                let message = message.unwrap_or_else(|| "the Job failed".to_owned());
                let failure = AttemptFailure {
                    reason: reason::WORKFLOW_STEP_FAILED,
                    message: format!("attempt {} failed: {reason}: {message}", self.number),
                    at,
                };
                let action = self.ended(draft, &failure).await?;
                ttl::set(run, &job, context).await?;
                Ok(action)
            }
        }
    }

    /// The attempt of a restored run has a Job of this cluster, whose creation was not answered. It began with that
    /// Job, and the time it may take does, too.
    async fn found_again(
        &self,
        mut draft: Draft<'_>,
        job: &JobView,
        now: Timestamp,
    ) -> Result<Action, Error> {
        draft.attempt_started(self.step, self.number, job, objects::began(job, now));
        write(self.run, draft, self.context).await?;
        Ok(Action::await_change())
    }

    async fn observe(
        &self,
        draft: Draft<'_>,
        deadline: Option<Timestamp>,
        look_again: Duration,
    ) -> Result<Action, Error> {
        heal_ended(self.run, self.context).await?;
        write(self.run, draft, self.context).await?;
        let left = deadline.map(|deadline| until(deadline, Timestamp::now()));
        Ok(Action::requeue(left.into_iter().chain([look_again]).min().unwrap_or(look_again)))
    }

    /// The Job is deleted first, so that two attempts never run side by side.
    async fn time_out(&self, draft: Draft<'_>, job: &JobView) -> Result<Action, Error> {
        jobs::stop(self.run, job, self.context).await?;
        self.end_late(draft).await
    }

    async fn end_late(&self, draft: Draft<'_>) -> Result<Action, Error> {
        let failure = AttemptFailure {
            reason: reason::WORKFLOW_STEP_TIMED_OUT,
            message: format!("attempt {} took longer than its timeoutSeconds", self.number),
            at: None,
        };
        self.ended(draft, &failure).await
    }

    async fn without_job(
        &self,
        draft: Draft<'_>,
        deadline: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Action, Error> {
        let uid = self.run.uid().unwrap_or_default();
        let missing = self.context.missing_for(&uid);
        if !is_restored(self.run) && was_late(deadline, missing, now) {
            let action = self.end_late(draft).await?;
            self.context.not_missing(&uid);
            return Ok(action);
        }
        let grace = self.context.settings.job_missing_grace;
        if let Some(left) = grace.checked_sub(missing).filter(|left| !left.is_zero()) {
            return Ok(Action::requeue(left));
        }
        if is_restored(self.run) {
            return match self.context.settings.restore.in_flight {
                InFlightPolicy::Retry => Box::pin(self.start(draft)).await,
                InFlightPolicy::Fail => lost_in_restore(self.run, draft, self.context).await,
            };
        }
        let failure = AttemptFailure {
            reason: reason::WORKFLOW_JOB_MISSING,
            message: format!("Job {:?} of attempt {} does not exist any more", self.job_name(), self.number),
            at: None,
        };
        let action = self.ended(draft, &failure).await?;
        self.context.not_missing(&uid);
        Ok(action)
    }

    async fn ended(&self, draft: Draft<'_>, failure: &AttemptFailure) -> Result<Action, Error> {
        let retry_at = retry_at(self.run, self.step, self.number, Timestamp::now());
        fail(self.run, draft, self.step, failure, retry_at, self.context).await
    }

    async fn start(&self, mut draft: Draft<'_>) -> Result<Action, Error> {
        let Self { run, context, .. } = *self;
        heal_ended(run, context).await?;
        if self.is_another_at_work().await? {
            return Ok(Action::requeue(GOING_POLL));
        }
        let mut plans = match prepare(run, Extent::Step(self.step), context).await? {
            Ok(prepared) => prepared.plans,
            Err(refusal) => {
                draft.failed(Failure::Failed, refusal.reason, &refusal.message, None);
                write(run, draft, context).await?;
                return Ok(Action::await_change());
            }
        };
        // A checked step has a plan.
        let Some(mut plan) = plans.pop() else { return Ok(Action::await_change()) };
        plan.part = self.part();
        match objects::submit(run, &plan, context).await? {
            Submitted::Job { job, began, .. } => {
                draft.attempt_started(self.step, self.number, &job, began);
                write(run, draft, context).await?;
                Ok(Action::await_change())
            }
            Submitted::Conflict(message) => {
                draft.in_conflict(&message);
                write(run, draft, context).await?;
                Ok(Action::requeue(CONFLICT_POLL))
            }
            Submitted::Impossible(message) => {
                draft.failed(Failure::Failed, reason::SUBMIT_FAILED, &message, None);
                write(run, draft, context).await?;
                Ok(Action::await_change())
            }
            Submitted::Rejected(rejection, error) => {
                draft.submit_retrying(&rejection.answer);
                write(run, draft, context).await?;
                Err(error)
            }
        }
    }

    /// Whether the Job of an earlier attempt is still being executed or taken down.
    async fn is_another_at_work(&self) -> Result<bool, Error> {
        let own = self.job_name();
        for name in jobs::all_names(self.run, self.context).into_iter().filter(|name| *name != own) {
            let job = jobs::known(self.run, &name, self.context).await?;
            if job.is_some_and(|job| is_at_work(&job)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether this is the Job that was recorded. Nothing recorded means any owned Job of the name, and so does
    /// what was recorded in another cluster.
    fn is_recorded(&self, job: &JobView) -> bool {
        if is_restored(self.run) {
            return true;
        }
        let reference = recorded(self.run).get(self.step).and_then(|status| status.job_ref.as_ref());
        let uid = reference.and_then(|reference| reference.uid.as_deref());
        uid.is_none_or(|uid| job.uid().as_deref() == Some(uid))
    }
}

async fn fail(
    run: &AgentRun,
    mut draft: Draft<'_>,
    step: usize,
    failure: &AttemptFailure,
    retry_at: Option<Timestamp>,
    context: &Context,
) -> Result<Action, Error> {
    draft.attempt_failed(step, failure, retry_at);
    write(run, draft, context).await?;
    Ok(Action::await_change())
}

/// Gives the Jobs of attempts that have ended the TTL that a crash kept them from getting.
async fn heal_ended(run: &AgentRun, context: &Context) -> Result<(), Error> {
    let current = match progress(run, Timestamp::MIN) {
        Progress::Attempt { step, attempt, .. } => Some((step, attempt)),
        _ => None,
    };
    let on_record = |(step, attempt): &(usize, i32)| {
        let last = recorded(run).get(*step).and_then(|status| status.attempt).unwrap_or_default();
        *attempt <= last && current != Some((*step, *attempt))
    };
    let ended = possible_attempts(run).into_iter().filter(on_record);
    let names: Vec<_> =
        ended.map(|(step, attempt)| jobs::name(run, Part::Attempt { step, attempt })).collect();
    ttl::heal(run, &names, context).await
}
