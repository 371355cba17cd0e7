//! When something that failed is repeated: a pass sooner for an outdated copy and later with every other
//! failure in a row, an interrupted watch within seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use kube::runtime::utils::Backoff as RestartBackoff;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
const FIRST_OUTDATED: Duration = Duration::from_millis(20);

/// Longest time before an interrupted watch is tried again. The default of the runtime, 30 s, would add
/// half a minute to every short outage of the API server.
const LONGEST_WATCH: Duration = Duration::from_secs(5);
/// By how much jitter lengthens a wait at most.
const JITTER: u32 = 2;

/// After this time without an interruption the waits are short again.
const CALM: Duration = Duration::from_secs(10);

/// Waiting times of an interrupted watch.
#[derive(Debug)]
pub(super) struct WatchBackoff {
    waits: backon::ExponentialBackoff,
    last: Option<Instant>,
}

impl Default for WatchBackoff {
    fn default() -> Self {
        Self { waits: waits(), last: None }
    }
}

impl WatchBackoff {
    /// How long to wait after an interruption at this time.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        if self.last.replace(now).is_some_and(|last| now.duration_since(last) > CALM) {
            self.waits = waits();
        }
        self.waits.next()
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.wait(Instant::now())
    }
}

impl RestartBackoff for WatchBackoff {
    /// Comes with every event, also with the one that says that a list is about to be asked for. Lists that
    /// fail one after the other would never wait longer, so only [`CALM`] counts.
    fn reset(&mut self) {}
}

fn waits() -> backon::ExponentialBackoff {
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(LONGEST_WATCH / JITTER)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times();
    waits.build()
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

    /// [LC-18]
    #[test]
    fn an_interrupted_watch_is_tried_again_within_seconds_for_ever() {
        let (mut waits, start) = (WatchBackoff::default(), Instant::now());
        let is_short = |wait: Option<Duration>| wait.is_some_and(|wait| wait < Duration::from_millis(500));
        assert!(is_short(waits.wait(start)));
        for _ in 0..50 {
            // A new list is begun, and fails.
            waits.reset();
            assert!(waits.wait(start).is_some_and(|wait| wait <= LONGEST_WATCH));
        }
        assert!(!is_short(waits.wait(start + CALM)));
        assert!(is_short(waits.wait(start + CALM * 3)));
    }

    #[test]
    fn an_outdated_copy_is_retried_at_once() {
        assert!(delay(0, true) < Duration::from_millis(100));
        assert_eq!(delay(40, true), FIRST);
    }
}
