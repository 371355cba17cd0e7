//! Whether a record is about the packed suite, and about all of it.
//!
//! A record says itself what was to be judged: which requirements there are, which cases, and what each of them proves.
//! Who leaves out the case that failed, or calls a MUST a MAY, changes no verdict, so these are compared with the suite.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Disagreement;
use crate::event::{CaseId, CaseInfo, RunInfo};
use crate::scenario::PlannedCase;
use crate::scenario::suite::Suite;

/// What the record says of its suite, and the packed one does not.
pub(super) fn other_suite(suite: &Suite, run: &RunInfo) -> Vec<Disagreement> {
    let mut found = Vec::new();
    if suite.digest() != run.suite_digest {
        found.push(Disagreement {
            reason: Some("the packed suite is not that of the run".to_owned()),
            ..Disagreement::new("the digest of the suite", &run.suite_digest, suite.digest())
        });
    }
    if suite.requirements() != run.requirements {
        found.push(Disagreement {
            reason: Some("the record has other requirements than the packed suite".to_owned()),
            ..Disagreement::new("the requirements", "other ones", "those of the suite")
        });
    }
    let planned: BTreeMap<CaseId, &PlannedCase> =
        suite.cases().iter().map(|case| (case.id.first(), case)).collect();
    let recorded: BTreeSet<CaseId> = run.cases.iter().map(|case| case.id.first()).collect();
    // Which invariants a run judges depends on the implementation and the cluster, and is the same for all its cases.
    let judged: BTreeSet<&str> =
        run.cases.iter().flat_map(|case| &case.invariants).map(String::as_str).collect();
    let others = run.cases.iter().filter(|case| {
        planned.get(&case.id.first()).is_none_or(|planned| !proves_the_same(case, planned, &judged))
    });
    found.extend(others.map(|case| Disagreement {
        reason: Some("it proves something else in the record than in the packed suite".to_owned()),
        ..Disagreement::new(format!("case {}", case.id), "as the record has it", "as the suite has it")
    }));
    if !run.filtered {
        let missing = planned.keys().filter(|id| !recorded.contains(id));
        found.extend(missing.map(|id| Disagreement {
            reason: Some("the record calls the run whole and does not have the case".to_owned()),
            ..Disagreement::new(format!("case {id}"), "no case of the run", "a case of the suite")
        }));
    }
    found
}

fn proves_the_same(case: &CaseInfo, planned: &PlannedCase, judged: &BTreeSet<&str>) -> bool {
    let mut standing = planned.standing();
    standing.retain(|id| judged.contains(id.as_str()));
    case.requirements == planned.requirements && case.invariants == standing
}
