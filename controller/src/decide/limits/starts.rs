//! Starts within a sliding window.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use crate::defects::Defect;

use super::counts::Counts;
use super::limit::Scope;
use super::scopes::Scopes;

/// The starts of the last window, per scope.
#[derive(Debug, Default)]
pub(super) struct Starts {
    window: Duration,
    by_time: BTreeMap<(Timestamp, String), Scopes>,
    by_uid: HashMap<String, Timestamp>,
    counts: Counts,
}

impl Starts {
    pub(super) fn within(window: Duration) -> Self {
        Self { window, ..Self::default() }
    }

    /// A run was started at this time. Only the first time counts. A clock that is ahead of ours may say that
    /// it will be started; that holds up others for no longer than a start of this moment.
    pub(super) fn add(&mut self, uid: &str, scopes: &Scopes, at: Timestamp, now: Timestamp) {
        let at = at.min(now);
        let is_over = self.end(at) <= now;
        if is_over || self.by_uid.contains_key(uid) || Defect::StartsNotCounted.is_planted() {
            return;
        }
        self.by_uid.insert(uid.to_owned(), at);
        self.by_time.insert((at, uid.to_owned()), scopes.clone());
        self.counts.add(scopes);
    }

    /// The run was not started after all.
    pub(super) fn cancel(&mut self, uid: &str) {
        let Some(at) = self.by_uid.remove(uid) else { return };
        if let Some(scopes) = self.by_time.remove(&(at, uid.to_owned())) {
            self.counts.remove(&scopes);
        }
    }

    /// Forgets what has left the window.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some(oldest) = self.by_time.first_entry() {
            if oldest.key().0.saturating_add(self.window).is_ok_and(|end| end > now) {
                return;
            }
            let ((_, uid), scopes) = oldest.remove_entry();
            self.by_uid.remove(&uid);
            self.counts.remove(&scopes);
        }
    }

    /// Starts in the window, per scope.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// When fewer than `most` starts of this scope are left in the window, `most` being reached now.
    pub(super) fn free_at(&self, scopes: &Scopes, scope: Scope, count: usize, most: usize) -> Timestamp {
        let in_scope = self.by_time.iter().filter(|(_, other)| match scope {
            Scope::Namespace => other.namespace == scopes.namespace,
            Scope::Agent => other.agent == scopes.agent,
            Scope::Repository => other.repository == scopes.repository,
            Scope::Cluster => true,
        });
        let mut times = in_scope.map(|((at, _), _)| *at);
        let last_to_leave = times.nth(count.saturating_sub(most));
        last_to_leave.map_or(Timestamp::MIN, |at| self.end(at))
    }

    fn end(&self, start: Timestamp) -> Timestamp {
        start.saturating_add(self.window).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn scopes() -> Scopes {
        Scopes { namespace: "ns".to_owned(), agent: "ns/a".to_owned(), repository: None }
    }

    /// [LIM-04]
    #[test]
    fn a_start_counts_for_exactly_one_window() {
        let mut starts = Starts::within(Duration::from_secs(10));
        starts.add("a", &scopes(), at(0), at(0));
        starts.add("b", &scopes(), at(4), at(4));
        starts.add("b", &scopes(), at(9), at(9));
        starts.expire(at(9));
        assert_eq!(starts.counts().all(), 2);
        assert_eq!(starts.free_at(&scopes(), Scope::Cluster, 2, 2), at(10));
        assert_eq!(starts.free_at(&scopes(), Scope::Cluster, 2, 1), at(14));
        starts.expire(at(10));
        assert_eq!(starts.counts().all(), 1);
        starts.cancel("b");
        assert_eq!(starts.counts(), &Counts::default());
    }

    proptest! {
        /// [LIM-04] Times come from several clocks: those of Jobs, and those of other processes of ours.
        #[test]
        fn whatever_clocks_say_each_run_starts_once_and_leaves_in_time(
            started in prop::collection::vec((0..9_u8, -400_000_000_000..300_000_000_000_i64, -20..20_i64), 0..40),
            most in 1..4_usize,
        ) {
            let window = Duration::from_secs(10);
            let mut starts = Starts::within(window);
            for (number, (run, far, near)) in started.iter().enumerate() {
                // Some clocks are a little wrong, some entirely.
                let offset = if number % 3 == 0 { *far } else { *near };
                let start = Timestamp::from_second(1_800_000_000 + offset).unwrap_or(Timestamp::MAX);
                starts.add(&run.to_string(), &scopes(), start, at(0));
                let counted = starts.counts().all();
                prop_assert!(counted <= 9 && counted == starts.by_uid.len() && counted == starts.by_time.len());
                if counted >= most {
                    let free_at = starts.free_at(&scopes(), Scope::Cluster, counted, most);
                    prop_assert!(at(0) < free_at && free_at <= at(10));
                }
            }
            starts.expire(at(10));
            prop_assert_eq!(starts.counts(), &Counts::default());
        }
    }

    #[test]
    fn a_start_before_the_window_does_not_count() {
        let mut starts = Starts::within(Duration::from_secs(10));
        starts.add("a", &scopes(), at(0), at(10));
        assert_eq!(starts.counts().all(), 0);
    }
}
