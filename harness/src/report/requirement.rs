//! From verdicts of cases to verdicts of requirements.

use serde::Serialize;

use super::aggregate::{Aggregate, CaseView, Outcome};
use crate::event::RequirementInfo;

/// A requirement, the cases that prove it and what they say together.
#[derive(Debug)]
pub struct RequirementView<'a> {
    /// The requirement.
    pub info: &'a RequirementInfo,
    /// The selected cases that name it, and those that broke it as a standing invariant, in plan order.
    pub cases: Vec<CaseView<'a>>,
    /// How many cases were judged on it as a standing invariant.
    pub judged: usize,
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
    /// Those of which a run without failures says nothing.
    pub const OPEN: [Self; 2] = [Self::Skipped, Self::NotProved];

    /// What the outcomes say together; the worst one decides.
    fn of(outcomes: &[Outcome<'_>]) -> Self {
        let any = |wanted: fn(&Outcome<'_>) -> bool| outcomes.iter().any(wanted);
        if any(|outcome| matches!(outcome, Outcome::Failed(_))) {
            Self::Failed
        } else if any(|outcome| matches!(outcome, Outcome::Inconclusive(_))) {
            Self::Inconclusive
        } else if any(|outcome| matches!(outcome, Outcome::Passed)) {
            Self::Passed
        } else if outcomes.is_empty() {
            Self::NotProved
        } else {
            Self::Skipped
        }
    }
}

/// What a case says about a requirement; `None` if nothing.
///
/// A case that failed for another reason was not judged to its end, so it only speaks of the standing
/// invariants that it broke. The same goes for one of which nothing is known.
fn says<'a>(case: &CaseView<'a>, id: &str) -> Option<Outcome<'a>> {
    let is_listed = |ids: &[String]| ids.iter().any(|other| other == id);
    if is_listed(&case.info.requirements) {
        return Some(case.outcome);
    }
    if !is_listed(&case.info.invariants) {
        return None;
    }
    match case.outcome {
        Outcome::Failed(failure) if failure.broken.iter().all(|broken| broken.id != id) => None,
        Outcome::Inconclusive(_) => None,
        outcome => Some(outcome),
    }
}

impl Aggregate {
    /// Every requirement of the catalogue, in its order.
    pub fn requirements(&self) -> impl Iterator<Item = RequirementView<'_>> {
        let all: Vec<CaseView<'_>> = self.cases().collect();
        self.info().into_iter().flat_map(|info| &info.requirements).map(move |info| {
            let mut cases = Vec::new();
            let mut outcomes = Vec::new();
            let mut judged = 0;
            for &case in &all {
                let Some(outcome) = says(&case, &info.id) else { continue };
                outcomes.push(outcome);
                let is_named = case.info.requirements.contains(&info.id);
                if !is_named && matches!(outcome, Outcome::Passed | Outcome::Failed(_)) {
                    judged += 1;
                }
                if is_named || matches!(outcome, Outcome::Failed(_)) {
                    cases.push(case);
                }
            }
            RequirementView { info, cases, judged, verdict: RequirementVerdict::of(&outcomes) }
        })
    }

    /// How many requirements of the catalogue have one of these verdicts.
    pub fn with_verdict(&self, verdicts: &[RequirementVerdict]) -> usize {
        self.requirements().filter(|requirement| verdicts.contains(&requirement.verdict)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Broken;
    use crate::event::{Event, Verdict};
    use crate::report::fixture::{Run, failed, inconclusive, passed};

    /// A run in which every case is judged on the invariant `IMG-09`, which no case names.
    fn run(verdicts: Vec<Verdict>) -> Aggregate {
        let mut aggregate = Aggregate::default();
        for event in Run::of(verdicts).events() {
            let mut event = event.clone();
            if let Event::RunStarted(info) = &mut event {
                let mut row = info.requirements[0].clone();
                row.id = "IMG-09".to_owned();
                info.requirements.push(row);
                info.cases.iter_mut().for_each(|case| case.invariants = vec!["IMG-09".to_owned()]);
            }
            aggregate.apply(&event);
        }
        aggregate
    }

    fn breaking() -> Verdict {
        let Verdict::Failed(mut failure) = failed() else { unreachable!() };
        failure.broken.push(Broken {
            id: "IMG-09".to_owned(),
            claim: "IMG-09: never".to_owned(),
            object: "Job a".to_owned(),
            nearest: "it was so".to_owned(),
        });
        Verdict::Failed(failure)
    }

    #[rstest::rstest]
    #[case::by_every_case(vec![passed(), passed()], RequirementVerdict::Passed, 2, 0)]
    #[case::another_failure_says_nothing(vec![passed(), failed()], RequirementVerdict::Passed, 1, 0)]
    #[case::nor_does_trouble(vec![passed(), inconclusive()], RequirementVerdict::Passed, 1, 0)]
    #[case::nothing_said_is_no_proof(vec![failed()], RequirementVerdict::NotProved, 0, 0)]
    #[case::one_case_breaks_it(vec![passed(), breaking()], RequirementVerdict::Failed, 2, 1)]
    fn an_invariant_is_proved_by_all_cases_and_broken_by_one(
        #[case] verdicts: Vec<Verdict>,
        #[case] verdict: RequirementVerdict,
        #[case] judged: usize,
        #[case] named: usize,
    ) {
        let run = run(verdicts);
        let view = run.requirements().find(|view| view.info.id == "IMG-09").expect("the row");
        assert_eq!((view.verdict, view.judged, view.cases.len()), (verdict, judged, named));
    }
}
