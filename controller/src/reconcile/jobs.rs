//! Finding and deleting the Jobs of a run. Only a Job whose controller is the run's uid is ever touched.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, ResourceExt};

use crate::api::{AgentRun, JobView};
use crate::decide::names::{self, Part};
use crate::decide::outcome::Outcome;
use crate::decide::stage::Stage;
use crate::decide::{ownership, text, validate, workflow};
use crate::defects::Defect;

use super::context::Context;
use super::error::{Error, api_code};

/// How often a Job is looked at that the watch does not deliver, for example without its label.
pub(super) const UNWATCHED_POLL: Duration = Duration::from_secs(2);
/// How often a followed run is looked at without any event, in case one was lost.
const SAFETY_NET: Duration = Duration::from_mins(5);

/// Name of the Job of this part.
pub(super) fn name(run: &AgentRun, part: Part) -> String {
    names::object(&run.name_any(), &part.job())
}

/// The part whose Job is the first of the run.
pub(super) fn first(run: &AgentRun) -> Part {
    if validate::is_workflow(run) { Part::Attempt { step: 0, attempt: 1 } } else { Part::Run }
}

/// The part whose Job would have been the first if the run were of the other type, which it may have been.
fn first_of_other_type(run: &AgentRun) -> Part {
    if validate::is_workflow(run) { Part::Run } else { Part::Attempt { step: 0, attempt: 1 } }
}

/// Names of the Jobs of the run that may be at work; of a workflow the last attempts. What is on record counts
/// whatever type the run has by now.
pub(super) fn possible_names(run: &AgentRun) -> Vec<String> {
    let (is_workflow, was_workflow) = (validate::is_workflow(run), !workflow::recorded(run).is_empty());
    let mut names = if is_workflow { Vec::new() } else { vec![name(run, Part::Run)] };
    if is_workflow || was_workflow {
        let attempts = workflow::possible_attempts(run).into_iter();
        names.extend(attempts.map(|(step, attempt)| name(run, Part::Attempt { step, attempt })));
    }
    let recorded = recorded(run, "name").filter(|recorded| !names.iter().any(|name| name == recorded));
    let recorded = recorded.map(str::to_owned);
    names.extend(recorded);
    names
}

/// Names of all Jobs that the run may have. Those that neither record nor spec lead to are taken from the cache:
/// of early attempts, and of a run whose type was changed before its Job was on record.
pub(super) fn all_names(run: &AgentRun, context: &Context) -> Vec<String> {
    let mut names = possible_names(run);
    if Stage::of(run) != Stage::Terminal || workflow::has_earlier_attempts(run) {
        let others = context.jobs.state().into_iter().filter(|job| is_owned(run, job));
        let others: Vec<_> = others.map(|job| job.name_any()).filter(|name| !names.contains(name)).collect();
        names.extend(others);
    }
    names
}

/// What the status records about the run's Job under this key. Its namespace always is the run's own.
pub(super) fn recorded<'a>(run: &'a AgentRun, key: &str) -> Option<&'a str> {
    text::non_blank(run.status.as_ref()?.runtime_ref.as_ref()?.get(key)?.as_str()?)
}

/// The Job of a run that looks new, created right before a crash.
pub(super) fn unrecorded(run: &AgentRun, jobs: &Store<JobView>) -> Option<Arc<JobView>> {
    let known = |part| in_store(run, &name(run, part), jobs);
    let is_new = Stage::of(run) == Stage::New;
    is_new.then(|| known(first(run)).or_else(|| known(first_of_other_type(run))))?
}

/// Whether a run that looks new has a Job that was made when the run was of another type.
pub(super) async fn has_one_of_other_type(run: &AgentRun, context: &Context) -> Result<bool, Error> {
    Ok(known(run, &name(run, first_of_other_type(run)), context).await?.is_some())
}

/// The owned Job of this name in the cache.
pub(super) fn cached(run: &AgentRun, name: &str, context: &Context) -> Option<Arc<JobView>> {
    in_store(run, name, &context.jobs)
}

/// The owned Job of this name in the cache; while that is in doubt, as the API server has it now.
pub(super) async fn known(
    run: &AgentRun,
    name: &str,
    context: &Context,
) -> Result<Option<Arc<JobView>>, Error> {
    if context.doubt.is_raised() {
        read_owned(run, name, context).await
    } else {
        Ok(cached(run, name, context))
    }
}

/// A Job that was looked for.
pub(super) struct Found {
    /// The owned Job, if there is one.
    pub job: Option<Arc<JobView>>,
    /// When it is to be looked at again without any event.
    pub look_again: Duration,
}

/// Finds the owned Job of this name that is `the_one`, in the cache or at the API server.
pub(super) async fn find(
    run: &AgentRun,
    name: &str,
    the_one: impl Fn(&JobView) -> bool,
    context: &Context,
) -> Result<Found, Error> {
    let cached = cached(run, name, context).filter(|job| the_one(job));
    let look_again = if cached.is_some() { SAFETY_NET } else { UNWATCHED_POLL };
    if cached.is_some() && !context.doubt.is_raised() {
        return Ok(Found { job: cached, look_again });
    }
    let job = read_owned(run, name, context).await?.filter(|job| the_one(job));
    Ok(Found { job, look_again })
}

/// The owned Job of this name as the API server has it now.
pub(super) async fn read_owned(
    run: &AgentRun,
    name: &str,
    context: &Context,
) -> Result<Option<Arc<JobView>>, Error> {
    let read = read(run, name, context).await?;
    Ok(read.filter(|job| is_owned(run, job)).map(Arc::new))
}

fn in_store(run: &AgentRun, name: &str, jobs: &Store<JobView>) -> Option<Arc<JobView>> {
    let key = ObjectRef::new(name).within(&run.namespace().unwrap_or_default());
    jobs.get(&key).filter(|job| is_owned(run, job))
}

/// The Job of this name as the API server has it now, whoever owns it.
pub(super) async fn read(run: &AgentRun, name: &str, context: &Context) -> Result<Option<JobView>, Error> {
    let elsewhere = recorded(run, "namespace").filter(|_| Defect::RecordedNamespaceIsFollowed.is_planted());
    let api = match elsewhere {
        Some(namespace) => Api::namespaced(context.client.clone(), namespace),
        None => context.api::<JobView>(run),
    };
    api.get_opt(name).await.map_err(|source| Error::ReadGenerated {
        kind: "Job",
        name: name.to_owned(),
        source,
    })
}

/// Whether the run's uid controls the Job.
pub(super) fn is_owned(run: &AgentRun, job: &JobView) -> bool {
    run.uid().is_some_and(|uid| ownership::is_owned(&job.metadata, &uid))
}

/// Deletes all Jobs of the run; their pods go in the background.
pub(super) async fn delete_all(run: &AgentRun, context: &Context) -> Result<(), Error> {
    for name in all_names(run, context) {
        delete(run, &name, context).await?;
    }
    Ok(())
}

/// Deletes the Jobs of the run that are not finished. Those that are keep what they have to tell until
/// their time to live is over.
pub(super) async fn delete_active(run: &AgentRun, context: &Context) -> Result<(), Error> {
    for name in all_names(run, context) {
        let known = known(run, &name, context).await?;
        if !known.is_some_and(|job| Outcome::of(&job).is_finished()) {
            delete(run, &name, context).await?;
        }
    }
    Ok(())
}

/// Deletes the owned Job of this name, if there is one; its pods go in the background.
async fn delete(run: &AgentRun, name: &str, context: &Context) -> Result<(), Error> {
    let job = if let Some(job) = cached(run, name, context) {
        Some(job)
    } else {
        // The cache may not have seen a Job that was created a moment ago.
        let is_own = |job: &JobView| is_owned(run, job) || Defect::JobsDeletedByName.is_planted();
        read(run, name, context).await?.filter(is_own).map(Arc::new)
    };
    let Some(job) = job else {
        return if Defect::DeletionNeedsJob.is_planted() { Err(Error::Stopping) } else { Ok(()) };
    };
    remove(run, &job, PropagationPolicy::Background, None, context).await
}

/// Stops this version of an owned Job; it stays until its pods are gone. One that has changed is left alone, as it may
/// have ended.
pub(super) async fn stop(run: &AgentRun, job: &JobView, context: &Context) -> Result<(), Error> {
    remove(run, job, PropagationPolicy::Foreground, job.resource_version(), context).await
}

async fn remove(
    run: &AgentRun,
    job: &JobView,
    propagation: PropagationPolicy,
    resource_version: Option<String>,
    context: &Context,
) -> Result<(), Error> {
    let params = DeleteParams {
        propagation_policy: Some(propagation),
        preconditions: Some(Preconditions { uid: job.uid(), resource_version }),
        ..DeleteParams::default()
    };
    let name = job.name_any();
    match context.api::<JobView>(run).delete(&name, &params).await {
        Ok(_) => Ok(()),
        Err(error) if api_code(&error) == Some(404) => Ok(()),
        Err(source) => Err(Error::DeleteJob { name, source }),
    }
}
