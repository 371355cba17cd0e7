//! A run without a Job: check it, create its objects, and say that it is running.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use serde_json::json;

use crate::api::{AgentRun, JobView};
use crate::decide::status::{Draft, Failure, Submission, condition_is_true, reason};
use crate::decide::validate::Refusal;
use crate::decide::{config_maps, job, ownership, spec_hash};

use super::FIELD_MANAGER;
use super::context::Context;
use super::error::{Error, Rejection, api_code};
use super::jobs;
use super::references::{Prepared, prepare};
use super::status::write;

/// How often a taken name is looked at: nothing tells when somebody else's `ConfigMap` goes away.
const CONFLICT_POLL: Duration = Duration::from_secs(2);

/// An object of somebody else has a name that the run needs.
struct Conflict {
    message: String,
}

/// Starts the run, ends it, or says what it waits for.
pub(super) async fn submit(run: &AgentRun, context: &Context) -> Result<Action, Error> {
    // A Job that is already there was created right before a crash.
    let existing = jobs::cached(run, &jobs::name(run), context);
    match (prepare(run, context).await?, existing) {
        (Ok(prepared), Some(job)) => accept(run, &job, submission(run, Some(prepared)), context).await,
        // What the run needs may have changed since the Job was created; the Job counts.
        (Err(_), Some(job)) => accept(run, &job, submission(run, None), context).await,
        (Ok(prepared), None) => start(run, prepared, context).await,
        (Err(refusal), None) => refuse(run, &refusal, context).await,
    }
}

async fn start(run: &AgentRun, prepared: Prepared, context: &Context) -> Result<Action, Error> {
    let settings = &context.settings;
    let config_maps = config_maps::build(run, &prepared.plan, &settings.runner);
    let job = match job::build(run, &prepared.plan, settings) {
        Ok(job) => job,
        Err(error) => {
            return refuse(run, &Refusal::failed(reason::SUBMIT_FAILED, error.to_string()), context).await;
        }
    };
    match create(run, &config_maps, &job, context).await {
        Ok(Ok(created)) => accept(run, &created, submission(run, Some(prepared)), context).await,
        Ok(Err(conflict)) => {
            let mut draft = Draft::of(run, Timestamp::now());
            draft.waiting().condition(reason::JOB_CONFLICT, true, reason::JOB_CONFLICT, &conflict.message);
            write(run, draft, context).await?;
            Ok(Action::requeue(CONFLICT_POLL))
        }
        Err(error) => match error.rejected_submission() {
            Some(rejection) => rejected(run, &rejection, error, context).await,
            None => Err(error),
        },
    }
}

async fn rejected(
    run: &AgentRun,
    rejection: &Rejection,
    error: Error,
    context: &Context,
) -> Result<Action, Error> {
    let mut draft = Draft::of(run, Timestamp::now());
    if rejection.is_final {
        let message = format!("{}: {}", rejection.answer, rejection.details);
        draft.failed(Failure::Failed, reason::SUBMIT_FAILED, &message, None);
        write(run, draft, context).await?;
        return Ok(Action::await_change());
    }
    draft.waiting().condition(reason::WARNING, true, reason::SUBMIT_RETRYING, &rejection.answer);
    write(run, draft, context).await?;
    // The error makes the next pass wait, longer with every attempt.
    Err(error)
}

async fn refuse(run: &AgentRun, refusal: &Refusal, context: &Context) -> Result<Action, Error> {
    let mut draft = Draft::of(run, Timestamp::now());
    draft.refused(refusal);
    write(run, draft, context).await?;
    Ok(Action::await_change())
}

async fn accept(
    run: &AgentRun,
    job: &JobView,
    submission: Submission,
    context: &Context,
) -> Result<Action, Error> {
    let mut draft = Draft::of(run, Timestamp::now());
    draft.accepted(job, submission);
    write(run, draft, context).await?;
    Ok(Action::await_change())
}

fn submission(run: &AgentRun, prepared: Option<Prepared>) -> Submission {
    let spec_hash = spec_hash::compute(&run.spec);
    match prepared {
        None => Submission { spec_hash, ..Submission::default() },
        Some(prepared) => Submission {
            spec_hash,
            system_prompt_hash: prepared.system_prompt_hash,
            contract: prepared.plan.contract,
            vcs_skipped: prepared.vcs_skipped,
        },
    }
}

/// Creates the `ConfigMap`s and then the Job, or finds them already made for this run.
async fn create(
    run: &AgentRun,
    config_maps: &[ConfigMap],
    job: &Job,
    context: &Context,
) -> Result<Result<JobView, Conflict>, Error> {
    let in_conflict =
        run.status.as_ref().is_some_and(|status| condition_is_true(&status.conditions, reason::JOB_CONFLICT));
    if in_conflict {
        // Looking first keeps a long conflict free of writes.
        if let Some(conflict) = find_conflict(run, config_maps, job, context).await? {
            return Ok(Err(conflict));
        }
    }
    for config_map in config_maps {
        if let Err(conflict) = ensure_config_map(run, config_map, context).await? {
            return Ok(Err(conflict));
        }
    }
    ensure_job(run, job, context).await
}

async fn find_conflict(
    run: &AgentRun,
    config_maps: &[ConfigMap],
    job: &Job,
    context: &Context,
) -> Result<Option<Conflict>, Error> {
    for wanted in config_maps {
        let found = read_config_map(run, &wanted.name_any(), context).await?;
        if let Some(conflict) = found.and_then(|found| foreign(run, "ConfigMap", &found.metadata)) {
            return Ok(Some(conflict));
        }
    }
    let found = jobs::read(run, &job.name_any(), context).await?;
    Ok(found.and_then(|found| foreign(run, "Job", &found.metadata)))
}

async fn ensure_config_map(
    run: &AgentRun,
    wanted: &ConfigMap,
    context: &Context,
) -> Result<Result<(), Conflict>, Error> {
    let api = context.api::<ConfigMap>(run);
    let name = wanted.name_any();
    let failed = |source| Error::Submit { kind: "ConfigMap", name: name.clone(), source };
    let exists = match api.create(&post(), wanted).await {
        Ok(_) => return Ok(Ok(())),
        Err(error) if api_code(&error) == Some(409) => error,
        Err(error) => return Err(failed(error)),
    };
    // If it vanished between the two calls the whole submission is simply tried again.
    let found = read_config_map(run, &name, context).await?.ok_or_else(|| failed(exists))?;
    if let Some(conflict) = foreign(run, "ConfigMap", &found.metadata) {
        return Ok(Err(conflict));
    }
    if found.data != wanted.data {
        // Parameters may change until the run is accepted, so what an earlier attempt left is replaced.
        let patch = json!({
            "metadata": {"uid": found.uid(), "resourceVersion": found.resource_version()},
            "data": wanted.data,
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        api.patch(&name, &params, &Patch::Merge(&patch)).await.map_err(failed)?;
    }
    Ok(Ok(()))
}

async fn ensure_job(
    run: &AgentRun,
    wanted: &Job,
    context: &Context,
) -> Result<Result<JobView, Conflict>, Error> {
    let name = wanted.name_any();
    let failed = |source| Error::Submit { kind: "Job", name: name.clone(), source };
    let exists = match context.api::<Job>(run).create(&post(), wanted).await {
        Ok(created) => return Ok(Ok(JobView { metadata: created.metadata, ..JobView::default() })),
        Err(error) if api_code(&error) == Some(409) => error,
        Err(error) => return Err(failed(error)),
    };
    let found = jobs::read(run, &name, context).await?.ok_or_else(|| failed(exists))?;
    Ok(match foreign(run, "Job", &found.metadata) {
        Some(conflict) => Err(conflict),
        None => Ok(found),
    })
}

async fn read_config_map(run: &AgentRun, name: &str, context: &Context) -> Result<Option<ConfigMap>, Error> {
    context.api::<ConfigMap>(run).get_opt(name).await.map_err(|source| Error::ReadGenerated {
        kind: "ConfigMap",
        name: name.to_owned(),
        source,
    })
}

fn foreign(run: &AgentRun, kind: &str, found: &ObjectMeta) -> Option<Conflict> {
    let owned = run.uid().is_some_and(|uid| ownership::is_owned(found, &uid));
    (!owned).then(|| Conflict {
        message: format!(
            "{kind} {:?} belongs to {}",
            found.name.as_deref().unwrap_or_default(),
            ownership::describe(found)
        ),
    })
}

fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}
