//! Changes to the status of a workflow: what its attempts did, step by step.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::json;

use crate::api::{JobRef, JobView, WorkflowStatus, WorkflowStep, WorkflowStepStatus};

use super::super::workflow::steps;
use super::draft::{Draft, Failure, whole_second};
use super::{phase, reason, step_phase};

/// How an attempt went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptFailure {
    /// Reason of the run if no attempt is left.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
    /// When, if the Job says so.
    pub at: Option<Time>,
}

impl Draft<'_> {
    /// An attempt has its Job, and began at this time.
    pub fn attempt_started(
        &mut self,
        step: usize,
        attempt: i32,
        job: &JobView,
        began: Timestamp,
    ) -> &mut Self {
        // The draft is as old as the pass, of which the making of the Job is a part.
        let began = whole_second(began);
        self.now = self.now.clone().max(began.clone());
        let now = self.now.clone();
        let reference =
            JobRef { name: Some(job.name_any()), namespace: self.run.namespace(), uid: job.uid() };
        self.workflow_phase(step_phase::RUNNING);
        let mut name = String::new();
        if let Some(status) = self.step(step) {
            name.clone_from(&status.name);
            *status = WorkflowStepStatus {
                name: name.clone(),
                phase: Some(step_phase::RUNNING.to_owned()),
                attempt: Some(attempt),
                started_at: Some(began.clone()),
                last_transition_time: Some(now),
                job_ref: Some(reference),
                unknown: std::mem::take(&mut status.unknown),
                ..WorkflowStepStatus::default()
            };
        }
        self.refer_to(json!({
            "type": self.run.spec.runtime.type_,
            "name": job.name_any(),
            "namespace": self.run.namespace(),
            "uid": job.uid(),
            "runName": self.run.name_any(),
            "stepName": name,
        }));
        self.status.started_at.get_or_insert(began);
        // A warning about an edited spec is none about the attempt before.
        self.settle_warning(reason::SUBMIT_RETRYING);
        self.settle_warning(reason::WORKFLOW_JOB_MISSING).in_progress()
    }

    /// The Job of the attempt was seen.
    pub fn attempt_observed(&mut self, step: usize, attempt: i32, job: &JobView) -> &mut Self {
        let now = self.now.clone();
        if let Some(status) = self.step(step) {
            status.job_observed_at.get_or_insert(now);
        }
        if let Some(started) = job.status.start_time.clone().filter(|_| (step, attempt) == (0, 1)) {
            self.status.started_at = Some(started);
        }
        self.in_progress()
    }

    /// The step is done, and with the last one the run.
    pub fn step_succeeded(&mut self, step: usize, at: Option<Time>) -> &mut Self {
        // Steps that were added to the spec later are none of what was accepted, and those taken away are no more.
        let accepted = self.workflow().steps.as_ref().map_or(0, Vec::len);
        let is_last = step + 1 >= steps(self.run).len().min(accepted);
        self.step_ended(step, step_phase::SUCCEEDED, "", at.clone());
        if is_last {
            self.workflow_phase(step_phase::SUCCEEDED);
            self.succeeded(at);
        }
        self
    }

    /// An attempt went wrong. With a time for the next one the run goes on, else it has failed.
    pub fn attempt_failed(
        &mut self,
        step: usize,
        failure: &AttemptFailure,
        retry_at: Option<Timestamp>,
    ) -> &mut Self {
        let Some(retry_at) = retry_at else {
            let name = self.step(step).map(|status| status.name.clone()).unwrap_or_default();
            let message = format!("workflow step {name:?}: {}", failure.message);
            self.step_ended(step, step_phase::FAILED, &failure.message, failure.at.clone());
            return self.failed(Failure::Failed, failure.reason, &message, failure.at.clone());
        };
        self.step_ended(step, step_phase::RETRYING, &failure.message, failure.at.clone());
        // Whole seconds, as everywhere; rounded up, so that the back-off is never cut short.
        let second = retry_at.as_second() + i64::from(retry_at.subsec_nanosecond() > 0);
        let retry_at = Timestamp::from_second(second).unwrap_or(retry_at);
        if let Some(status) = self.step(step) {
            status.next_retry_at = Some(Time(retry_at));
        }
        if failure.reason == reason::WORKFLOW_JOB_MISSING {
            self.condition(reason::WARNING, true, reason::WORKFLOW_JOB_MISSING, &failure.message);
        }
        self
    }

    /// The run has failed: so has its workflow, and the step that was at work.
    pub(super) fn fail_workflow(&mut self, message: &str) {
        let at_work = |status: &WorkflowStepStatus| {
            matches!(status.phase.as_deref(), Some(step_phase::RUNNING | step_phase::RETRYING))
        };
        let steps = self.status.workflow.iter().filter_map(|workflow| workflow.steps.as_ref()).flatten();
        let unfinished: Vec<usize> =
            steps.enumerate().filter(|(_, status)| at_work(status)).map(|(index, _)| index).collect();
        for step in unfinished {
            self.step_ended(step, step_phase::FAILED, message, None);
        }
        if self.status.workflow.is_some() {
            self.workflow_phase(step_phase::FAILED);
        }
    }

    fn step_ended(&mut self, step: usize, phase: &str, message: &str, at: Option<Time>) {
        let now = self.now.clone();
        let Some(status) = self.step(step) else { return };
        let ended = at.unwrap_or_else(|| now.clone());
        status.finished_at = status.started_at.clone().into_iter().chain([ended]).max();
        status.next_retry_at = None;
        status.message = (!message.is_empty()).then(|| message.to_owned());
        if status.phase.as_deref() != Some(phase) {
            status.phase = Some(phase.to_owned());
            status.last_transition_time = Some(now);
        }
    }

    fn workflow_phase(&mut self, phase: &str) {
        let now = self.now.clone();
        let workflow = self.workflow();
        if workflow.phase.as_deref() != Some(phase) {
            workflow.phase = Some(phase.to_owned());
            workflow.last_transition_time = Some(now);
        }
    }

    fn step(&mut self, step: usize) -> Option<&mut WorkflowStepStatus> {
        self.workflow().steps.as_mut()?.get_mut(step)
    }

    /// The status of the workflow; all steps are pending at first.
    fn workflow(&mut self) -> &mut WorkflowStatus {
        let pending = |step: &WorkflowStep| WorkflowStepStatus {
            name: step.name.trim().to_owned(),
            phase: Some(step_phase::PENDING.to_owned()),
            ..WorkflowStepStatus::default()
        };
        let run = self.run;
        self.status.workflow.get_or_insert_with(|| {
            let steps = Some(steps(run).iter().map(pending).collect());
            Box::new(WorkflowStatus { steps, ..WorkflowStatus::default() })
        })
    }

    fn in_progress(&mut self) -> &mut Self {
        self.status.phase = Some(phase::RUNNING.to_owned());
        self.started()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use crate::api::AgentRun;

    use super::*;

    const START: &str = "2026-01-01T00:00:00Z";

    fn at(second: i64) -> Timestamp {
        let start: Timestamp = START.parse().unwrap();
        Timestamp::from_second(start.as_second() + second).unwrap()
    }

    fn new_run() -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": "r", "namespace": "ns", "uid": "u", "generation": 1, "resourceVersion": "7"},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "workflow"}, "workflow": {"steps": [
                {"name": "a", "retries": 1}, {"name": "b"},
            ]}},
        }))
        .unwrap()
    }

    fn job(name: &str) -> JobView {
        serde_json::from_value(json!({"metadata": {"name": name, "uid": format!("uid-{name}")}})).unwrap()
    }

    /// Lets `change` act on the run at this second and writes the result the way the API server would.
    fn then(run: &AgentRun, second: i64, change: impl FnOnce(&mut Draft<'_>)) -> AgentRun {
        let mut draft = Draft::of(run, at(second));
        change(&mut draft);
        let mut object = serde_json::to_value(run).unwrap();
        object["status"] = serde_json::to_value(draft.into_update().unwrap().status).unwrap();
        serde_json::from_value(object).unwrap()
    }

    fn started() -> AgentRun {
        then(&new_run(), 0, |draft| {
            draft.attempt_started(0, 1, &job("a1"), at(0));
        })
    }

    fn failure(reason: &'static str) -> AttemptFailure {
        AttemptFailure { reason, message: "broken".to_owned(), at: None }
    }

    fn status(run: &AgentRun) -> Value {
        serde_json::to_value(run.status.as_ref().unwrap()).unwrap()
    }

    /// [WF-05] [LC-05]
    #[test]
    fn the_first_attempt_makes_the_run_running_and_leaves_later_steps_pending() {
        let status = status(&started());
        assert_eq!(status["phase"], "Running");
        assert_eq!(status["workflow"]["phase"], "Running");
        assert_eq!(
            status["workflow"]["steps"][0],
            json!({
                "name": "a", "phase": "Running", "attempt": 1, "startedAt": START, "lastTransitionTime": START,
                "jobRef": {"name": "a1", "namespace": "ns", "uid": "uid-a1"},
            })
        );
        assert_eq!(status["workflow"]["steps"][1], json!({"name": "b", "phase": "Pending"}));
        let expected = json!({
            "type": "workflow", "name": "a1", "namespace": "ns", "uid": "uid-a1", "runName": "r", "stepName": "a",
        });
        assert_eq!(status["runtimeRef"], expected);
    }

    /// [WF-02] [WF-05]
    #[test]
    fn a_failed_attempt_is_followed_by_another_one_and_then_by_the_end() {
        let retrying = then(&started(), 5, |draft| {
            draft.attempt_failed(0, &failure(reason::WORKFLOW_STEP_FAILED), Some(at(9)));
        });
        let waiting = status(&retrying);
        assert_eq!(waiting["phase"], "Running");
        assert_eq!(waiting["workflow"]["steps"][0]["phase"], "Retrying");
        assert_eq!(waiting["workflow"]["steps"][0]["nextRetryAt"], json!(at(9).to_string()));
        assert_eq!(waiting["workflow"]["steps"][0]["finishedAt"], json!(at(5).to_string()));
        let again = then(&retrying, 9, |draft| {
            draft.attempt_started(0, 2, &job("a2"), at(9));
        });
        assert_eq!(status(&again)["workflow"]["steps"][0]["attempt"], 2);
        assert_eq!(status(&again)["workflow"]["steps"][0].get("finishedAt"), None);
        let failed = status(&then(&again, 12, |draft| {
            draft.attempt_failed(0, &failure(reason::WORKFLOW_STEP_FAILED), None);
        }));
        assert_eq!((&failed["phase"], &failed["reason"]), (&json!("Failed"), &json!("WorkflowStepFailed")));
        assert_eq!(failed["workflow"]["phase"], "Failed");
        assert_eq!(failed["workflow"]["steps"][0]["phase"], "Failed");
        assert_eq!(failed["workflow"]["steps"][1]["phase"], "Pending");
    }

    /// [WF-03] The making of a Job is a part of the pass, and none of the time that its attempt has.
    #[test]
    fn an_attempt_begins_with_its_job_and_not_with_the_pass() {
        let run = then(&new_run(), 0, |draft| {
            draft.attempt_started(0, 1, &job("a1"), at(7));
        });
        let step = &status(&run)["workflow"]["steps"][0];
        assert_eq!(step["startedAt"], json!(at(7).to_string()));
        assert_eq!(step["lastTransitionTime"], json!(at(7).to_string()));
    }

    /// Where the spec may be edited, the steps that were accepted decide when a run is done.
    #[rstest]
    #[case::added(&["a", "b", "c"], 1)]
    #[case::taken_away(&["a"], 0)]
    fn a_run_ends_with_the_last_step_that_it_was_accepted_with(#[case] names: &[&str], #[case] last: usize) {
        let mut run = started();
        let steps: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        run.spec.workflow.as_mut().unwrap().steps = serde_json::from_value(json!(steps)).unwrap();
        for step in 0..=last {
            assert_eq!(status(&run)["phase"], "Running");
            run = then(&run, 3, |draft| {
                draft.step_succeeded(step, Some(Time(at(2))));
            });
        }
        assert_eq!(status(&run)["phase"], "Succeeded");
    }

    /// [WF-01] [LC-06]
    #[test]
    fn the_last_step_ends_the_run() {
        let second = then(&started(), 3, |draft| {
            draft.step_succeeded(0, Some(Time(at(2))));
        });
        assert_eq!(status(&second)["phase"], "Running");
        let running = then(&second, 4, |draft| {
            draft.attempt_started(1, 1, &job("b1"), at(4));
        });
        let done = status(&then(&running, 9, |draft| {
            draft.step_succeeded(1, Some(Time(at(8))));
        }));
        assert_eq!((&done["phase"], &done["finishedAt"]), (&json!("Succeeded"), &json!(at(8).to_string())));
        assert_eq!(done["workflow"]["phase"], "Succeeded");
        assert_eq!(done["startedAt"], START);
    }

    #[rstest]
    #[case(reason::WORKFLOW_JOB_MISSING, Some("WorkflowJobMissing"))]
    #[case(reason::WORKFLOW_STEP_TIMED_OUT, None)]
    fn a_vanished_job_is_a_warning_until_the_next_attempt(
        #[case] reason: &'static str,
        #[case] warning: Option<&str>,
    ) {
        let retrying = then(&started(), 5, |draft| {
            draft.attempt_failed(0, &failure(reason), Some(at(5)));
        });
        let state = |run: &AgentRun| {
            let conditions = run.status.clone().unwrap().conditions;
            let warning = conditions.into_iter().find(|condition| condition.type_ == reason::WARNING);
            warning.filter(|condition| condition.status == "True").map(|condition| condition.reason)
        };
        assert_eq!(state(&retrying).as_deref(), warning);
        let again = then(&retrying, 6, |draft| {
            draft.attempt_started(0, 2, &job("a2"), at(6));
        });
        assert_eq!(state(&again), None);
    }

    /// The next attempt has nothing to do with an edit of the spec.
    #[test]
    fn a_warning_of_an_edit_outlives_the_attempt() {
        let again = then(&started(), 5, |draft| {
            draft.condition(reason::WARNING, true, reason::SPEC_IMMUTABLE_VIOLATION, "edited");
            draft.attempt_started(0, 2, &job("a2"), at(5));
        });
        let conditions = &again.status.as_ref().unwrap().conditions;
        assert!(crate::decide::status::condition_is_true(conditions, reason::WARNING));
    }

    #[test]
    fn a_run_that_fails_for_another_reason_fails_its_step_too() {
        let failed = status(&then(&started(), 5, |draft| {
            draft.failed(Failure::Failed, reason::SPEC_IMMUTABLE_VIOLATION, "edited", None);
        }));
        assert_eq!(failed["workflow"]["phase"], "Failed");
        assert_eq!(failed["workflow"]["steps"][0]["phase"], "Failed");
    }
}
