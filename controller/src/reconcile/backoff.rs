//! When something that failed is repeated: a pass sooner for an outdated copy and later with every other
//! failure in a row, an interrupted watch within seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use kube::runtime::utils::Backoff as RestartBackoff;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
const FIRST_OUTDATED: Duration = Duration::from_millis(20);

/// Longest time before an interrupted watch is tried again. The default of the runtime, 30 s, would add
/// half a minute to every short outage of the API server.
const LONGEST_WATCH: Duration = Duration::from_secs(5);

/// Waiting times of an interrupted watch.
#[derive(Debug)]
pub(super) struct WatchBackoff {
    waits: backon::ExponentialBackoff,
}

impl Default for WatchBackoff {
    fn default() -> Self {
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(LONGEST_WATCH)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        Self { waits: waits.build() }
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.waits.next()
    }
}

impl RestartBackoff for WatchBackoff {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Failures in a row, per uid of a run.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// Counts a failure and returns the time to wait.
    pub(super) fn failed(&self, uid: &str, outdated: bool) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_default();
        let exponent = *count;
        *count = count.saturating_add(1);
        delay(exponent, outdated)
    }

    /// Forgets the failures of a run.
    pub(super) fn succeeded(&self, uid: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

fn delay(exponent: u32, outdated: bool) -> Duration {
    let (first, longest) = if outdated { (FIRST_OUTDATED, FIRST) } else { (FIRST, LONGEST) };
    first.saturating_mul(2_u32.saturating_pow(exponent)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [LC-18]
    #[test]
    fn waiting_doubles_from_one_second_to_one_minute_and_starts_again_after_success() {
        let backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.failed("a", false).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        backoff.succeeded("a");
        assert_eq!(backoff.failed("a", false), FIRST);
    }

    /// [LC-18] With jitter a wait is at most doubled.
    #[test]
    fn an_interrupted_watch_is_tried_again_within_seconds_for_ever() {
        let mut waits = WatchBackoff::default();
        assert!(waits.next().is_some_and(|first| first < Duration::from_millis(500)));
        assert!(waits.by_ref().take(50).all(|wait| wait <= 2 * LONGEST_WATCH));
        waits.reset();
        assert!(waits.next().is_some_and(|first| first < Duration::from_millis(500)));
    }

    #[test]
    fn an_outdated_copy_is_retried_at_once() {
        assert!(delay(0, true) < Duration::from_millis(100));
        assert_eq!(delay(40, true), FIRST);
    }
}
