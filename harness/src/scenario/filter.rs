//! Which cases of a suite are wanted.

use std::cmp::Reverse;
use std::str::FromStr;
use std::time::Duration;

use super::PlannedCase;

/// What a case takes besides the time that it declares: most of it is the reaction of the subject.
const OVERHEAD: Duration = Duration::from_secs(1);

/// Which cases are wanted; every given part narrows the selection.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Parts of case ids; one of them must be contained.
    pub names: Vec<String>,
    /// Ids of requirements; one of them must be proved, or be a standing invariant of the case.
    pub requirements: Vec<String>,
    /// Labels that the scenario must have.
    pub labels: Vec<(String, String)>,
    /// Whole case ids; one of them must be equal. Used by test runners that name what they want.
    pub exact: Vec<String>,
    /// Only this share of what the other parts leave.
    pub shard: Option<Shard>,
}

impl Filter {
    /// The wanted cases, in the order of the suite.
    pub fn select<'a>(&self, cases: &'a [PlannedCase]) -> Vec<&'a PlannedCase> {
        let wanted: Vec<&PlannedCase> = cases.iter().filter(|case| self.wants(case)).collect();
        match self.shard {
            Some(shard) => shard.of(wanted),
            None => wanted,
        }
    }

    /// Whether every case is wanted.
    pub fn is_empty(&self) -> bool {
        let Self { names, requirements, labels, exact, shard } = self;
        names.is_empty()
            && requirements.is_empty()
            && labels.is_empty()
            && exact.is_empty()
            && shard.is_none()
    }

    fn wants(&self, case: &PlannedCase) -> bool {
        let id = case.id.to_string();
        (self.names.is_empty() || self.names.iter().any(|name| id.contains(name)))
            && (self.exact.is_empty()
                || self.exact.contains(&id)
                || self.exact.contains(&case.id.first().to_string()))
            && (self.requirements.is_empty()
                || self.requirements.iter().any(|wanted| case.requirements.contains(wanted))
                || case.standing().iter().any(|id| self.requirements.contains(id)))
            && self.labels.iter().all(|(key, value)| case.labels.get(key) == Some(value))
    }
}

/// One of several shares of a suite: each case is in exactly one of them.
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

impl Shard {
    /// Deals the cases out, those that declare the most time first, always to the share with the least.
    /// The suite alone decides, so that machines which know nothing of each other agree.
    fn of(self, cases: Vec<&PlannedCase>) -> Vec<&PlannedCase> {
        let mut loads = vec![Duration::ZERO; self.total];
        let mut order: Vec<usize> = (0..cases.len()).collect();
        let time = |index: usize| cases.get(index).map_or(Duration::ZERO, |case| case.declared_time());
        order.sort_by_key(|index| (Reverse(time(*index)), *index));
        let mut mine = vec![false; cases.len()];
        for index in order {
            let Some(lightest) = (0..self.total).min_by_key(|share| loads.get(*share).copied()) else {
                continue;
            };
            if let Some(load) = loads.get_mut(lightest) {
                *load += time(index) + OVERHEAD;
            }
            if let Some(place) = mine.get_mut(index) {
                *place = lightest + 1 == self.number;
            }
        }
        cases.into_iter().zip(mine).filter_map(|(case, mine)| mine.then_some(case)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::*;
    use crate::scenario::suite::Suite;

    #[test]
    fn every_case_is_in_exactly_one_shard_and_the_shards_are_alike() {
        let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).unwrap();
        let shares: Vec<Vec<&PlannedCase>> = (1..=3)
            .map(|number| Filter { shard: Some(Shard { number, total: 3 }), ..Filter::default() })
            .map(|filter| filter.select(suite.cases()))
            .collect();
        let mut names: Vec<String> = shares.iter().flatten().map(|case| case.id.to_string()).collect();
        assert_eq!(names.len(), suite.cases().len());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), suite.cases().len());
        let loads = shares.iter().map(|share| share.iter().map(|case| case.declared_time() + OVERHEAD).sum());
        let loads: Vec<Duration> = loads.collect();
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        assert!(most.saturating_sub(*least) < Duration::from_secs(10), "{loads:?}");
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
