//! What an implementation says of itself: the features that it has and the time that it needs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration;

/// Most that may be declared: beyond it a claim about "promptly" says nothing any more.
pub const MOST_SLACK: Duration = Duration::from_secs(10);

/// Time that the implementation needs beyond what scenarios give it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slack {
    /// Added to the deadlines of `eventually`, `http` and the fence, and of the waits for an object that a step acts on and for
    /// the request of a fault. For example `5s`; at most 10 s. It stands in the report.
    #[serde(deserialize_with = "at_most")]
    #[schemars(with = "String")]
    pub within: Duration,
}

fn at_most<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let within = duration(deserializer)?;
    if within <= MOST_SLACK {
        return Ok(within);
    }
    let message = format!("a slack of more than {} s says nothing of a controller", MOST_SLACK.as_secs());
    Err(serde::de::Error::custom(message))
}
