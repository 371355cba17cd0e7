//! A change to the status of a run, from the status that was read to the one that replaces it.
//!
//! Every writer goes through [`Draft`], so the rules that hold for each write stand once: derived
//! conditions, the mirrored reason, transition times, and that an equal status is not written at all.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::api::{AgentRun, AgentRunStatus, AgentRunStatusView, ContractStatus, JobView};
use crate::config::Settings;
use crate::defects::Defect;

use super::super::idempotency::Taken;
use super::super::limits::Limit;
use super::super::outcome::Outcome;
use super::super::restored::{Mark, RELEASE, is_restored};
use super::super::validate::Refusal;
use super::artifacts::{self, Limited};
use super::{phase, reason};

/// How a run failed, which decides the condition that tells so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The run could never start as it was written.
    InvalidSpec,
    /// The run went wrong on the way.
    Failed,
}

/// What is known about a run at the moment of its acceptance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// Hex SHA-256 of the spec.
    pub spec_hash: String,
    /// Hex SHA-256 of the system prompt.
    pub system_prompt_hash: Option<String>,
    /// Required and missing parameters.
    pub contract: Option<ContractStatus>,
    /// Why version control is left out.
    pub vcs_skipped: Option<String>,
}

/// The time as the API writes it.
pub(super) fn whole_second(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// A status on its way to be written.
#[derive(Debug)]
pub struct Draft<'a> {
    pub(super) run: &'a AgentRun,
    pub(super) now: Time,
    pub(super) status: AgentRunStatus,
    has_no_job: bool,
}

impl<'a> Draft<'a> {
    /// Starts from the status that was read. Times are whole seconds, as everywhere in Kubernetes.
    pub fn of(run: &'a AgentRun, now: Timestamp) -> Self {
        Self {
            run,
            now: whole_second(now),
            status: run.status.clone().unwrap_or_default(),
            has_no_job: false,
        }
    }

    /// Sets a condition; its transition time moves only with its status.
    pub fn condition(&mut self, type_: &str, state: bool, reason: &str, message: &str) -> &mut Self {
        let state = if state { "True" } else { "False" };
        let observed_generation = self.run.meta().generation;
        let present = self.status.conditions.iter_mut().find(|condition| condition.type_ == type_);
        match present {
            Some(condition) => {
                if condition.status != state || Defect::TransitionTimeMoves.is_planted() {
                    condition.last_transition_time = self.now.clone();
                }
                if condition.status != state || condition.reason != reason || condition.message != message {
                    condition.observed_generation = observed_generation;
                }
                state.clone_into(&mut condition.status);
                reason.clone_into(&mut condition.reason);
                message.clone_into(&mut condition.message);
            }
            None => self.status.conditions.push(Condition {
                type_: type_.to_owned(),
                status: state.to_owned(),
                reason: reason.to_owned(),
                message: message.to_owned(),
                last_transition_time: self.now.clone(),
                observed_generation,
            }),
        }
        self
    }

    /// Turns a condition to false if it is true.
    pub fn settle(&mut self, type_: &str, reason: &str) -> &mut Self {
        if condition_is_true(&self.status.conditions, type_) {
            self.condition(type_, false, reason, "");
        }
        self
    }

    /// Takes back the warning with this reason. One with another reason stays.
    pub fn settle_warning(&mut self, about: &str) -> &mut Self {
        let mut conditions = self.status.conditions.iter();
        if conditions.any(|condition| condition.type_ == reason::WARNING && condition.reason == about) {
            self.settle(reason::WARNING, reason::NONE);
        }
        self
    }

    /// The run has got no Job in this cluster. If it is a restored one it stays that until it has: the next pass
    /// may not take its Job for one that has vanished here.
    pub fn without_job(&mut self) -> &mut Self {
        self.has_no_job = true;
        self
    }

    /// The run waits; the phase stays as it is.
    pub fn waiting(&mut self) -> &mut Self {
        self.status.phase.get_or_insert_with(|| phase::PENDING.to_owned());
        self
    }

    /// The run waits for capacity. A limit that it is known to wait for is not told again: the time to
    /// wait in its message would change with every look.
    pub fn blocked(&mut self, limit: &Limit) -> &mut Self {
        let description = limit.description();
        if Defect::BlockedSilently.is_planted() {
            return self.waiting();
        }
        let is_told = self.status.conditions.iter().any(|condition| {
            condition.type_ == reason::BLOCKED
                && condition.status == "True"
                && condition.reason == limit.reason()
                && condition.message.starts_with(&description)
        });
        if !is_told {
            let message = limit.message(self.now.0);
            self.condition(reason::BLOCKED, true, limit.reason(), &message);
        }
        self.waiting()
    }

    /// The run came without its status through a restore: it may have been executed, so it is not.
    pub fn status_lost(&mut self) -> &mut Self {
        let message = format!(
            "the run came through a restore without its status and may have been executed before; the \
             annotation {RELEASE} decides: \"run\" executes it, \"done\" ends it"
        );
        self.waiting().condition(reason::BLOCKED, true, reason::STATUS_LOST_IN_RESTORE, &message)
    }

    /// The run has an idempotency key, and the database that knows the keys cannot be asked.
    pub fn store_unavailable(&mut self) -> &mut Self {
        let message = "the run has an idempotency key, and the database that knows which keys are in use cannot \
                       be asked; the run starts when it can";
        self.waiting().condition(reason::BLOCKED, true, reason::IDEMPOTENCY_STORE_UNAVAILABLE, message)
    }

    /// Another run has the idempotency key, so this one is not executed.
    pub fn duplicate(&mut self, taken: &Taken) -> &mut Self {
        let (reason, message) = (taken.reason(), taken.message());
        self.failed(Failure::Failed, reason, &message, None);
        self.condition(reason::DUPLICATE, true, reason, &message)
    }

    /// The run counts as done without its status; the mark tells how it ended, if it knows.
    pub fn done_before(&mut self, mark: &Mark) -> &mut Self {
        let ended = mark.finished_at.as_ref().and_then(|at| at.parse().ok()).map(Time);
        match mark.phase.as_str() {
            phase::FAILED => {
                let message = "the run had failed before its status was lost in a restore";
                self.failed(Failure::Failed, reason::STATUS_LOST_IN_RESTORE, message, ended)
            }
            _ => self.succeeded(ended),
        }
    }

    /// A name that the run needs is taken. It has passed the limits and does not wait for them.
    pub fn in_conflict(&mut self, message: &str) -> &mut Self {
        self.settle(reason::BLOCKED, reason::NOT_BLOCKED).without_job();
        self.waiting().condition(reason::JOB_CONFLICT, true, reason::JOB_CONFLICT, message)
    }

    /// The run's Job was not let in, and is submitted again. It has passed the limits and does not wait for them.
    pub fn submit_retrying(&mut self, answer: &str) -> &mut Self {
        self.settle(reason::BLOCKED, reason::NOT_BLOCKED).without_job();
        self.waiting().condition(reason::WARNING, true, reason::SUBMIT_RETRYING, answer)
    }

    /// What no run may ever do.
    pub fn pending_again(&mut self) -> &mut Self {
        self.status.phase = Some(phase::PENDING.to_owned());
        self
    }

    /// The run was accepted.
    pub fn accepted(&mut self, submission: Submission) -> &mut Self {
        self.status.spec_hash = Some(submission.spec_hash);
        self.status.system_prompt_hash = submission.system_prompt_hash;
        self.status.contract = submission.contract.map(Box::new);
        if let Some(message) = submission.vcs_skipped {
            self.condition(reason::VCS_SKIPPED, true, reason::VCS_PROVIDERS_DISABLED, &message);
        }
        self.settle(reason::WARNING, reason::NONE)
    }

    /// The run's Job exists.
    pub fn running(&mut self, job: &JobView) -> &mut Self {
        self.status.phase = Some(phase::RUNNING.to_owned());
        self.follow(job);
        self.started()
    }

    /// The conditions of a run that has a Job.
    pub(super) fn started(&mut self) -> &mut Self {
        self.condition(reason::ACCEPTED, true, reason::SUBMITTED, "");
        self.condition(reason::IN_PROGRESS, true, reason::RUNNING, "");
        self.settle(reason::BLOCKED, reason::NOT_BLOCKED).settle(reason::JOB_CONFLICT, reason::RESOLVED)
    }

    /// Records the Job's identity and start.
    fn follow(&mut self, job: &JobView) {
        let known = self.status.runtime_ref.as_ref();
        let same =
            known.filter(|known| known.get("uid").is_none_or(|uid| job.uid().as_deref() == uid.as_str()));
        let observed_at = same.and_then(|known| known.get("jobObservedAt")).cloned();
        self.refer_to(json!({
            "type": self.run.spec.runtime.type_,
            "name": job.name_any(),
            "namespace": self.run.namespace(),
            "uid": job.uid().filter(|_| !Defect::RuntimeRefWithoutUid.is_planted()),
            "jobObservedAt": observed_at.unwrap_or_else(|| json!(self.now)),
        }));
        let started = job.status.start_time.clone().or_else(|| self.status.started_at.clone());
        self.status.started_at = Some(started.unwrap_or_else(|| self.now.clone()));
    }

    /// Says what executes the run. The schema leaves the shape of the reference open, so what else a later
    /// version of the controller has put into it stays.
    pub(super) fn refer_to(&mut self, executor: Value) {
        match (&mut self.status.runtime_ref, executor) {
            (Some(Value::Object(known)), Value::Object(fields))
                if !Defect::LaterFieldsAreDropped.is_planted() =>
            {
                known.extend(fields);
            }
            (reference, executor) => *reference = Some(executor),
        }
    }

    /// The run's Job has this outcome, which ends the run unless the Job is active.
    pub fn outcome(&mut self, outcome: &Outcome) -> &mut Self {
        match outcome {
            Outcome::Active => self,
            Outcome::Succeeded { at } => self.succeeded(at.clone()),
            Outcome::Failed { at, reason, message } => {
                let reason = reason.as_deref().unwrap_or(reason::JOB_FAILED);
                self.failed(
                    Failure::Failed,
                    reason,
                    message.as_deref().unwrap_or("the Job failed"),
                    at.clone(),
                )
            }
        }
    }

    /// The run did its work, at the given time or now.
    pub(super) fn succeeded(&mut self, at: Option<Time>) -> &mut Self {
        self.end(phase::SUCCEEDED, at);
        if Defect::SuccessWithoutCondition.is_planted() {
            return self;
        }
        self.condition(reason::SUCCEEDED, true, reason::COMPLETED, "")
    }

    /// The run cannot start.
    pub fn refused(&mut self, refusal: &Refusal) -> &mut Self {
        if let Some(contract) = &refusal.contract {
            self.status.contract = Some(Box::new(contract.clone()));
        }
        self.failed(refusal.failure, refusal.reason, &refusal.message, None)
    }

    /// The run has failed, at the given time or now.
    pub fn failed(&mut self, failure: Failure, reason: &str, message: &str, at: Option<Time>) -> &mut Self {
        self.end(phase::FAILED, at);
        self.fail_workflow(message);
        let type_ = match failure {
            Failure::InvalidSpec => reason::INVALID_SPEC,
            Failure::Failed => reason::FAILED,
        };
        if Defect::InvalidRunsFailTwice.is_planted() {
            self.condition(reason::FAILED, true, reason, message);
        }
        self.condition(type_, true, reason, message).condition(reason::SUCCEEDED, false, reason, message)
    }

    fn end(&mut self, phase: &str, at: Option<Time>) {
        self.status.phase = Some(phase.to_owned());
        // A Job's clock and ours may differ; the end is never shown before the start.
        let finished = at.unwrap_or_else(|| self.now.clone());
        if !Defect::NoFinishedAt.is_planted() {
            self.status.finished_at = self.status.started_at.clone().into_iter().chain([finished]).max();
        }
        self.settle(reason::IN_PROGRESS, reason::FINISHED).settle(reason::JOB_CONFLICT, reason::RESOLVED);
        self.settle(reason::BLOCKED, reason::NOT_BLOCKED).settle(reason::WARNING, reason::NONE);
    }

    /// Applies the limits to what the runner's side has reported. Strict settings drop nothing: the run
    /// fails, so this comes before anything that could end it otherwise.
    pub fn limit_artifacts(&mut self, settings: &Settings) -> &mut Self {
        let reported = self.status.artifacts.as_deref().unwrap_or_default();
        let Limited { kept, reason } = artifacts::limit(reported, settings.artifacts_max);
        match reason {
            // The list that was left the last time lacks what was dropped, and says nothing new.
            None if self.says(reason::ARTIFACTS_LIMITED, &artifacts::left(&kept)) => {}
            None => {
                self.settle(reason::ARTIFACTS_LIMITED, reason::WITHIN_LIMITS);
            }
            Some(reason) if settings.artifacts_strict => {
                let message = format!("the run's artifacts break a limit: {reason}");
                self.failed(Failure::Failed, reason::ARTIFACTS_LIMIT_EXCEEDED, &message, None);
            }
            Some(reason) => {
                self.condition(reason::ARTIFACTS_LIMITED, true, reason, &artifacts::left(&kept));
                self.status.artifacts = Some(kept);
            }
        }
        self
    }

    fn says(&self, type_: &str, message: &str) -> bool {
        let mut conditions = self.status.conditions.iter();
        conditions.any(|condition| condition.type_ == type_ && condition.message == message)
    }

    /// Whether the run is over with this status.
    pub fn has_ended(&self) -> bool {
        phase::is_terminal(self.phase())
    }

    fn phase(&self) -> &str {
        self.status.phase.as_deref().unwrap_or(phase::PENDING)
    }

    /// The run with its new status, or `None` when nothing changed.
    ///
    /// It carries uid and resource version, so that it only lands on the object that was read.
    pub fn into_update(mut self) -> Option<AgentRunStatusView> {
        let before = self.run.status.clone().unwrap_or_default();
        self.status.reason = self.mirrored_reason();
        self.derive_conditions();
        if before.observed_generation.is_none() || !Defect::StaleGeneration.is_planted() {
            self.status.observed_generation = self.run.meta().generation;
        }
        if Defect::GenerationAhead.is_planted() {
            self.status.observed_generation = self.status.observed_generation.map(|observed| observed + 1);
        }
        if Defect::PassesAreCounted.is_planted() {
            self.condition(reason::WARNING, false, reason::NONE, &Timestamp::now().to_string());
        }
        if !(self.has_no_job && is_restored(self.run)) {
            self.status.observed_uid = self.run.uid();
        }
        if self.status == before && !Defect::HotLoop.is_planted() {
            return None;
        }
        self.status.updated_at = Some(self.now.clone());
        Some(AgentRunStatusView::of(self.run, self.status))
    }

    fn mirrored_reason(&self) -> Option<String> {
        let types: &[&str] = match self.phase() {
            phase::PENDING => &[reason::BLOCKED, reason::JOB_CONFLICT],
            phase::RUNNING => &[reason::IN_PROGRESS],
            phase::FAILED => &[reason::INVALID_SPEC, reason::FAILED],
            phase::SUCCEEDED => &[reason::SUCCEEDED],
            _ => &[reason::CANCELLED],
        };
        let is_true =
            |type_: &&str| self.status.conditions.iter().find(|c| c.type_ == **type_ && c.status == "True");
        types.iter().find_map(is_true).map(|condition| condition.reason.clone())
    }

    fn derive_conditions(&mut self) {
        let phase = self.phase().to_owned();
        let mut reason = self.status.reason.clone().unwrap_or_else(|| phase.clone());
        if Defect::ReasonsAreProse.is_planted() {
            reason = format!("it is {phase}");
        }
        self.condition(reason::READY, phase == phase::SUCCEEDED, &reason, "")
            .condition(
                reason::PROGRESSING,
                matches!(phase.as_str(), phase::PENDING | phase::RUNNING),
                &reason,
                "",
            )
            .condition(
                reason::DEGRADED,
                matches!(phase.as_str(), phase::FAILED | phase::CANCELLED),
                &reason,
                "",
            );
    }
}

/// Whether the condition of this type is true.
pub fn condition_is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}
