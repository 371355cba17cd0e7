//! Which of the requirements that a defect breaks its cases have noticed so far.
//!
//! That some case fails is not enough. A requirement is noticed by what is about it: a standing invariant by being
//! broken itself, in whatever case; any other by a case that names it and fails by a claim of its own, since the
//! invariants that the same case is judged on say nothing about it. A case whose subject never started says nothing
//! of a requirement, either: nothing was tried.

use std::collections::BTreeSet;

use super::proof::{BrokenClaim, Missed, Noticed};
use crate::check::Failure;
use crate::engine::case::STARTS;
use crate::event::{CaseId, CaseResult, Verdict};
use crate::scenario::PlannedCase;

/// What the cases said so far.
#[derive(Debug)]
pub(super) struct Verdicts(Vec<Sought>);

/// A requirement that the defect breaks.
#[derive(Debug)]
struct Sought {
    requirement: String,
    /// Whether it is an invariant of the suite.
    is_standing: bool,
    /// The cases that can notice it.
    cases: BTreeSet<CaseId>,
    noticed: Option<BrokenClaim>,
    otherwise: Option<BrokenClaim>,
    passed: usize,
    trouble: Option<String>,
    /// Why a case was not run.
    skipped: Option<String>,
}

impl Verdicts {
    /// Nothing is known yet about these requirements, which these cases are tried for.
    pub(super) fn of(
        requirements: &[String],
        cases: &[&PlannedCase],
        is_standing: impl Fn(&str) -> bool,
    ) -> Self {
        let sought = requirements.iter().map(|requirement| {
            let is_standing = is_standing(requirement);
            let can_notice = |case: &&&PlannedCase| {
                let proved = if is_standing { &case.standing() } else { &case.requirements };
                proved.contains(requirement)
            };
            Sought {
                requirement: requirement.clone(),
                is_standing,
                cases: cases.iter().filter(can_notice).map(|case| case.id.clone()).collect(),
                noticed: None,
                otherwise: None,
                passed: 0,
                trouble: None,
                skipped: None,
            }
        });
        Self(sought.collect())
    }

    pub(super) fn add(&mut self, result: &CaseResult) {
        for sought in &mut self.0 {
            // Once it is noticed its other cases are interrupted.
            if sought.noticed.is_none() && sought.cases.contains(&result.id) {
                sought.add(&result.id, &result.verdict);
            }
        }
    }

    /// Whether the case can notice something that no other case has noticed yet.
    pub(super) fn need(&self, case: &CaseId) -> bool {
        self.0.iter().any(|sought| sought.noticed.is_none() && sought.cases.contains(case))
    }

    /// What was noticed, and what was not.
    pub(super) fn into_parts(self) -> (Vec<Noticed>, Vec<Missed>) {
        let (mut all_noticed, mut missed) = (Vec::new(), Vec::new());
        for Sought { requirement, noticed, otherwise, passed, trouble, skipped, .. } in self.0 {
            // Where nothing was judged, what was skipped could have noticed it.
            let nothing_judged = passed == 0 && otherwise.is_none();
            let trouble = trouble.or(skipped.filter(|_| nothing_judged));
            match noticed {
                Some(broken) => all_noticed.push(Noticed { requirement, broken }),
                None => missed.push(Missed { requirement, passed, otherwise, trouble }),
            }
        }
        (all_noticed, missed)
    }
}

impl Sought {
    fn add(&mut self, case: &CaseId, verdict: &Verdict) {
        let broken = |claim: &str| BrokenClaim { by: case.to_string(), claim: claim.to_owned() };
        match verdict {
            Verdict::Failed(failure) => match self.claim_in(failure) {
                Some(claim) => self.noticed = Some(broken(claim)),
                None if failure.claim == STARTS => {
                    self.trouble = Some(format!("{case}: not true that {STARTS}: {}", failure.nearest));
                }
                None => {
                    self.otherwise.get_or_insert_with(|| broken(&failure.claim));
                }
            },
            Verdict::Passed => self.passed += 1,
            Verdict::Inconclusive { reason } => self.trouble = Some(format!("{case}: {reason}")),
            Verdict::Skipped { reason } => self.skipped = Some(format!("{case}: {reason}")),
        }
    }

    /// The claim about the requirement that did not hold, if there is one.
    fn claim_in<'a>(&self, failure: &'a Failure) -> Option<&'a str> {
        if self.is_standing {
            let of_it = failure.broken.iter().find(|broken| broken.id == self.requirement);
            return of_it.map(|broken| broken.claim.as_str());
        }
        // Invariants are judged last, so a case that fails by one has no claim of its own that does not hold.
        let is_own =
            failure.claim != STARTS && failure.broken.iter().all(|broken| broken.claim != failure.claim);
        is_own.then_some(failure.claim.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::Broken;
    use crate::engine::Outcome;
    use crate::engine::prove::Proof;
    use crate::report::fixture::failed;
    use crate::subject::Defect;

    fn id(name: &str) -> CaseId {
        CaseId { scenario: name.to_owned(), case: String::new() }
    }

    /// Cases `a`, `b` and `both` name A-1, B-1 and both; all are judged on INV-01.
    fn sought(requirements: &[&str]) -> Verdicts {
        let sought = |requirement: &&str| {
            let cases: &[&str] = match *requirement {
                "A-1" => &["a", "both"],
                "B-1" => &["b", "both"],
                _ => &["a", "b", "both"],
            };
            Sought {
                requirement: (*requirement).to_owned(),
                is_standing: requirement.starts_with("INV"),
                cases: cases.iter().map(|name| id(name)).collect(),
                noticed: None,
                otherwise: None,
                passed: 0,
                trouble: None,
                skipped: None,
            }
        };
        Verdicts(requirements.iter().map(sought).collect())
    }

    /// A failure by a claim of the case itself, or by the first of these invariants.
    fn failure(own: bool, broken: &[&str]) -> Verdict {
        let Verdict::Failed(mut failure) = failed() else { unreachable!() };
        let claim = |id: &str| format!("{id}: never");
        failure.broken = broken
            .iter()
            .map(|id| Broken {
                id: (*id).to_owned(),
                claim: claim(id),
                object: String::new(),
                nearest: String::new(),
            })
            .collect();
        failure.claim = if own { "a claim of its own".to_owned() } else { claim(broken[0]) };
        Verdict::Failed(failure)
    }

    fn proof(mut verdicts: Verdicts, results: Vec<(&str, Verdict)>) -> Proof {
        for (case, verdict) in results {
            verdicts.add(&CaseResult {
                id: id(case),
                verdict,
                elapsed: Duration::ZERO,
                namespace: String::new(),
                timeline: Vec::new(),
                history: None,
            });
        }
        let defect = Defect { name: "d".to_owned(), requirements: Vec::new(), summary: String::new() };
        let (noticed, missed) = verdicts.into_parts();
        Proof::new(defect, noticed, missed, Duration::ZERO)
    }

    /// What noticed which requirement.
    fn told(proof: &Proof) -> Vec<String> {
        let told = proof.noticed.iter();
        told.map(|it| format!("{} by {}: {}", it.requirement, it.broken.by, it.broken.claim)).collect()
    }

    #[test]
    fn an_invariant_is_noticed_by_that_invariant_alone() {
        let noticed = proof(
            sought(&["INV-01"]),
            vec![
                ("a", failure(true, &[])),
                ("b", failure(false, &["INV-02"])),
                ("both", failure(true, &["INV-02", "INV-01"])),
            ],
        );
        assert_eq!(told(&noticed), ["INV-01 by both: INV-01: never"]);
        assert_eq!(noticed.outcome, Outcome::Killed);
        let missed = proof(sought(&["INV-01"]), vec![("a", failure(true, &[])), ("b", Verdict::Passed)]);
        assert_eq!(missed.outcome, Outcome::Survived);
        let otherwise = missed.missed[0].otherwise.as_ref().map(|other| other.by.as_str());
        assert_eq!((otherwise, missed.missed[0].passed), (Some("a"), 1));
    }

    #[test]
    fn another_requirement_is_noticed_by_a_claim_of_a_case_of_its_own_alone() {
        let missed = proof(
            sought(&["A-1"]),
            vec![("b", failure(true, &[])), ("a", failure(false, &["INV-01"])), ("both", Verdict::Passed)],
        );
        assert_eq!(missed.outcome, Outcome::Survived);
        assert_eq!(missed.missed[0].passed, 1);
        let noticed = proof(sought(&["A-1"]), vec![("a", failure(true, &["INV-01"]))]);
        assert_eq!(told(&noticed), ["A-1 by a: a claim of its own"]);
    }

    #[test]
    fn each_requirement_is_noticed_for_itself() {
        let one = proof(
            sought(&["A-1", "B-1"]),
            vec![("a", failure(true, &[])), ("b", Verdict::Passed), ("both", Verdict::Passed)],
        );
        assert_eq!((one.outcome, told(&one).len()), (Outcome::Partly, 1));
        assert_eq!(one.missed[0].requirement, "B-1");
        let both = proof(sought(&["A-1", "B-1", "INV-01"]), vec![("both", failure(true, &["INV-01"]))]);
        assert_eq!((both.outcome, told(&both).len()), (Outcome::Killed, 3));
    }

    #[test]
    fn what_could_not_be_judged_leaves_open_what_only_it_could_have_noticed() {
        let trouble = || Verdict::Inconclusive { reason: "no cluster".to_owned() };
        let open = proof(sought(&["A-1", "B-1"]), vec![("a", failure(true, &[])), ("b", trouble())]);
        assert_eq!(open.outcome, Outcome::Inconclusive);
        assert_eq!(open.missed[0].trouble.as_deref(), Some("b: no cluster"));
        let sure = proof(sought(&["A-1", "B-1"]), vec![("a", Verdict::Passed), ("b", trouble())]);
        assert_eq!(sure.outcome, Outcome::Survived, "the cases of A-1 were judged");
    }

    #[test]
    fn a_subject_that_never_starts_is_no_notice_of_what_was_to_be_tried() {
        let never_started = |broken: &[&str]| {
            let Verdict::Failed(mut failure) = failure(true, broken) else { unreachable!() };
            failure.claim = STARTS.to_owned();
            Verdict::Failed(failure)
        };
        let open = proof(sought(&["A-1"]), vec![("a", never_started(&[])), ("both", never_started(&[]))]);
        assert_eq!(open.outcome, Outcome::Inconclusive);
        assert!(open.missed[0].trouble.as_ref().is_some_and(|said| said.starts_with("both: not true")));
        let judged = proof(sought(&["A-1"]), vec![("a", never_started(&[])), ("both", failure(true, &[]))]);
        assert_eq!(judged.outcome, Outcome::Killed);
        // What its start left is there, and an invariant is about all of it.
        let standing = proof(sought(&["INV-01"]), vec![("a", never_started(&["INV-01"]))]);
        assert_eq!(standing.outcome, Outcome::Killed);
    }

    #[test]
    fn what_was_skipped_leaves_open_what_nothing_else_was_judged_for() {
        let skipped = || Verdict::Skipped { reason: "needs a database".to_owned() };
        let open = proof(sought(&["A-1"]), vec![("a", skipped()), ("both", skipped())]);
        assert_eq!(open.outcome, Outcome::Inconclusive);
        assert_eq!(open.missed[0].trouble.as_deref(), Some("both: needs a database"));
        let judged = proof(sought(&["A-1"]), vec![("a", skipped()), ("both", Verdict::Passed)]);
        assert_eq!(judged.outcome, Outcome::Survived);
    }

    #[test]
    fn cases_are_needed_until_what_they_can_notice_is_noticed() {
        let mut verdicts = sought(&["A-1", "B-1"]);
        let needed = |verdicts: &Verdicts| ["a", "b", "both"].map(|case| verdicts.need(&id(case)));
        assert_eq!(needed(&verdicts), [true, true, true]);
        verdicts.0[0].noticed = Some(BrokenClaim { by: "a".to_owned(), claim: String::new() });
        assert_eq!(needed(&verdicts), [false, true, true]);
        verdicts.0[1].noticed = verdicts.0[0].noticed.clone();
        assert_eq!(needed(&verdicts), [false, false, false]);
    }
}
