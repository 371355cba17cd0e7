//! Finding and deleting the Job of a run. Only a Job whose controller is the run's uid is ever touched.

use std::sync::Arc;

use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use kube::runtime::reflector::ObjectRef;

use crate::api::{AgentRun, JobView};
use crate::decide::{names, ownership};

use super::context::Context;
use super::error::{Error, api_code};

/// Name of the run's Job.
pub(super) fn name(run: &AgentRun) -> String {
    names::object(&run.name_any(), names::JOB)
}

/// The owned Job of this name in the cache.
pub(super) fn cached(run: &AgentRun, name: &str, context: &Context) -> Option<Arc<JobView>> {
    let key = ObjectRef::new(name).within(&run.namespace().unwrap_or_default());
    context.jobs.get(&key).filter(|job| is_owned(run, job))
}

/// The Job of this name as the API server has it now, whoever owns it.
pub(super) async fn read(run: &AgentRun, name: &str, context: &Context) -> Result<Option<JobView>, Error> {
    context.api::<JobView>(run).get_opt(name).await.map_err(|source| Error::ReadGenerated {
        kind: "Job",
        name: name.to_owned(),
        source,
    })
}

/// Whether the run's uid controls the Job.
pub(super) fn is_owned(run: &AgentRun, job: &JobView) -> bool {
    run.uid().is_some_and(|uid| ownership::is_owned(&job.metadata, &uid))
}

/// Deletes the owned Job of this name, if there is one; its pods go in the background.
pub(super) async fn delete(run: &AgentRun, name: &str, context: &Context) -> Result<(), Error> {
    let job = match cached(run, name, context) {
        Some(job) => Some(job),
        // The cache may not have seen a Job that was created a moment ago.
        None => read(run, name, context).await?.filter(|job| is_owned(run, job)).map(Arc::new),
    };
    let Some(job) = job else { return Ok(()) };
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions { uid: job.uid(), resource_version: None }),
        ..DeleteParams::default()
    };
    match context.api::<JobView>(run).delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(error) if api_code(&error) == Some(404) => Ok(()),
        Err(source) => Err(Error::DeleteJob { name: name.to_owned(), source }),
    }
}
