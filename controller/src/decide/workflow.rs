//! Workflows: which attempt of which step is at work, and what follows when it ends.
//!
//! ```text
//! Pending ──▶ Running ──▶ Succeeded ──▶ (next step)
//!               │  ▲
//!        failed ▼  │ due
//!             Retrying ──▶ Failed (no attempt is left: the run fails)
//! ```

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::{AgentRun, JobView, WorkflowStep, WorkflowStepStatus};
use crate::defects::Defect;

use super::outcome::Outcome;
use super::status::step_phase;

/// Steps that a run can have; the schema allows no more.
const MOST_STEPS: usize = 50;
/// Attempts of one step of which Jobs are looked for by name, the last ones.
///
/// Anybody who may write a status may put any number there, so nothing may take as long as it says. An attempt
/// only begins when those before it have ended: what is still at work, or was started right before a crash, is
/// among the last.
const LATEST: i32 = 5;

/// What the run waits for, or is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The Job of this attempt is executed.
    Attempt {
        /// Index of the step, from 0.
        step: usize,
        /// Number of the attempt, from 1.
        attempt: i32,
        /// When the attempt has taken too long.
        deadline: Option<Timestamp>,
    },
    /// This attempt is due.
    Due {
        /// Index of the step, from 0.
        step: usize,
        /// Number of the attempt, from 1.
        attempt: i32,
    },
    /// The next attempt is due later.
    Waiting {
        /// When.
        until: Timestamp,
    },
    /// An attempt is due, but the step has none left.
    Exhausted {
        /// Index of the step, from 0.
        step: usize,
    },
}

/// The steps of `run`; none unless it is a workflow.
pub fn steps(run: &AgentRun) -> &[WorkflowStep] {
    let workflow = run.spec.workflow.as_ref();
    workflow.and_then(|workflow| workflow.steps.as_deref()).unwrap_or_default()
}

/// What is on record about the steps of `run`.
pub fn recorded(run: &AgentRun) -> &[WorkflowStepStatus] {
    let workflow = run.status.as_ref().and_then(|status| status.workflow.as_ref());
    workflow.and_then(|workflow| workflow.steps.as_deref()).unwrap_or_default()
}

/// Reads the progress of an accepted run from its status.
///
/// A run that was accepted and has nothing on record had its first attempt: it is looked for, and never
/// made again.
pub fn progress(run: &AgentRun, now: Timestamp) -> Progress {
    let is_over = |status: &WorkflowStepStatus| match status.phase.as_deref() {
        Some(step_phase::RUNNING) => Defect::StepsSideBySide.is_planted(),
        phase => phase == Some(step_phase::SUCCEEDED),
    };
    let recorded = recorded(run);
    let step = recorded.iter().position(|status| !is_over(status)).unwrap_or(recorded.len());
    let Some(status) = recorded.get(step) else {
        return Progress::Attempt { step: step.saturating_sub(1), attempt: 1, deadline: None };
    };
    let attempt = status.attempt.unwrap_or_default().max(0);
    match status.phase.as_deref() {
        Some(step_phase::RUNNING) => {
            Progress::Attempt { step, attempt: attempt.max(1), deadline: deadline(run, step, status) }
        }
        Some(step_phase::RETRYING) => match status.next_retry_at.as_ref().filter(|at| at.0 > now) {
            Some(at) => Progress::Waiting { until: at.0 },
            None if attempt < attempts(run, step) => Progress::Due { step, attempt: attempt + 1 },
            None => Progress::Exhausted { step },
        },
        _ => Progress::Due { step, attempt: 1 },
    }
}

/// When the attempt after this one is due, `None` if it was the last.
pub fn retry_at(run: &AgentRun, step: usize, attempt: i32, now: Timestamp) -> Option<Timestamp> {
    // Without a record nobody knows what was tried before.
    let has_record = recorded(run).get(step).is_some();
    let backoff = steps(run).get(step)?.retry_backoff_seconds.unwrap_or_default().max(0);
    let is_left = has_record && attempt < attempts(run, step);
    is_left.then(|| now.saturating_add(SignedDuration::from_secs(backoff.into())).unwrap_or(Timestamp::MAX))
}

/// Whether an attempt whose Job has been `missing` for this long had taken too long before.
///
/// The Job of a late attempt is deleted before the status says so [WF-03]. Who is killed in between finds no Job
/// afterwards, and must not take it for one that somebody else has deleted.
pub fn was_late(deadline: Option<Timestamp>, missing: Duration, now: Timestamp) -> bool {
    let missed_at = now.saturating_sub(missing).unwrap_or(Timestamp::MIN);
    deadline.is_some_and(|deadline| deadline <= missed_at) && !Defect::LateIsMissing.is_planted()
}

/// Whether a Job was deleted because its attempt took too long. What it says afterwards is how its pods ended, which
/// a kill or a refused write may let the next pass see before the status tells the reason.
pub fn was_stopped(deadline: Option<Timestamp>, job: &JobView) -> bool {
    let late = |deleted: Timestamp| deadline.is_some_and(|deadline| deadline <= deleted);
    cut_short(job).is_some_and(late) && !Defect::StoppedJobsCount.is_planted()
}

/// Whether pods of the Job may be executed. Of a deleted Job they may be although it says that it has failed:
/// a termination takes its time.
pub fn is_at_work(job: &JobView) -> bool {
    !Outcome::of(job).is_finished() || cut_short(job).is_some()
}

/// When the Job was deleted, if it had not ended before.
fn cut_short(job: &JobView) -> Option<Timestamp> {
    let deleted = job.metadata.deletion_timestamp.as_ref()?.0;
    let ended = match Outcome::of(job) {
        Outcome::Active => None,
        Outcome::Succeeded { at } | Outcome::Failed { at, .. } => at,
    };
    ended.is_none_or(|ended| ended.0 >= deleted).then_some(deleted)
}

/// The attempts of which a Job may be at work, a started one that is not on record yet included. There are
/// never more than five of each step; earlier ones are left out, see [`has_earlier_attempts`].
pub fn possible_attempts(run: &AgentRun) -> Vec<(usize, i32)> {
    let attempts = numbers_of_attempts(run).enumerate().flat_map(|(step, known)| {
        let next = known.saturating_add(1);
        let first = next.saturating_sub(LATEST - 1).max(1);
        (first..=next).map(move |attempt| (step, attempt))
    });
    attempts.collect()
}

/// Whether there may have been attempts that [`possible_attempts`] leaves out.
pub fn has_earlier_attempts(run: &AgentRun) -> bool {
    numbers_of_attempts(run).any(|known| known >= LATEST)
}

/// The number of the last recorded attempt of each step.
fn numbers_of_attempts(run: &AgentRun) -> impl Iterator<Item = i32> {
    let recorded = recorded(run);
    let steps = steps(run).len().max(recorded.len()).min(MOST_STEPS);
    (0..steps).map(|step| recorded.get(step).and_then(|status| status.attempt).unwrap_or_default().max(0))
}

fn attempts(run: &AgentRun, step: usize) -> i32 {
    let retries = steps(run).get(step).and_then(|step| step.retries).unwrap_or_default();
    retries.max(0).saturating_add(i32::from(!Defect::OneAttemptTooFew.is_planted()))
}

fn deadline(run: &AgentRun, step: usize, status: &WorkflowStepStatus) -> Option<Timestamp> {
    let seconds = steps(run).get(step)?.timeout_seconds.filter(|seconds| *seconds > 0)?;
    if Defect::TimeoutsIgnored.is_planted() {
        return None;
    }
    status.started_at.as_ref()?.0.checked_add(SignedDuration::from_secs(seconds.into())).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const START: &str = "2026-01-01T00:00:00Z";

    fn now() -> Timestamp {
        START.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(100)
    }

    #[expect(clippy::needless_pass_by_value, reason = "literals read better without a borrow")]
    fn run(status: Value) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": "r"},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "workflow"}, "workflow": {"steps": [
                {"name": "a", "retries": 2, "retryBackoffSeconds": 30, "timeoutSeconds": 60},
                {"name": "b", "retries": -3, "retryBackoffSeconds": -5, "timeoutSeconds": 0},
            ]}},
            "status": {"phase": "Running", "workflow": {"steps": status}},
        }))
        .unwrap()
    }

    fn step(name: &str, phase: &str, attempt: i32) -> Value {
        json!({"name": name, "phase": phase, "attempt": attempt, "startedAt": START})
    }

    /// [WF-01] [WF-02] [WF-03]
    #[rstest]
    #[case(json!([{"name": "a", "phase": "Pending"}]), Progress::Due { step: 0, attempt: 1 })]
    #[case(
        json!([step("a", "Running", 2)]),
        Progress::Attempt { step: 0, attempt: 2, deadline: Some(now() - SignedDuration::from_secs(40)) },
    )]
    #[case(json!([step("a", "Succeeded", 1), {"name": "b"}]), Progress::Due { step: 1, attempt: 1 })]
    #[case(
        json!([step("a", "Succeeded", 1), step("b", "Running", 1)]),
        Progress::Attempt { step: 1, attempt: 1, deadline: None },
    )]
    #[case(json!([step("a", "Retrying", 2)]), Progress::Due { step: 0, attempt: 3 })]
    #[case(json!([step("a", "Retrying", 3)]), Progress::Exhausted { step: 0 })]
    #[case(json!([]), Progress::Attempt { step: 0, attempt: 1, deadline: None })]
    fn the_first_step_that_has_not_succeeded_is_at_work(#[case] steps: Value, #[case] expected: Progress) {
        assert_eq!(progress(&run(steps), now()), expected);
    }

    #[test]
    fn a_retry_waits_for_its_time() {
        let mut waiting = step("a", "Retrying", 1);
        waiting["nextRetryAt"] = json!((now() + SignedDuration::from_secs(1)).to_string());
        let run = run(json!([waiting]));
        let until = now() + SignedDuration::from_secs(1);
        assert_eq!(progress(&run, now()), Progress::Waiting { until });
        assert_eq!(progress(&run, until), Progress::Due { step: 0, attempt: 2 });
    }

    /// [WF-02]
    #[rstest]
    #[case(0, 1, Some(30))]
    #[case(0, 2, Some(30))]
    #[case(0, 3, None)]
    #[case(1, 1, None)]
    fn a_step_has_one_attempt_more_than_retries(
        #[case] step_index: usize,
        #[case] attempt: i32,
        #[case] backoff: Option<i64>,
    ) {
        let run = run(json!([step("a", "Running", 1), step("b", "Running", 1)]));
        let expected = backoff.map(|seconds| now() + SignedDuration::from_secs(seconds));
        assert_eq!(retry_at(&run, step_index, attempt, now()), expected);
    }

    /// [WF-03]
    #[rstest]
    #[case::missed_after_its_time(Some(60), 39, true)]
    #[case::missed_when_its_time_was_over(Some(60), 40, true)]
    #[case::missed_before(Some(60), 41, false)]
    #[case::its_time_is_not_over(Some(101), 0, false)]
    #[case::missed_since_ever(Some(60), u64::MAX, false)]
    #[case::has_all_the_time(None, 0, false)]
    fn an_attempt_was_late_if_its_job_was_missed_after_its_time(
        #[case] deadline: Option<i64>,
        #[case] missing: u64,
        #[case] expected: bool,
    ) {
        let deadline =
            deadline.map(|seconds| START.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds));
        assert_eq!(was_late(deadline, Duration::from_secs(missing), now()), expected);
    }

    #[test]
    fn nothing_is_tried_again_when_nothing_is_on_record() {
        assert_eq!(retry_at(&run(json!([])), 0, 1, now()), None);
    }

    proptest! {
        /// [WF-01] [WF-02] The times of a status come from other clocks, and from anybody who may write one. Only
        /// what is on record says which attempts there were, so none is made twice.
        #[test]
        fn no_clock_makes_an_attempt_begin_twice_or_before_its_time(
            started in prop::option::of(any_second()),
            next in prop::option::of(any_second()),
            phase in prop::sample::select(vec!["Pending", "Running", "Retrying", "Succeeded", "Failed"]),
            attempt in -1..5_i32,
            second in any_second(),
        ) {
            let time = |second: Option<i64>| second.map(|second| Timestamp::from_second(second).unwrap());
            let now = Timestamp::from_second(second).unwrap();
            let status = json!({
                "name": "a", "phase": phase, "attempt": attempt,
                "startedAt": time(started), "nextRetryAt": time(next),
            });
            match progress(&run(json!([status])), now) {
                Progress::Due { step: 0, attempt: due } => {
                    prop_assert!(phase != "Retrying" || due == attempt.max(0) + 1);
                    prop_assert!(phase == "Retrying" || due == 1);
                    prop_assert!(phase != "Running" && phase != "Succeeded");
                    prop_assert!(phase != "Retrying" || time(next).is_none_or(|next| next <= now));
                }
                Progress::Attempt { step: 0, attempt: at_work, deadline } => {
                    prop_assert!(phase == "Succeeded" || at_work == attempt.max(1));
                    prop_assert!(deadline.is_none_or(|deadline| Some(deadline) > time(started)));
                }
                Progress::Waiting { until } => {
                    prop_assert!(phase == "Retrying" && until > now && Some(until) == time(next));
                }
                Progress::Exhausted { .. } => prop_assert!(phase == "Retrying" && attempt >= 3),
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
            let again = retry_at(&run(json!([status])), 0, attempt, now);
            prop_assert!(again.is_none_or(|again| again > now || again == Timestamp::MAX));
        }
    }

    /// Any second that has a time.
    fn any_second() -> impl Strategy<Value = i64> {
        let near = Timestamp::UNIX_EPOCH.as_second() + 1_767_225_600;
        prop_oneof![near - 100..near + 100, Timestamp::MIN.as_second() + 1..Timestamp::MAX.as_second()]
    }

    /// [LC-02] A crash right after a Job was made leaves one more than the status tells.
    #[test]
    fn the_attempt_after_the_recorded_one_is_possible_too() {
        let run = run(json!([step("a", "Retrying", 2)]));
        assert_eq!(possible_attempts(&run), [(0, 1), (0, 2), (0, 3), (1, 1)]);
        assert!(!has_earlier_attempts(&run));
    }

    /// [LC-15]
    #[test]
    fn no_number_in_a_status_makes_more_than_a_few_attempts_possible() {
        let run = run(json!(vec![step("a", "Running", i32::MAX); 1000]));
        let possible = possible_attempts(&run);
        assert_eq!(possible.len(), 50 * 5);
        assert_eq!(possible.last(), Some(&(49, i32::MAX)));
        assert!(has_earlier_attempts(&run));
    }
}
