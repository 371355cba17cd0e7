//! What a recovery may take. Pure.

use std::time::Duration;

/// The promised time from the readiness of a new API server until every run has settled, on two cores; `None`
/// for more runs than anything is promised for.
pub fn promised(runs: usize) -> Option<Duration> {
    match runs {
        0..=1_000 => Some(Duration::from_mins(1)),
        1_001..=10_000 => Some(Duration::from_mins(8)),
        _ => None,
    }
}
