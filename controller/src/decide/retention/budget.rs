//! How many deletions a namespace has left.

use crate::defects::Defect;

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// The window in which deletions are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// The deletions of the last minute in one namespace.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: VecDeque<Timestamp>,
}

impl Budget {
    /// Spends one deletion if fewer than `most` were spent in the last minute.
    pub(super) fn spend(&mut self, now: Timestamp, most: usize) -> bool {
        let left_window = |at: &Timestamp| end(*at) <= now;
        while self.spent.front().is_some_and(left_window) {
            self.spent.pop_front();
        }
        let has_left = self.spent.len() < most || Defect::NoDeletionBudget.is_planted();
        if has_left {
            self.spent.push_back(now);
        }
        has_left
    }

    /// When the next deletion is possible, given that `most` are allowed.
    pub(super) fn free_at(&self, most: usize) -> Timestamp {
        let limiting = self.spent.len().checked_sub(most).and_then(|index| self.spent.get(index));
        limiting.map_or(Timestamp::MIN, |at| end(*at))
    }

    /// Whether nothing was spent within the last minute.
    pub(super) fn is_untouched(&self, now: Timestamp) -> bool {
        self.spent.back().is_none_or(|last| end(*last) <= now)
    }
}

fn end(at: Timestamp) -> Timestamp {
    at.saturating_add(WINDOW).unwrap_or(Timestamp::MAX)
}
