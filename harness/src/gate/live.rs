//! What a run of the suite says about a new version.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::rules::{self, Rule};
use crate::report::Statement;

const PASSED: &str = "passed";
const FAILED: &str = "failed";

/// Requirements that the report of the last version met and that of the new one does not.
///
/// A requirement that nobody proved now counts as lost, too: what is not looked at any more is not met.
pub fn lost(before: &Statement, after: &Statement) -> Vec<Finding> {
    let mut lost = Vec::new();
    for requirement in before.requirements.iter().filter(|requirement| requirement.verdict == PASSED) {
        let now = after.requirements.iter().find(|now| now.id == requirement.id);
        let verdict = now.map_or("not mentioned", |now| now.verdict.as_str());
        if verdict != PASSED && verdict != "inconclusive" {
            let what = format!("the last version met it; now it is {verdict}");
            lost.push(unmet(rules::REQUIREMENT_LOST, &requirement.id, what, after));
        }
    }
    lost
}

/// Requirements that the new version does not meet, where no report of the last one is there to compare with.
pub fn failed(after: &Statement) -> Vec<Finding> {
    let failed = after.requirements.iter().filter(|requirement| requirement.verdict == FAILED);
    let what = "the new version does not meet it";
    failed
        .map(|requirement| unmet(rules::REQUIREMENT_FAILED, &requirement.id, what.to_owned(), after))
        .collect()
}

/// A requirement that is not met, at the claim that its first failed case broke, and with all of these.
fn unmet(rule: Rule, id: &str, what: String, report: &Statement) -> Finding {
    let requirement = report.requirements.iter().find(|requirement| requirement.id == id);
    let scenarios = requirement.map_or(&[][..], |requirement| &requirement.scenarios);
    let failed: Vec<&str> =
        scenarios.iter().filter(|proof| proof.verdict == FAILED).map(|proof| proof.name.as_str()).collect();
    let first = failed.first().and_then(|name| report.cases.iter().find(|case| case.name == *name));
    let place = first.and_then(|case| case.place.as_deref()).unwrap_or(id);
    let what = if failed.is_empty() { what } else { format!("{what}: {} failed", failed.join(", ")) };
    Finding::new(rule, place, id, what)
}

/// Cases of upgrades and rollbacks that failed.
pub fn disturbed(upgrades: &Statement) -> Vec<Finding> {
    let failed = upgrades.cases.iter().filter(|case| case.verdict == FAILED);
    failed
        .map(|case| {
            let claim = case.reason.as_deref().unwrap_or("the case failed");
            let what =
                case.nearest.as_ref().map_or_else(|| claim.to_owned(), |seen| format!("{claim}; {seen}"));
            let place = case.place.as_deref().unwrap_or(&case.name);
            Finding::new(rules::UPGRADE_DISTURBS, place, &case.name, what)
        })
        .collect()
}

/// Cases about which nothing is known, and what is told of each.
pub fn open(statement: &Statement) -> BTreeMap<String, String> {
    let unknown = statement.cases.iter().filter(|case| case.verdict == "inconclusive");
    unknown
        .map(|case| {
            let reason = case.reason.as_deref().unwrap_or("inconclusive");
            (case.name.clone(), format!("{}: {reason}", case.name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Source;

    fn statement(requirements: &str, cases: &str) -> Statement {
        let text = format!(
            "{{result: x, interrupted: false, statistics: {{}}, profiles: [], requirements: [{requirements}], cases: [{cases}]}}"
        );
        Statement::parse(&Source::new("report.yaml", text)).expect("reads")
    }

    #[test]
    fn only_what_was_met_can_be_lost() {
        let before = statement(
            "{id: A, verdict: passed}, {id: B, verdict: failed}, {id: C, verdict: passed}, {id: D, verdict: passed}",
            "",
        );
        let after = statement(
            "{id: A, verdict: failed}, {id: B, verdict: failed}, {id: C, verdict: passed}, {id: E, verdict: failed}",
            "",
        );
        let ids = |found: Vec<Finding>| found.into_iter().map(|finding| finding.subject).collect::<Vec<_>>();
        assert_eq!(ids(lost(&before, &after)), ["A", "D"]);
        assert_eq!(ids(failed(&after)), ["A", "B", "E"]);
    }

    #[test]
    fn a_lost_requirement_tells_which_cases_failed_and_where() {
        let before = statement("{id: A, verdict: passed}", "");
        let after = statement(
            "{id: A, verdict: failed, scenarios: [{name: b, verdict: passed}, {name: c, verdict: failed}, {name: d, verdict: failed}]}",
            "{name: c, verdict: failed, reason: never two Jobs, place: 'c.yaml:7'}",
        );
        let finding = &lost(&before, &after)[0];
        assert_eq!((finding.rule.id, finding.place.as_str()), ("REQUIREMENT-LOST", "c.yaml:7"));
        assert_eq!(finding.what, "the last version met it; now it is failed: c, d failed");
        assert!(!finding.rule.advice.is_empty());
    }

    #[test]
    fn a_case_tells_what_was_disturbed_and_trouble_stays_open() {
        let upgrades = statement(
            "",
            "{name: a, verdict: failed, reason: never two Jobs, nearest: two at version 7, place: 'a.yaml:7'}, {name: b, verdict: passed}, {name: c, verdict: inconclusive}",
        );
        let finding = &disturbed(&upgrades)[0];
        assert_eq!((finding.rule.id, finding.place.as_str()), ("UPGRADE-DISTURBS", "a.yaml:7"));
        assert_eq!(finding.what, "never two Jobs; two at version 7");
        assert_eq!(disturbed(&upgrades).len(), 1);
        assert_eq!(open(&upgrades), BTreeMap::from([("c".to_owned(), "c: inconclusive".to_owned())]));
    }
}
