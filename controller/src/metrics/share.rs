//! A number that several owners add up to, such as the namespaces of one process.

use std::sync::atomic::{AtomicI64, Ordering};

use prometheus_client::metrics::gauge::Gauge;

/// What one owner adds to a gauge. It is taken back when this is dropped, so no number outlives the work
/// that it is about.
#[derive(Debug)]
pub struct Share {
    gauge: Gauge,
    number: AtomicI64,
}

impl Share {
    /// A share of nothing yet.
    pub(super) fn of(gauge: &Gauge) -> Self {
        Self { gauge: gauge.clone(), number: AtomicI64::new(0) }
    }

    /// A share of one.
    pub(super) fn one(gauge: &Gauge) -> Self {
        let share = Self::of(gauge);
        share.set(1);
        share
    }

    /// Replaces what this owner adds.
    pub fn set(&self, number: usize) {
        let number = super::registry::gauge(number);
        let before = self.number.swap(number, Ordering::Relaxed);
        self.gauge.inc_by(number.saturating_sub(before));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_add_up_and_take_their_part_with_them() {
        let gauge = Gauge::default();
        let (one, other) = (Share::of(&gauge), Share::of(&gauge));
        one.set(3);
        other.set(4);
        one.set(1);
        assert_eq!(gauge.get(), 5);
        drop(one);
        assert_eq!(gauge.get(), 4);
        drop(other);
        assert_eq!(gauge.get(), 0);
    }
}
