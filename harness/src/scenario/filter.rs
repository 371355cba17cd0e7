//! Which cases of a suite are wanted.

use super::PlannedCase;
use super::shard::{Durations, Shard};
use crate::count::count;

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
    /// How long cases took, to deal out shares of equal length.
    pub durations: Durations,
}

impl Filter {
    /// The wanted cases, in the order of the suite.
    pub fn select<'a>(&self, cases: &'a [PlannedCase]) -> Vec<&'a PlannedCase> {
        let wanted: Vec<&PlannedCase> = cases.iter().filter(|case| self.wants(case)).collect();
        match self.shard {
            Some(shard) => shard.of(wanted, &self.durations),
            None => wanted,
        }
    }

    /// Whether every case is wanted.
    pub fn is_empty(&self) -> bool {
        let Self { names, requirements, labels, exact, shard, durations: _ } = self;
        names.is_empty()
            && requirements.is_empty()
            && labels.is_empty()
            && exact.is_empty()
            && shard.is_none()
    }

    /// What is said of the share, if it is one: how large it is, and what decided that.
    pub fn share(&self, cases: &[PlannedCase]) -> Option<String> {
        let shard = self.shard?;
        let wanted: Vec<&PlannedCase> = cases.iter().filter(|case| self.wants(case)).collect();
        let known = wanted.iter().filter(|case| self.durations.of(case).is_some()).count();
        let (mine, all) = (shard.of(wanted.clone(), &self.durations).len(), wanted.len());
        let how = match known {
            0 => "by the time that scenarios declare, since no durations are known".to_owned(),
            _ => format!("by the recorded durations of {known} of them"),
        };
        Some(format!("shard {shard}: {mine} of {}, {how}", count(all, "case")))
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
