//! What `status.phase` says about work.

use serde_json::Value;

/// Phases in which work has come to its end and must not begin again.
const TERMINAL: [&str; 4] = ["Succeeded", "Failed", "Cancelled", "Completed"];

/// Whether work in this phase has come to its end.
pub fn is_terminal(phase: &str) -> bool {
    TERMINAL.contains(&phase)
}

/// `status.phase`; `None` also if it is empty.
pub(super) fn phase(object: &Value) -> Option<&str> {
    object.pointer("/status/phase").and_then(Value::as_str).filter(|phase| !phase.is_empty())
}

/// Whether work may have been executed in part: whoever finds it without its status executes it again.
pub(super) fn has_begun(object: &Value) -> bool {
    let runtime = object.pointer("/status/runtimeRef").is_some_and(|runtime| !runtime.is_null());
    runtime || phase(object).is_some_and(|phase| phase != "Pending")
}

/// What is wrong with a status of a run that no later write will put right.
pub(super) fn inconsistency(object: &Value) -> Option<&'static str> {
    let has = |field: &str| {
        let value = object.pointer("/status").and_then(|status| status.get(field));
        value.is_some_and(|value| !value.is_null())
    };
    match phase(object)? {
        phase if is_terminal(phase) && !has("finishedAt") && !has("completionTime") => {
            Some("is in a terminal phase without a time of its end")
        }
        "Running" if !has("runtimeRef") => Some("is Running without runtimeRef"),
        "Pending" if has("runtimeRef") => Some("is Pending with a runtimeRef"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{has_begun, inconsistency};

    #[rstest]
    #[case::new(json!({}), false)]
    #[case::without_phase(json!({"phase": ""}), false)]
    #[case::waiting(json!({"phase": "Pending", "runtimeRef": null}), false)]
    #[case::submitted(json!({"phase": "Pending", "runtimeRef": {"name": "a-job"}}), true)]
    #[case::going(json!({"phase": "Running"}), true)]
    #[case::over(json!({"phase": "Failed"}), true)]
    fn work_has_begun_when_it_was_submitted(#[case] status: Value, #[case] begun: bool) {
        assert_eq!(has_begun(&json!({"status": status})), begun);
    }

    #[rstest]
    #[case::running(json!({"phase": "Running", "runtimeRef": {}}), false)]
    #[case::running_of_nothing(json!({"phase": "Running"}), true)]
    #[case::pending(json!({"phase": "Pending"}), false)]
    #[case::pending_with_runtime(json!({"phase": "Pending", "runtimeRef": {}}), true)]
    #[case::ended(json!({"phase": "Failed", "finishedAt": "2026-01-01T00:00:00Z"}), false)]
    #[case::ended_never(json!({"phase": "Failed", "finishedAt": null}), true)]
    #[case::no_phase(json!({}), false)]
    fn a_status_that_contradicts_itself_is_found(#[case] status: Value, #[case] found: bool) {
        assert_eq!(inconsistency(&json!({"status": status})).is_some(), found);
    }
}
