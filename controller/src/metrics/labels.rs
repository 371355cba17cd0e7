//! Labels, and the bound on how many values one of them may take.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// Names and values of the labels of one series.
pub(super) type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];
/// Counters that differ in their labels.
pub(super) type Counters<const N: usize> = Family<Labels<N>, Counter>;
/// Gauges that differ in their labels.
pub(super) type Gauges<const N: usize> = Family<Labels<N>, Gauge>;

/// What stands for all values beyond [`MAXIMUM`].
const OTHER: &str = "Other";
/// Most values of one label.
const MAXIMUM: usize = 100;

/// Values of a label that others have a say in, such as the reasons of failed Jobs.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    seen: Mutex<HashSet<String>>,
}

impl Bounded {
    /// The value itself while there are few, else a common one.
    pub(super) fn value(&self, value: &str) -> Cow<'static, str> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(value) {
            if seen.len() >= MAXIMUM {
                return Cow::Borrowed(OTHER);
            }
            seen.insert(value.to_owned());
        }
        Cow::Owned(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_values_cannot_grow_a_label_without_bound() {
        let bounded = Bounded::default();
        for number in 0..MAXIMUM {
            assert_eq!(bounded.value(&number.to_string()), number.to_string());
        }
        assert_eq!(bounded.value("one too many"), OTHER);
        assert_eq!(bounded.value("7"), "7");
    }
}
