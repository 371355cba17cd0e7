//! How a Job ended, read from its status.

use k8s_openapi::api::batch::v1::JobCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::JobView;
use crate::defects::Defect;

use super::text::given;

/// What the status of a Job says.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The Job is not finished.
    Active,
    /// The Job did its work.
    Succeeded {
        /// When, if the Job says so.
        at: Option<Time>,
    },
    /// The Job gave up.
    Failed {
        /// When, if the Job says so.
        at: Option<Time>,
        /// Reason of the Job's condition.
        reason: Option<String>,
        /// Message of the Job's condition.
        message: Option<String>,
    },
}

impl Outcome {
    /// Reads the status of `job`. A failure is believed without a count of failed pods.
    pub fn of(job: &JobView) -> Self {
        let condition = |type_: &str| {
            job.status
                .conditions
                .iter()
                .find(|condition| condition.type_ == type_ && condition.status == "True")
        };
        let known = |failed: &&JobCondition| {
            !Defect::FailureNeedsKnownReason.is_planted()
                || failed.reason.as_deref() == Some("BackoffLimitExceeded")
        };
        if let Some(failed) = condition("Failed").filter(known) {
            return Self::Failed {
                at: failed.last_transition_time.clone(),
                reason: given(failed.reason.as_ref()).map(str::to_owned),
                message: given(failed.message.as_ref()).map(str::to_owned),
            };
        }
        let complete = condition("Complete");
        if complete.is_none() && job.status.succeeded.unwrap_or_default() < 1 {
            return Self::Active;
        }
        let transition = || complete.and_then(|condition| condition.last_transition_time.clone());
        Self::Succeeded { at: job.status.completion_time.clone().or_else(transition) }
    }

    /// Whether the Job has ended. A Job counted as succeeded may still lack its final condition.
    pub fn is_finished(&self) -> bool {
        !matches!(self, Self::Active)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn outcome(status: &Value) -> Outcome {
        Outcome::of(&serde_json::from_value(json!({"metadata": {}, "status": status})).unwrap())
    }

    /// [LC-09] [LC-10]
    #[rstest]
    #[case(json!({}), "active")]
    #[case(json!({"conditions": [{"type": "Complete", "status": "False"}]}), "active")]
    #[case(json!({"conditions": [{"type": "Complete", "status": "True"}]}), "succeeded")]
    #[case(json!({"succeeded": 1}), "succeeded")]
    #[case(json!({"failed": 3}), "active")]
    #[case(json!({"conditions": [{"type": "Failed", "status": "True"}]}), "failed")]
    #[case(json!({"failed": 0, "conditions": [{"type": "Failed", "status": "True"}]}), "failed")]
    #[case(json!({"succeeded": 1, "conditions": [{"type": "Failed", "status": "True"}]}), "failed")]
    #[case(json!({"conditions": [{"type": "FailureTarget", "status": "True"}]}), "active")]
    fn conditions_decide_and_a_failure_needs_no_count(#[case] status: Value, #[case] expected: &str) {
        let name = match outcome(&status) {
            Outcome::Active => "active",
            Outcome::Succeeded { .. } => "succeeded",
            Outcome::Failed { .. } => "failed",
        };
        assert_eq!(name, expected);
    }
}
