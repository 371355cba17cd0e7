//! Creating the objects of one part of a run: its `ConfigMap`s, and then its Job.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::api::{AgentRun, JobView};
use crate::decide::status::{condition_is_true, reason};
use crate::decide::validate::Plan;
use crate::decide::{config_maps, job, ownership};

use super::FIELD_MANAGER;
use super::context::Context;
use super::error::{Error, Rejection, api_code};
use super::jobs;

/// What became of a submission.
pub(super) enum Submitted {
    /// The Job exists.
    Job {
        /// The Job.
        job: Box<JobView>,
        /// When its execution began: now, unless it was there already.
        began: Timestamp,
        /// Whether it was made from this spec just now.
        is_new: bool,
    },
    /// An object of somebody else has a name that is needed; the text says whose.
    Conflict(String),
    /// The API server, or the shape of a setting, rules this out for good; the text says why.
    Impossible(String),
    /// It did not work this time.
    Rejected(Rejection, Error),
}

struct Ensured {
    job: JobView,
    is_new: bool,
}

/// An object of somebody else has a name that the run needs.
struct Conflict {
    message: String,
}

/// Creates what the plan asks for, or finds it already made for this run.
pub(super) async fn submit(run: &AgentRun, plan: &Plan, context: &Context) -> Result<Submitted, Error> {
    let settings = &context.settings;
    let config_maps = config_maps::build(run, plan, &settings.runner);
    let job = match job::build(run, plan, settings) {
        Ok(job) => job,
        Err(error) => return Ok(Submitted::Impossible(error.to_string())),
    };
    match ensure(run, &config_maps, &job, context).await {
        Ok(Ok(Ensured { job, is_new })) => {
            // Read now: the time that the requests took is none that the Job had.
            let now = Timestamp::now();
            let began = if is_new { now } else { began(&job, now) };
            Ok(Submitted::Job { job: Box::new(job), began, is_new })
        }
        Ok(Err(Conflict { message })) => Ok(Submitted::Conflict(message)),
        Err(error) => match error.rejected_submission() {
            Some(rejection) if rejection.is_final => {
                Ok(Submitted::Impossible(format!("{}: {}", rejection.answer, rejection.details)))
            }
            Some(rejection) => Ok(Submitted::Rejected(rejection, error)),
            None => Err(error),
        },
    }
}

/// When the execution of a Job began that an earlier attempt of this controller left behind.
pub(super) fn began(job: &JobView, now: Timestamp) -> Timestamp {
    job.creation_timestamp().map_or(now, |created| created.0.min(now))
}

/// Creates the `ConfigMap`s and then the Job, or finds them already made for this run.
async fn ensure(
    run: &AgentRun,
    config_maps: &[ConfigMap],
    job: &Job,
    context: &Context,
) -> Result<Result<Ensured, Conflict>, Error> {
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
) -> Result<Result<Ensured, Conflict>, Error> {
    let name = wanted.name_any();
    let failed = |source| Error::Submit { kind: "Job", name: name.clone(), source };
    let exists = match context.api::<Job>(run).create(&post(), wanted).await {
        Ok(created) => {
            let job = JobView { metadata: created.metadata, ..JobView::default() };
            return Ok(Ok(Ensured { job, is_new: true }));
        }
        Err(error) if api_code(&error) == Some(409) => error,
        Err(error) => return Err(failed(error)),
    };
    let found = jobs::read(run, &name, context).await?.ok_or_else(|| failed(exists))?;
    Ok(match foreign(run, "Job", &found.metadata) {
        Some(conflict) => Err(conflict),
        None => Ok(Ensured { job: found, is_new: false }),
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
