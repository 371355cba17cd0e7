//! From verdicts of cases to verdicts of requirements.

use serde::Serialize;

use super::aggregate::{Aggregate, CaseView, Outcome};
use crate::event::RequirementInfo;

/// A requirement, the cases that prove it and what they say together.
#[derive(Debug)]
pub struct RequirementView<'a> {
    /// The requirement.
    pub info: &'a RequirementInfo,
    /// The selected cases that name it, in plan order.
    pub cases: Vec<CaseView<'a>>,
    /// What they say together.
    pub verdict: RequirementVerdict,
}

/// What a run says about a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RequirementVerdict {
    /// At least one case passed and every other one passed or was skipped.
    Passed,
    /// At least one case failed.
    Failed,
    /// No case failed and at least one told nothing.
    Inconclusive,
    /// Every case was skipped.
    Skipped,
    /// No selected case names it.
    NotProved,
}

impl RequirementVerdict {
    /// What the cases say together; the worst one decides.
    fn of(cases: &[CaseView<'_>]) -> Self {
        let any = |wanted: fn(&Outcome<'_>) -> bool| cases.iter().any(|case| wanted(&case.outcome));
        if any(|outcome| matches!(outcome, Outcome::Failed(_))) {
            Self::Failed
        } else if any(|outcome| matches!(outcome, Outcome::Inconclusive(_))) {
            Self::Inconclusive
        } else if any(|outcome| matches!(outcome, Outcome::Passed)) {
            Self::Passed
        } else if cases.is_empty() {
            Self::NotProved
        } else {
            Self::Skipped
        }
    }
}

impl Aggregate {
    /// Every requirement of the catalogue, in its order.
    pub fn requirements(&self) -> impl Iterator<Item = RequirementView<'_>> {
        self.info().into_iter().flat_map(|info| &info.requirements).map(|info| {
            let cases: Vec<_> =
                self.cases().filter(|case| case.info.requirements.contains(&info.id)).collect();
            let verdict = RequirementVerdict::of(&cases);
            RequirementView { info, cases, verdict }
        })
    }

    /// How many requirements the run says something about, and how many there are. A run without failures
    /// says nothing about those that no case proves or whose cases were skipped.
    pub fn proved(&self) -> (usize, usize) {
        let open = [RequirementVerdict::Skipped, RequirementVerdict::NotProved];
        let proved = self.requirements().filter(|requirement| !open.contains(&requirement.verdict));
        (proved.count(), self.requirements().count())
    }
}
