//! What a run of the suite says about a new version.

use super::finding::Finding;
use super::rules;
use crate::report::Statement;

const PASSED: &str = "passed";
const FAILED: &str = "failed";

/// Requirements that the report of the last version met and that of the new one does not.
///
/// A requirement that nobody proved now counts as lost, too: what is not looked at any more is not met.
pub fn lost(before: &Statement, after: &Statement) -> Vec<Finding> {
    let verdict = |statement: &Statement, id: &str| {
        let found = statement.requirements.iter().find(|requirement| requirement.id == id);
        found.map_or("not mentioned".to_owned(), |requirement| requirement.verdict.clone())
    };
    before
        .requirements
        .iter()
        .filter(|requirement| requirement.verdict == PASSED)
        .map(|requirement| (requirement, verdict(after, &requirement.id)))
        .filter(|(_, now)| now != PASSED && now != "inconclusive")
        .map(|(requirement, now)| {
            let what = format!("the last version met it; now it is {now}");
            Finding::new(rules::REQUIREMENT_LOST, &requirement.id, &requirement.id, what)
        })
        .collect()
}

/// Requirements that the new version does not meet, where no report of the last one is there to compare with.
pub fn failed(after: &Statement) -> Vec<Finding> {
    let failed = after.requirements.iter().filter(|requirement| requirement.verdict == FAILED);
    failed
        .map(|requirement| {
            let what = "the new version does not meet it";
            Finding::new(rules::REQUIREMENT_FAILED, &requirement.id, &requirement.id, what)
        })
        .collect()
}

/// Cases of upgrades and rollbacks that failed.
pub fn disturbed(upgrades: &Statement) -> Vec<Finding> {
    let failed = upgrades.cases.iter().filter(|case| case.verdict == FAILED);
    failed
        .map(|case| {
            let what = case.reason.clone().unwrap_or_else(|| "the case failed".to_owned());
            Finding::new(rules::UPGRADE_DISTURBS, &case.name, &case.name, what)
        })
        .collect()
}

/// Cases about which nothing is known.
pub fn open(statement: &Statement) -> Vec<String> {
    let unknown = statement.cases.iter().filter(|case| case.verdict == "inconclusive");
    unknown
        .map(|case| format!("{}: {}", case.name, case.reason.as_deref().unwrap_or("inconclusive")))
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
    fn a_case_tells_what_was_disturbed_and_trouble_stays_open() {
        let upgrades = statement(
            "",
            "{name: a, verdict: failed, reason: never two Jobs}, {name: b, verdict: passed}, {name: c, verdict: inconclusive}",
        );
        assert_eq!(disturbed(&upgrades)[0].what, "never two Jobs");
        assert_eq!(disturbed(&upgrades).len(), 1);
        assert_eq!(open(&upgrades), ["c: inconclusive"]);
    }
}
