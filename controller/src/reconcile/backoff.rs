//! When a failed pass is repeated: sooner for an outdated copy, later with every other failure in a row.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
const FIRST_OUTDATED: Duration = Duration::from_millis(20);

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

    #[test]
    fn an_outdated_copy_is_retried_at_once() {
        assert!(delay(0, true) < Duration::from_millis(100));
        assert_eq!(delay(40, true), FIRST);
    }
}
