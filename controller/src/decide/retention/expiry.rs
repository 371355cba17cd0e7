//! When a run expires.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use crate::api::{AgentRun, AgentRunStatus};
use crate::defects::Defect;

use super::super::stage::Stage;
use super::super::status::{phase, reason};
use super::super::text::non_blank;

/// Annotation that protects a run.
pub const RETAIN: &str = "agents.proompteng.ai/retain";

/// When retention may delete `run`, `None` for never. `default_seconds` holds for runs that say nothing.
///
/// Only a terminal run whose end is known expires: a missing time is not an infinitely old one.
pub fn expiry(run: &AgentRun, default_seconds: i64) -> Option<Timestamp> {
    let is_terminal = Stage::of(run) == Stage::Terminal || Defect::RunningRunsExpire.is_planted();
    if !is_terminal || run.metadata.deletion_timestamp.is_some() || is_retained(run) {
        return None;
    }
    let own = run.spec.ttl_seconds_after_finished.filter(|_| !Defect::OwnRetentionIgnored.is_planted());
    let mut seconds = own.map_or(default_seconds, i64::from);
    if Defect::RetentionIsJobTtl.is_planted() {
        let config = run.spec.runtime.config.as_ref();
        let job_ttl = config.and_then(|config| config.get("ttlSecondsAfterFinished")?.as_i64());
        seconds = job_ttl.unwrap_or(seconds);
    }
    if Defect::NothingExpires.is_planted() || (own.is_none() && Defect::DefaultRetentionIgnored.is_planted())
    {
        return None;
    }
    if seconds <= 0 {
        return None;
    }
    let ended = ended_at(run.status.as_ref()?)
        .or_else(|| Defect::UnknownEndIsLongAgo.is_planted().then_some(Timestamp::UNIX_EPOCH))?;
    let kept = SignedDuration::from_secs(seconds) / if Defect::ExpiresEarly.is_planted() { 2 } else { 1 };
    // A time beyond the end of the calendar is as good as never.
    ended.checked_add(kept).ok()
}

/// Whether the user wants to keep the run. Words that mean "no" do not count.
fn is_retained(run: &AgentRun) -> bool {
    let mark = run.annotations().get(RETAIN).and_then(|value| non_blank(value));
    let mark = mark.filter(|_| !Defect::RetainMarkIgnored.is_planted());
    mark.is_some_and(|value| {
        !matches!(value.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "n" | "off")
    })
}

/// The end of the run, else the last write, else the moment its terminal condition became true.
fn ended_at(status: &AgentRunStatus) -> Option<Timestamp> {
    let types: &[&str] = match status.phase.as_deref() {
        Some(phase::SUCCEEDED) => &[reason::SUCCEEDED],
        Some(phase::FAILED) => &[reason::INVALID_SPEC, reason::FAILED],
        _ => &[reason::CANCELLED],
    };
    let transition = || {
        let mut conditions = status.conditions.iter();
        let terminal = conditions
            .find(|condition| condition.status == "True" && types.contains(&condition.type_.as_str()))?;
        Some(terminal.last_transition_time.clone())
    };
    let ended = status.finished_at.clone().or_else(|| status.updated_at.clone()).or_else(transition)?;
    Some(ended.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const END: &str = "2026-01-01T00:00:00Z";

    fn run(ttl: Option<i64>, annotations: &Value, status: &Value) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": "r", "annotations": annotations},
            "spec": {
                "agentRef": {"name": "a"}, "runtime": {"type": "job"}, "ttlSecondsAfterFinished": ttl,
            },
            "status": status,
        }))
        .unwrap()
    }

    fn seconds_kept(run: &AgentRun, default: i64) -> Option<i64> {
        let end: Timestamp = END.parse().unwrap();
        expiry(run, default).map(|at| at.as_second() - end.as_second())
    }

    /// [RET-05] [RET-06] [RET-07]
    #[rstest]
    #[case(Some(5), 60, Some(5))]
    #[case(None, 60, Some(60))]
    #[case(Some(0), 60, None)]
    #[case(None, 0, None)]
    #[case(Some(5), 0, Some(5))]
    fn the_runs_own_value_beats_the_default_and_zero_keeps(
        #[case] own: Option<i64>,
        #[case] default: i64,
        #[case] expected: Option<i64>,
    ) {
        let run = run(own, &json!({}), &json!({"phase": "Succeeded", "finishedAt": END}));
        assert_eq!(seconds_kept(&run, default), expected);
    }

    /// [RET-04] [RET-11]
    #[rstest]
    #[case("Succeeded", true)]
    #[case("Failed", true)]
    #[case("Cancelled", true)]
    #[case("Running", false)]
    #[case("Pending", false)]
    fn only_terminal_runs_expire(#[case] phase: &str, #[case] expected: bool) {
        let run = run(Some(1), &json!({}), &json!({"phase": phase, "finishedAt": END}));
        assert_eq!(expiry(&run, 1).is_some(), expected);
    }

    /// [RET-03]
    #[rstest]
    #[case(json!({"phase": "Failed", "finishedAt": END, "updatedAt": "2030-01-01T00:00:00Z"}), true)]
    #[case(json!({"phase": "Failed", "updatedAt": END}), true)]
    #[case(json!({"phase": "Failed", "conditions": [condition("InvalidSpec", "True")]}), true)]
    #[case(json!({"phase": "Failed", "conditions": [condition("InvalidSpec", "False")]}), false)]
    #[case(json!({"phase": "Succeeded", "conditions": [condition("Failed", "True")]}), false)]
    #[case(json!({"phase": "Failed"}), false)]
    fn a_run_whose_end_is_unknown_is_not_infinitely_old(#[case] status: Value, #[case] expected: bool) {
        let kept = seconds_kept(&run(Some(7), &json!({}), &status), 1);
        assert_eq!(kept, expected.then_some(7));
    }

    fn condition(type_: &str, status: &str) -> Value {
        json!({"type": type_, "status": status, "reason": "R", "message": "", "lastTransitionTime": END})
    }

    /// [RET-14]
    #[rstest]
    #[case(json!({"agents.proompteng.ai/retain": "true"}), false)]
    #[case(json!({"agents.proompteng.ai/retain": "audit 7"}), false)]
    #[case(json!({"agents.proompteng.ai/retain": " "}), true)]
    #[case(json!({"agents.proompteng.ai/retain": " Off "}), true)]
    #[case(json!({"agents.proompteng.ai/retain": "n"}), true)]
    #[case(json!({"agents.proompteng.ai/other": "true"}), true)]
    fn a_retain_mark_protects_unless_it_says_no(#[case] annotations: Value, #[case] expires: bool) {
        let run = run(Some(1), &annotations, &json!({"phase": "Succeeded", "finishedAt": END}));
        assert_eq!(expiry(&run, 1).is_some(), expires);
    }

    proptest! {
        /// [RET-03] The end is often that of the Job, told by another clock than the start and the last write.
        #[test]
        fn only_the_end_decides_whatever_other_clocks_say(
            seconds in prop::array::uniform3(prop::option::of(Timestamp::MIN.as_second() + 1..Timestamp::MAX.as_second())),
            own in 1..=i32::MAX,
        ) {
            let [started, finished, updated] =
                seconds.map(|second| second.map(|second| Timestamp::from_second(second).unwrap()));
            let status = json!({
                "phase": "Failed", "startedAt": started, "finishedAt": finished, "updatedAt": updated,
            });
            let at = expiry(&run(Some(own.into()), &json!({}), &status), 0);
            let kept = SignedDuration::from_secs(own.into());
            prop_assert_eq!(at, finished.or(updated).and_then(|ended| ended.checked_add(kept).ok()));
        }

        /// [RET-03]
        #[test]
        fn no_run_expires_before_its_time(own in proptest::option::of(0..=i64::from(i32::MAX)), default in 0..=i64::MAX) {
            let run = run(own, &json!({}), &json!({"phase": "Succeeded", "finishedAt": END}));
            if let Some(kept) = seconds_kept(&run, default) {
                prop_assert_eq!(kept, own.unwrap_or(default));
                prop_assert!(kept > 0);
            }
        }
    }
}
