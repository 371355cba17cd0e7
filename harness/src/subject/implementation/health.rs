//! The section `health`: where the implementation is asked whether it is ready.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration;
use crate::yaml::Located;

/// Where the subject is asked how it does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Health {
    /// The answer that means "ready".
    pub ready: Ready,
}

/// An endpoint that tells whether a container is ready; asked of each container that has its port.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ready {
    /// Container port.
    pub port: u16,
    /// Path, beginning with a slash.
    pub path: Located<String>,
    /// Status code that means "ready"; default 200.
    #[serde(default = "ok")]
    pub status: u16,
    /// Text that the body must contain, too.
    #[serde(default)]
    pub contains: Option<String>,
    /// How long it may take after the start, for example `30s`; default 60 s.
    #[serde(default = "minute", deserialize_with = "duration")]
    #[schemars(with = "String", default)]
    pub within: Duration,
}

fn ok() -> u16 {
    200
}

fn minute() -> Duration {
    Duration::from_mins(1)
}
