//! Where a run stands, which decides what a pass does with it.

use crate::api::{AgentRun, AgentRunStatus};
use crate::defects::Defect;

use super::status::{condition_is_true, phase, reason};

/// What a pass does with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was started: validate and submit.
    New,
    /// Something was started: follow it, never submit again.
    Accepted,
    /// The end was reached and never changes.
    Terminal,
}

impl Stage {
    /// Reads the stage from the status.
    pub fn of(run: &AgentRun) -> Self {
        let status = run.status.as_ref().filter(|_| !Defect::StatusIgnored.is_planted());
        let Some(status) = status else { return Self::New };
        let current = status.phase.as_deref().unwrap_or(phase::PENDING);
        let is_edited = status.observed_generation != run.metadata.generation;
        if is_edited && phase::is_terminal(current) && Defect::EditedRunStartsAgain.is_planted() {
            return Self::New;
        }
        if phase::is_terminal(current) {
            Self::Terminal
        } else if current == phase::RUNNING || status.runtime_ref.is_some() || accepted(status) {
            Self::Accepted
        } else {
            Self::New
        }
    }
}

fn accepted(status: &AgentRunStatus) -> bool {
    condition_is_true(&status.conditions, reason::ACCEPTED)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// [LC-12]
    #[rstest]
    #[case(json!({}), Stage::New)]
    #[case(json!({"phase": "Pending"}), Stage::New)]
    #[case(json!({"phase": "Pending", "runtimeRef": {"name": "x"}}), Stage::Accepted)]
    #[case(json!({"phase": "Running"}), Stage::Accepted)]
    #[case(json!({"phase": "Succeeded"}), Stage::Terminal)]
    #[case(json!({"phase": "Failed", "runtimeRef": {"name": "x"}}), Stage::Terminal)]
    #[case(json!({"phase": "Cancelled"}), Stage::Terminal)]
    fn the_status_decides(#[case] status: Value, #[case] expected: Stage) {
        let run = AgentRun { status: Some(serde_json::from_value(status).unwrap()), ..AgentRun::default() };
        assert_eq!(Stage::of(&run), expected);
    }
}
