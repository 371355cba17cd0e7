//! What cases say without a defect: a case that does not pass then notices nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::proof::{Missed, Noticed};
use crate::event::Verdict;

/// Why each case that was asked so far says nothing about a defect; empty for one that passed.
#[derive(Debug, Default)]
pub(super) struct Control(Mutex<BTreeMap<String, Arc<OnceCell<Option<String>>>>>);

impl Control {
    /// The answer about a case, which many defects may wait for.
    pub(super) fn about(&self, case: &str) -> Arc<OnceCell<Option<String>>> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(asked.entry(case.to_owned()).or_default())
    }
}

/// Why a case with this verdict says nothing about a defect; none for one that passed.
pub(super) fn objection(case: &str, verdict: Option<&Verdict>) -> Option<String> {
    match verdict {
        Some(Verdict::Passed) => None,
        Some(Verdict::Failed(failure)) => {
            Some(format!("{case} fails without a defect, too: {}", failure.claim))
        }
        Some(Verdict::Inconclusive { reason } | Verdict::Skipped { reason }) => {
            Some(format!("{case} says nothing without a defect: {reason}"))
        }
        None => Some(format!("{case} was not tried without a defect")),
    }
}

/// Takes what was noticed by a case with an objection for something that nobody could judge.
pub(super) fn apply(noticed: &mut Vec<Noticed>, missed: &mut Vec<Missed>, case: &str, objection: &str) {
    for Noticed { requirement, .. } in noticed.extract_if(.., |noticed| noticed.broken.by == case) {
        missed.push(Missed { requirement, passed: 0, otherwise: None, trouble: Some(objection.to_owned()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::prove::{BrokenClaim, Outcome, Proof};
    use crate::report::fixture::{failed, inconclusive, passed, skipped};
    use crate::subject::Defect;

    #[test]
    fn only_a_case_that_passes_without_a_defect_says_something() {
        assert_eq!(objection("a", Some(&passed())), None);
        for verdict in [failed(), inconclusive(), skipped()] {
            assert!(objection("a", Some(&verdict)).is_some_and(|told| told.starts_with("a ")));
        }
        assert!(objection("a", None).is_some());
    }

    #[test]
    fn what_a_case_noticed_that_always_fails_is_open_and_the_rest_stays() {
        let noticed = |requirement: &str, by: &str| Noticed {
            requirement: requirement.to_owned(),
            broken: BrokenClaim { by: by.to_owned(), claim: String::new() },
        };
        let (mut all, mut missed) = (vec![noticed("A-1", "a"), noticed("B-1", "b")], Vec::new());
        apply(&mut all, &mut missed, "a", "a fails without a defect, too");
        assert_eq!(all, [noticed("B-1", "b")]);
        let defect = Defect { name: "d".to_owned(), requirements: Vec::new(), summary: String::new() };
        let proof = Proof::new(defect, all, missed, std::time::Duration::ZERO);
        assert_eq!(proof.outcome, Outcome::Inconclusive);
        assert_eq!(proof.missed[0].requirement, "A-1");
    }
}
