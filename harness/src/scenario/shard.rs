//! Shares of a suite for several machines: each case is in exactly one of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use super::PlannedCase;
use crate::event::repetition;

/// What a case takes besides the time that it declares: most of it is the reaction of the subject.
const OVERHEAD: Duration = Duration::from_secs(1);

/// One of several shares of a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    number: usize,
    /// Of how many.
    total: usize,
}

/// A text that names no shard.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected NUMBER/TOTAL, for example 1/3, with a number from 1 to the total")]
pub struct NoShard;

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, total) = text.split_once('/').ok_or(NoShard)?;
        let (number, total) = (number.parse().map_err(|_| NoShard)?, total.parse().map_err(|_| NoShard)?);
        if number == 0 || number > total { Err(NoShard) } else { Ok(Self { number, total }) }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.total)
    }
}

/// How long cases took in earlier runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations(BTreeMap<String, Duration>);

impl Durations {
    /// Those and others; of several for the same case, repetitions included, the longest counts.
    #[must_use]
    pub fn with(mut self, others: Self) -> Self {
        others.0.into_iter().for_each(|(name, duration)| self.add(&name, duration));
        self
    }

    /// Adds the duration of a case, by its id.
    pub fn add(&mut self, name: &str, duration: Duration) {
        let longest = self.0.entry(repetition(name).0.to_owned()).or_default();
        *longest = duration.max(*longest);
    }

    /// How long the case took, if that is known.
    pub fn of(&self, case: &PlannedCase) -> Option<Duration> {
        self.0.get(&case.id.first().to_string()).copied()
    }
}

impl Shard {
    /// The cases of this share, in their order. The suite and the durations alone decide, so that machines
    /// which know nothing of each other agree. A case that is not known takes the time that it declares.
    pub(super) fn of<'a>(self, cases: Vec<&'a PlannedCase>, durations: &Durations) -> Vec<&'a PlannedCase> {
        let estimate = |case: &&PlannedCase| {
            let known = durations.of(case);
            (case.id.to_string(), known.unwrap_or_else(|| case.declared_time() + OVERHEAD))
        };
        let shares = deal(&cases.iter().map(estimate).collect::<Vec<_>>(), self.total);
        cases
            .into_iter()
            .zip(shares)
            .filter_map(|(case, share)| (share + 1 == self.number).then_some(case))
            .collect()
    }
}

/// Deals out what takes the longest first, always to the share with the least; the share of each, from 0.
/// Names decide among equals.
fn deal(items: &[(String, Duration)], total: usize) -> Vec<usize> {
    let mut order: Vec<(usize, &(String, Duration))> = items.iter().enumerate().collect();
    order.sort_by_key(|(_, (name, duration))| (Reverse(*duration), name));
    let mut loads = vec![(Duration::ZERO, 0_usize); total];
    let mut shares = vec![0; items.len()];
    for (place, (_, duration)) in order {
        let lightest = loads.iter_mut().enumerate().min_by_key(|(_, load)| **load);
        if let Some(((number, load), share)) = lightest.zip(shares.get_mut(place)) {
            // Cases that take no time at all are counted.
            *load = (load.0 + *duration, load.1 + 1);
            *share = number;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::scenario::Filter;
    use crate::scenario::suite::Suite;

    fn suite() -> Suite {
        Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).unwrap()
    }

    /// The ids of the cases of each of three shares.
    fn shares(suite: &Suite, durations: &Durations) -> Vec<Vec<String>> {
        let share = |number| {
            let shard = Some(Shard { number, total: 3 });
            let filter = Filter { shard, durations: durations.clone(), ..Filter::default() };
            filter.select(suite.cases()).iter().map(|case| case.id.to_string()).collect()
        };
        (1..=3).map(share).collect()
    }

    fn assert_every_case_is_in_one(suite: &Suite, shares: &[Vec<String>]) {
        let mut names: Vec<&String> = shares.iter().flatten().collect();
        assert_eq!(names.len(), suite.cases().len());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), suite.cases().len());
    }

    #[test]
    fn without_durations_the_declared_time_decides() {
        let suite = suite();
        let shares = shares(&suite, &Durations::default());
        assert_every_case_is_in_one(&suite, &shares);
        let load = |share: &Vec<String>| -> Duration {
            let mine = suite.cases().iter().filter(|case| share.contains(&case.id.to_string()));
            mine.map(|case| case.declared_time() + OVERHEAD).sum()
        };
        let loads: Vec<Duration> = shares.iter().map(load).collect();
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        assert!(most.saturating_sub(*least) < Duration::from_secs(10), "{loads:?}");
    }

    #[test]
    fn recorded_durations_decide_before_the_declared_ones() {
        let suite = suite();
        let slow = suite.cases()[0].id.clone();
        let mut durations = Durations::default();
        for case in suite.cases() {
            durations.add(&case.id.to_string(), Duration::from_millis(1));
        }
        durations.add(&slow.repeated(2).to_string(), Duration::from_hours(1));
        let shares = shares(&suite, &durations);
        assert_every_case_is_in_one(&suite, &shares);
        assert!(shares.contains(&vec![slow.to_string()]), "it has a share of its own");
    }

    proptest! {
        #[test]
        fn shares_differ_by_no_more_than_one_case_and_not_by_the_order(
            times in prop::collection::vec(0_u64..100_000, 0..60),
            total in 1_usize..9,
            turn in 0_usize..60,
        ) {
            let mut items: Vec<(String, Duration)> = times
                .iter()
                .enumerate()
                .map(|(index, time)| (format!("case-{index}"), Duration::from_millis(*time)))
                .collect();
            let shares = deal(&items, total);
            prop_assert!(shares.iter().all(|share| *share < total));
            let mut loads = vec![Duration::ZERO; total];
            for (share, (_, duration)) in shares.iter().zip(&items) {
                loads[*share] += *duration;
            }
            let longest = items.iter().map(|(_, duration)| *duration).max().unwrap_or_default();
            let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
            prop_assert!(most.saturating_sub(*least) <= longest, "{loads:?}");
            if !items.is_empty() {
                let turn = turn % items.len();
                items.rotate_left(turn);
                let mut turned = deal(&items, total);
                turned.rotate_right(turn);
                prop_assert_eq!(turned, shares);
            }
        }
    }

    #[rstest]
    #[case("1/1", Ok(Shard { number: 1, total: 1 }))]
    #[case("3/3", Ok(Shard { number: 3, total: 3 }))]
    #[case("0/3", Err(NoShard))]
    #[case("4/3", Err(NoShard))]
    #[case("1", Err(NoShard))]
    #[case("one/3", Err(NoShard))]
    fn a_shard_is_a_number_of_a_total(#[case] text: &str, #[case] expected: Result<Shard, NoShard>) {
        assert_eq!(text.parse(), expected);
    }
}
