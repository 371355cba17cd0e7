//! What users are told by Kubernetes Events when the status of a run changes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::AgentRunStatus;

use super::status::{phase, reason};

/// Longest note of an Event, in bytes.
const NOTE: usize = 1024;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whether somebody may have to act.
    pub warning: bool,
    /// One word.
    pub reason: String,
    /// A sentence, or nothing.
    pub note: Option<String>,
}

/// What the step from one status to the next tells: a new phase, what keeps a run from starting, and warnings.
/// It repeats what the status says, so it holds no more secrets than that.
pub fn between(before: &AgentRunStatus, after: &AgentRunStatus) -> Vec<Told> {
    let mut told = Vec::new();
    let phase = after.phase.as_deref().unwrap_or(phase::PENDING);
    if phase != before.phase.as_deref().unwrap_or(phase::PENDING) {
        let types: &[&str] = match phase {
            phase::FAILED => &[reason::INVALID_SPEC, reason::FAILED],
            phase::CANCELLED => &[reason::CANCELLED],
            _ => &[],
        };
        let cause = types.iter().find_map(|type_| holds(after, type_));
        told.push(Told {
            warning: phase == phase::FAILED,
            reason: after.reason.clone().unwrap_or_else(|| phase.to_owned()),
            note: cause.and_then(note).or_else(|| Some(format!("the run is {}", phase.to_lowercase()))),
        });
    }
    let obstacles = [(reason::BLOCKED, false), (reason::JOB_CONFLICT, true), (reason::WARNING, true)];
    for (type_, warning) in obstacles {
        let Some(condition) = holds(after, type_) else { continue };
        if holds(before, type_).is_none_or(|known| known.reason != condition.reason) {
            told.push(Told { warning, reason: condition.reason.clone(), note: note(condition) });
        }
    }
    told
}

fn holds<'a>(status: &'a AgentRunStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
}

fn note(condition: &Condition) -> Option<String> {
    let message = &condition.message;
    let end = message.floor_char_boundary(NOTE);
    message.get(..end).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn status(phase: &str, reason: &str, conditions: &[(&str, &str, &str)]) -> Value {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(type_, status, reason)| {
                json!({
                    "type": type_, "status": status, "reason": reason, "message": format!("about {reason}"),
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                })
            })
            .collect();
        json!({"phase": phase, "reason": reason, "conditions": conditions})
    }

    fn told(before: Value, after: Value) -> Vec<(bool, String, String)> {
        let parse = |value| serde_json::from_value::<AgentRunStatus>(value).unwrap();
        let told = between(&parse(before), &parse(after));
        told.into_iter().map(|told| (told.warning, told.reason, told.note.unwrap_or_default())).collect()
    }

    #[rstest]
    #[case::started(json!({}), status("Running", "Running", &[]), &[(false, "Running", "the run is running")])]
    #[case::done(
        status("Running", "Running", &[]), status("Succeeded", "Completed", &[]),
        &[(false, "Completed", "the run is succeeded")]
    )]
    #[case::failed(
        status("Running", "Running", &[]),
        status("Failed", "JobMissing", &[("Failed", "True", "JobMissing")]),
        &[(true, "JobMissing", "about JobMissing")]
    )]
    #[case::invalid(
        json!({}), status("Failed", "MissingAgent", &[("InvalidSpec", "True", "MissingAgent")]),
        &[(true, "MissingAgent", "about MissingAgent")]
    )]
    #[case::blocked(
        json!({}), status("Pending", "QueueLimit", &[("Blocked", "True", "QueueLimit")]),
        &[(false, "QueueLimit", "about QueueLimit")]
    )]
    #[case::still_blocked(
        status("Pending", "QueueLimit", &[("Blocked", "True", "QueueLimit")]),
        status("Pending", "QueueLimit", &[("Blocked", "True", "QueueLimit")]),
        &[]
    )]
    #[case::blocked_otherwise(
        status("Pending", "QueueLimit", &[("Blocked", "True", "QueueLimit")]),
        status("Pending", "RateLimit", &[("Blocked", "True", "RateLimit")]),
        &[(false, "RateLimit", "about RateLimit")]
    )]
    #[case::unblocked(
        status("Pending", "QueueLimit", &[("Blocked", "True", "QueueLimit")]),
        status("Pending", "", &[("Blocked", "False", "NotBlocked")]),
        &[]
    )]
    #[case::conflict(
        json!({}), status("Pending", "JobConflict", &[("JobConflict", "True", "JobConflict")]),
        &[(true, "JobConflict", "about JobConflict")]
    )]
    #[case::warned(
        json!({}), status("Pending", "", &[("Warning", "True", "SubmitRetrying")]),
        &[(true, "SubmitRetrying", "about SubmitRetrying")]
    )]
    #[case::still_warned(
        status("Running", "Running", &[("Warning", "True", "WorkflowJobMissing")]),
        status("Running", "Running", &[("Warning", "True", "WorkflowJobMissing")]),
        &[]
    )]
    fn changes_of_the_phase_and_obstacles_are_told_once(
        #[case] before: Value,
        #[case] after: Value,
        #[case] expected: &[(bool, &str, &str)],
    ) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(warning, reason, note)| (*warning, (*reason).to_owned(), (*note).to_owned()))
            .collect();
        assert_eq!(told(before, after), expected);
    }

    #[test]
    fn a_long_message_is_cut_to_what_the_api_accepts() {
        let mut after = status("Failed", "Long", &[("Failed", "True", "Long")]);
        after["conditions"][0]["message"] = json!("ä".repeat(1000));
        let told = told(json!({}), after);
        assert_eq!(told[0].2.len(), NOTE);
    }
}
