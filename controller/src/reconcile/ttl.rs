//! Giving finished Jobs their time to live.

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use serde_json::json;
use tracing::warn;

use crate::api::{AgentRun, JobView};
use crate::decide::outcome::Outcome;
use crate::decide::status::{Draft, Failure, reason};
use crate::decide::ttl::{MAXIMUM, MINIMUM, Remark, for_run};
use crate::decide::validate;
use crate::defects::Defect;

use super::FIELD_MANAGER;
use super::context::Context;
use super::error::{Error, api_code};
use super::jobs;
use super::status::write;

/// Sets the TTL of a finished Job. Must only be called after the end was written to the run's status.
pub(super) async fn set(run: &AgentRun, job: &JobView, context: &Context) -> Result<(), Error> {
    let Some(seconds) = wanted(run, context) else { return Ok(()) };
    let is_failed = matches!(Outcome::of(job), Outcome::Failed { .. });
    let is_left_out = (is_failed && Defect::FailedJobsWithoutTtl.is_planted())
        || (validate::is_workflow(run) && Defect::StepsWithoutTtl.is_planted());
    if is_left_out {
        return Ok(());
    }
    if job.spec.ttl_seconds_after_finished == Some(seconds) && !Defect::EqualTtlWrittenAgain.is_planted() {
        return Ok(());
    }
    let name = job.name_any();
    // The uid keeps the patch off a Job that took the name meanwhile; only the TTL is changed.
    let labels =
        if Defect::TtlPatchTouchesLabels.is_planted() { json!({"finished": "yes"}) } else { json!({}) };
    let patch = json!({
        "metadata": {"uid": job.uid(), "labels": labels},
        "spec": {"ttlSecondsAfterFinished": seconds},
    });
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match context.api::<JobView>(run).patch(&name, &params, &Patch::Merge(&patch)).await {
        Ok(patched) => {
            context.wrote(&patched);
            context.metrics.job_ttl_patched();
            Ok(())
        }
        // A Job that is gone needs no TTL. A conflict may mean that it was replaced, or only that it changed
        // at that moment; the next pass sees which.
        Err(error) if api_code(&error) == Some(404) => Ok(()),
        Err(source) => Err(Error::SetTtl { name, source }),
    }
}

/// Gives finished Jobs of the run the TTL that a crash kept them from getting. Their end must be on
/// record already.
pub(super) async fn heal(run: &AgentRun, names: &[String], context: &Context) -> Result<(), Error> {
    let lacks_ttl = |job: &JobView| {
        let is_set = job.spec.ttl_seconds_after_finished.is_some();
        (!is_set || Defect::SetTtlsFollowTheSetting.is_planted()) && Outcome::of(job).is_finished()
    };
    for name in names {
        // The patch of the last pass may not have reached the cache yet, and the event with it is on its way.
        let suspect = jobs::cached(run, name, context)
            .is_some_and(|job| lacks_ttl(&job) && !context.is_behind(job.as_ref()));
        if !suspect || wanted(run, context).is_none() || Defect::TtlNotHealed.is_planted() {
            continue;
        }
        // The cache may lag behind for longer than our own patches are remembered.
        let read = jobs::read(run, name, context).await?;
        if let Some(job) = read.filter(|job| jobs::is_owned(run, job) && lacks_ttl(job)) {
            set(run, &job, context).await?;
        }
    }
    Ok(())
}

/// What is left to do for a terminal run.
pub(super) async fn heal_terminal(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    let names = jobs::possible_names(run);
    heal(run, &names, context).await?;
    if Defect::EndedRunsAreReviewed.is_planted() {
        let mut draft = Draft::of(run, Timestamp::now());
        draft.condition("Reviewed", true, "Ended", "");
        write(run, draft, context).await?;
    }
    let is_gone = names.iter().all(|name| jobs::cached(run, name, context).is_none());
    if is_gone && Defect::TerminalRunFollowsItsJob.is_planted() {
        let mut draft = Draft::of(run, Timestamp::now());
        draft.failed(Failure::Failed, reason::JOB_MISSING, "the Job is gone", None);
        write(run, draft, context).await?;
    }
    Ok(Action::await_change())
}

fn wanted(run: &AgentRun, context: &Context) -> Option<i32> {
    let ttl = for_run(run.spec.runtime.config.as_ref(), &context.settings.runner.job_ttl);
    let problem = match ttl.remark {
        Remark::None => None,
        Remark::Unusable => Some("it is no number and is ignored".to_owned()),
        Remark::Clamped => Some(format!("it is outside {MINIMUM} to {MAXIMUM} seconds and is clamped")),
    };
    if let Some(problem) = problem.filter(|_| context.first_warning(&run.uid().unwrap_or_default())) {
        warn!(
            namespace = run.namespace(),
            run = run.name_any(),
            seconds = ttl.seconds,
            "runtime.config.ttlSecondsAfterFinished: {problem}"
        );
    }
    ttl.seconds
}
