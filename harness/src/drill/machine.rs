//! Where something was measured.

use serde::Serialize;

/// What the numbers of a measurement depend on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Version of Kubernetes.
    pub kubernetes: String,
    /// How this program was built.
    pub profile: &'static str,
    /// Processors.
    pub cores: usize,
    /// Average number of processes that wanted a processor during the minute before.
    pub load_before: Option<f64>,
}

impl Machine {
    /// This machine, now.
    pub(super) fn here(kubernetes: &str) -> Self {
        Self {
            kubernetes: kubernetes.to_owned(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load_before: load(),
        }
    }
}

fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}
