//! Numbers that are larger than their type.
//!
//! The API server stores an integer of 64 bits in a field of format `int32`, since it checks no formats of
//! integers, and a bound that the schema gets later would refuse what is stored. An object must not become
//! unreadable by such a number, so it counts as the nearest one that the type holds.

use serde::{Deserialize, Deserializer};

/// An optional `int32`; what lies beyond its limits becomes the limit.
pub(super) fn int32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    let number = Option::<i64>::deserialize(deserializer)?;
    Ok(number.map(|number| i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::api::{Agent, AgentRun};

    #[rstest]
    #[case::largest(json!(2_147_483_647), Some(i32::MAX))]
    #[case::beyond(json!(2_147_483_648_i64), Some(i32::MAX))]
    #[case::far_beyond(json!(i64::MAX), Some(i32::MAX))]
    #[case::below(json!(-2_147_483_649_i64), Some(i32::MIN))]
    #[case::small(json!(7), Some(7))]
    #[case::null(Value::Null, None)]
    fn a_number_beyond_the_type_is_its_limit(#[case] written: Value, #[case] read: Option<i32>) {
        let run: AgentRun = serde_json::from_value(json!({
            "metadata": {"name": "r"},
            "spec": {
                "agentRef": {"name": "a"}, "runtime": {"type": "workflow"},
                "ttlSecondsAfterFinished": written,
                "workflow": {"steps": [
                    {"name": "s", "retries": written, "retryBackoffSeconds": written, "timeoutSeconds": written},
                ]},
            },
            "status": {"workflow": {"steps": [{"name": "s", "attempt": written}]}},
        }))
        .unwrap();
        let status = run.status.unwrap().workflow.unwrap().steps.unwrap().remove(0);
        assert_eq!(status.attempt, read);
        let step = run.spec.workflow.unwrap().steps.unwrap().remove(0);
        assert_eq!(run.spec.ttl_seconds_after_finished, read);
        assert_eq!([step.retries, step.retry_backoff_seconds, step.timeout_seconds], [read; 3]);

        let agent: Agent = serde_json::from_value(json!({
            "metadata": {"name": "a"},
            "spec": {
                "providerRef": {"name": "p"},
                "defaults": {"retryLimit": written, "timeoutSeconds": written},
            },
        }))
        .unwrap();
        let defaults = agent.spec.defaults.unwrap();
        assert_eq!([defaults.retry_limit, defaults.timeout_seconds], [read; 2]);
    }
}
