//! What a recovery may take. Pure.

use std::time::Duration;

use super::memory::Memory;

/// How often the controller may write a run that had not ended, from the release until everything is over: to
/// say that it waits, that it has started, that its Job was seen and how it ended, and once for a race.
pub(super) const WRITES_PER_RUN: usize = 5;

/// Memory of a process that has nothing to do.
const BASE: u64 = 128 << 20;
/// Memory for each run: in this program its versions, its Job's and its part of the archive, in the controller
/// what its caches keep. Several times of what was measured.
const PER_RUN_HERE: u64 = 64 << 10;
const PER_RUN_THERE: u64 = 32 << 10;

/// The promised time from the readiness of a new API server until every run has settled, on two cores; `None`
/// for more runs than anything is promised for.
pub fn promised(runs: usize) -> Option<Duration> {
    match runs {
        0..=1_000 => Some(Duration::from_mins(1)),
        1_001..=10_000 => Some(Duration::from_mins(8)),
        _ => None,
    }
}

/// The most memory that a drill of so many runs may take.
pub(super) fn memory(runs: usize) -> Memory {
    let runs = u64::try_from(runs).unwrap_or(u64::MAX);
    let bound = |per_run: u64| Some(BASE.saturating_add(per_run.saturating_mul(runs)));
    Memory { hallmark: bound(PER_RUN_HERE), controller: bound(PER_RUN_THERE) }
}
