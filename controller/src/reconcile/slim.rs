//! What the caches leave out: all that no decision looks at.
//!
//! There may be ten thousand runs that have ended, each with a Job that has ended, so a few hundred bytes
//! of each are megabytes of the process.

use kube::core::ObjectMeta;
use serde_json::{Value, json};

use crate::api::{
    AgentRun, AgentRunSpec, AgentRunStatus, JobView, JobViewStatus, Runtime, Workflow, WorkflowStatus,
    WorkflowStep, WorkflowStepStatus,
};
use crate::decide::outcome::Outcome;
use crate::decide::retention::RETAIN;
use crate::decide::stage::Stage;
use crate::decide::ttl;

use super::jobs;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Drops what may be larger than the rest of the object.
pub(super) fn slim(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// Of a run that has ended only that stays from which its expiry, the names of its Jobs and their time to
/// live follow.
pub(super) fn slim_run(run: &mut AgentRun) {
    run.metadata.managed_fields = None;
    // Its status is still to be replaced, which takes all that is left here.
    if Stage::of(run) != Stage::Terminal {
        return;
    }
    // Only the admission of new runs looks at labels.
    run.metadata.labels = None;
    run.metadata.owner_references = None;
    if let Some(annotations) = &mut run.metadata.annotations {
        annotations.retain(|key, _| key == RETAIN);
    }
    run.metadata.annotations.take_if(|annotations| annotations.is_empty());
    let runtime = std::mem::take(&mut run.spec.runtime);
    run.spec = AgentRunSpec {
        runtime: Runtime { config: runtime.config.and_then(|config| job_ttl(&config)), ..runtime },
        ttl_seconds_after_finished: run.spec.ttl_seconds_after_finished,
        workflow: run.spec.workflow.take().map(number_of_steps),
        ..AgentRunSpec::default()
    };
    let job = jobs::recorded(run, "name").filter(|name| *name != jobs::name(run, jobs::first(run)));
    let runtime_ref = job.map(|name| json!({"name": name}));
    let Some(status) = run.status.take() else { return };
    // Where one of these is known nobody looks for the end in the conditions.
    let has_end = status.finished_at.is_some() || status.updated_at.is_some();
    let mut conditions = if has_end { Vec::new() } else { status.conditions };
    conditions.retain(|condition| condition.status == "True");
    for condition in &mut conditions {
        condition.message = String::new();
    }
    run.status = Some(AgentRunStatus {
        phase: status.phase,
        observed_generation: status.observed_generation,
        observed_uid: status.observed_uid,
        finished_at: status.finished_at,
        updated_at: status.updated_at,
        conditions,
        runtime_ref,
        workflow: status.workflow.map(|workflow| Box::new(attempts(*workflow))),
        ..AgentRunStatus::default()
    });
}

/// The settings of a runtime without all but the Job's time to live.
fn job_ttl(config: &Value) -> Option<Value> {
    config.get(ttl::KEY).map(|seconds| json!({ttl::KEY: seconds}))
}

/// A workflow of as many empty steps.
fn number_of_steps(workflow: Workflow) -> Workflow {
    let steps = workflow.steps.map(|steps| vec![WorkflowStep::default(); steps.len()]);
    Workflow { steps }
}

/// What tells how often each step was tried.
fn attempts(workflow: WorkflowStatus) -> WorkflowStatus {
    let attempt = |step: WorkflowStepStatus| WorkflowStepStatus {
        attempt: step.attempt,
        ..WorkflowStepStatus::default()
    };
    let steps = workflow.steps.map(|steps| steps.into_iter().map(attempt).collect());
    WorkflowStatus { steps, ..WorkflowStatus::default() }
}

/// A Job is found by its owner, and all that matters else is its outcome.
pub(super) fn slim_job(job: &mut JobView) {
    slim(&mut job.metadata);
    job.metadata.labels = None;
    job.metadata.annotations = None;
    job.metadata.finalizers = None;
    let outcome = Outcome::of(job);
    let status = std::mem::take(&mut job.status);
    let mut conditions = status.conditions;
    conditions.retain(|condition| matches!(outcome, Outcome::Failed { .. }) && condition.type_ == "Failed");
    let (completion_time, succeeded) = match outcome {
        Outcome::Succeeded { at } => (at, Some(1)),
        Outcome::Active | Outcome::Failed { .. } => (None, None),
    };
    job.status = JobViewStatus { conditions, start_time: status.start_time, completion_time, succeeded };
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;
    use rstest::rstest;

    use super::*;
    use crate::decide::retention::expiry;
    use crate::decide::ttl::{TtlDefault, for_run};

    const END: &str = "2026-01-02T00:00:00Z";

    fn condition(type_: &str, status: &str) -> Value {
        json!({
            "type": type_, "status": status, "reason": "Reason", "message": "text",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    }

    fn run(runtime: &Value, status: &Value) -> AgentRun {
        let mut status = status.clone();
        let conditions = [("Accepted", "True"), ("Succeeded", "True"), ("Failed", "False")];
        status["conditions"] = conditions.map(|(type_, status)| condition(type_, status)).into();
        status["specHash"] = "abc".into();
        status["observedUID"] = "uid".into();
        serde_json::from_value(json!({
            "metadata": {
                "name": "run", "namespace": "ns", "uid": "uid", "labels": {"team": "a"},
                "annotations": {"agents.proompteng.ai/retain": "false", "other": "yes"},
            },
            "spec": {
                "agentRef": {"name": "agent"}, "systemPrompt": "long", "ttlSecondsAfterFinished": 7,
                "runtime": runtime, "workflow": {"steps": [{"name": "a", "retries": 1}]},
            },
            "status": status,
        }))
        .unwrap()
    }

    fn job_runtime() -> Value {
        json!({"type": "job", "config": {"ttlSecondsAfterFinished": 60, "image": "x"}})
    }

    /// What is decided about a run that has ended does not depend on what the cache leaves out.
    #[rstest]
    #[case(job_runtime(), json!({"phase": "Succeeded", "finishedAt": END}))]
    #[case(job_runtime(), json!({"phase": "Succeeded"}))]
    #[case(job_runtime(), json!({"phase": "Cancelled", "updatedAt": END}))]
    #[case(job_runtime(), json!({"phase": "Failed", "finishedAt": END, "runtimeRef": {"name": "run-job"}}))]
    #[case(job_runtime(), json!({"phase": "Failed", "finishedAt": END, "runtimeRef": {"name": "other", "uid": "u"}}))]
    #[case(json!({"type": "job"}), json!({"phase": "Failed", "finishedAt": END}))]
    #[case(
        json!({"type": "workflow"}),
        json!({
            "phase": "Failed", "finishedAt": END, "runtimeRef": {"name": "run-step-1-attempt-2"},
            "workflow": {"steps": [{"name": "a", "attempt": 2}]},
        })
    )]
    fn a_slim_run_leads_to_the_decisions_of_a_whole_one(#[case] runtime: Value, #[case] status: Value) {
        let whole = run(&runtime, &status);
        let mut slim = whole.clone();
        slim_run(&mut slim);
        assert_eq!(Stage::of(&slim), Stage::Terminal);
        assert_eq!(expiry(&slim, 3600), expiry(&whole, 3600));
        assert_eq!(jobs::possible_names(&slim), jobs::possible_names(&whole));
        let ttl = |run: &AgentRun| for_run(run.spec.runtime.config.as_ref(), &TtlDefault::default());
        assert_eq!(ttl(&slim), ttl(&whole));
        assert_eq!(slim.status.as_ref().unwrap().observed_uid, whole.status.as_ref().unwrap().observed_uid);
        let (spec, status) = (&slim.spec, slim.status.as_ref().unwrap());
        assert!(spec.system_prompt.is_none() && status.spec_hash.is_none() && slim.metadata.labels.is_none());
    }

    #[test]
    fn a_run_on_its_way_keeps_what_is_compared_and_what_goes_along_with_its_status() {
        let mut whole = run(&job_runtime(), &json!({"phase": "Running"}));
        whole.annotations_mut().insert(LAST_APPLIED.to_owned(), "{}".to_owned());
        let mut slim = whole.clone();
        slim.metadata.managed_fields = Some(Vec::new());
        slim_run(&mut slim);
        assert_eq!(slim.metadata, whole.metadata);
        assert_eq!((slim.spec, slim.status), (whole.spec, whole.status));
    }

    #[rstest]
    #[case(json!({}))]
    #[case(json!({"startTime": END}))]
    #[case(json!({"succeeded": 1}))]
    #[case(json!({"conditions": [condition("FailureTarget", "True")]}))]
    #[case(json!({"conditions": [condition("Complete", "True")]}))]
    #[case(json!({"conditions": [condition("SuccessCriteriaMet", "True"), condition("Complete", "True")], "completionTime": END}))]
    #[case(json!({"conditions": [condition("FailureTarget", "True"), condition("Failed", "True")], "startTime": END}))]
    fn a_slim_job_has_the_outcome_of_a_whole_one(#[case] status: Value) {
        let mut job: JobView =
            serde_json::from_value(json!({"metadata": {"labels": {"a": "b"}}, "status": status})).unwrap();
        let whole = job.clone();
        slim_job(&mut job);
        assert_eq!(Outcome::of(&job), Outcome::of(&whole));
        assert_eq!((job.status.start_time, job.metadata.labels), (whole.status.start_time, None));
    }

    #[test]
    fn metadata_is_cached_without_its_bulk() {
        let mut metadata: ObjectMeta = serde_json::from_value(json!({
            "name": "a", "managedFields": [{"manager": "m"}],
            "annotations": {LAST_APPLIED: "{}", "kept": "yes"},
        }))
        .unwrap();
        slim(&mut metadata);
        assert_eq!(metadata.managed_fields, None);
        assert_eq!(metadata.annotations.unwrap().into_keys().collect::<Vec<_>>(), ["kept"]);
    }
}
