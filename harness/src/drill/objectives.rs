//! What a recovery may take. Pure.

use std::time::Duration;

use super::memory::Memory;

/// How often the controller may write a run that had not ended, from the release until everything is over: to
/// say that it waits, that it has started, that its Job was seen and how it ended, and once for a race.
pub(super) const WRITES_PER_RUN: usize = 5;

/// Memory of this program with no runs, and for each run: its versions on two clusters, its Job's, and its part of
/// the archive. About two and a half times of what a release build took for 40 and for 1 000 runs: 93 MiB, and
/// 203 KiB for each.
const HERE: (u64, u64) = (256 << 20, 512 << 10);
/// The same of the controller, which keeps slim copies: 18 MiB, and 8 KiB for each.
const THERE: (u64, u64) = (64 << 20, 32 << 10);

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
    let bound = |(base, per_run): (u64, u64)| Some(base.saturating_add(per_run.saturating_mul(runs)));
    Memory { hallmark: bound(HERE), controller: bound(THERE) }
}
