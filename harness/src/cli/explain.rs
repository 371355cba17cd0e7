//! `hallmark explain`.

mod step;

use super::args::ExplainArgs;
use super::console::Console;
use crate::check::describe;
use crate::count::{agree, count};
use crate::event::RequirementInfo;
use crate::exit;
use crate::scenario::PlannedCase;
use crate::scenario::assertion::Assertion;
use crate::scenario::suite::Suite;

pub(super) fn explain(args: &ExplainArgs, console: Console) -> u8 {
    let name = &args.name;
    if let Some(text) = step::text(name) {
        Console::data(&text);
        return exit::CONFORMANT;
    }
    let suite = match Suite::load(&args.suite) {
        Ok(suite) => suite,
        Err(error) => {
            console.problems(&error);
            return exit::USAGE;
        }
    };
    let Some(text) = text(name, suite.requirements(), suite.cases()) else {
        console.say(&format!(
            "`{name}` is no requirement, scenario or case of this suite, which `hallmark list` shows, and no step"
        ));
        return exit::USAGE;
    };
    Console::data(&text);
    exit::CONFORMANT
}

fn text(name: &str, requirements: &[RequirementInfo], cases: &[PlannedCase]) -> Option<String> {
    if let Some(requirement) = requirements.iter().find(|requirement| requirement.id == name) {
        return Some(of_requirement(requirement, cases));
    }
    let named = |case: &&PlannedCase| case.id.scenario == name || case.id.to_string() == name;
    let cases: Vec<&PlannedCase> = cases.iter().filter(named).collect();
    let (first, _) = cases.split_first()?;
    Some(of_scenario(first, &cases, requirements))
}

fn of_requirement(requirement: &RequirementInfo, cases: &[PlannedCase]) -> String {
    let RequirementInfo { id, statement, level, feature, source, unproved } = requirement;
    let mut lines = vec![
        format!("{id} ({}, {feature}; source {source})", level.word()),
        format!("  {statement}"),
        String::new(),
    ];
    let proofs: Vec<&PlannedCase> = cases.iter().filter(|case| case.requirements.contains(id)).collect();
    let is_standing = cases.iter().any(|case| case.standing().contains(id));
    match (proofs.is_empty(), is_standing) {
        (true, false) => lines.push(match unproved {
            Some(why) => format!("no scenario proves it: {why}"),
            None => "no case proves it".to_owned(),
        }),
        (false, _) => lines.push("proved by".to_owned()),
        (true, true) => {}
    }
    for case in proofs {
        lines.push(format!("  {} ({})", case.id, case.file.display()));
    }
    lines.extend(of_invariant(id, cases));
    lines.join("\n")
}

/// The claims by which a requirement is a standing invariant, and of how many cases it has to be true.
fn of_invariant(id: &str, cases: &[PlannedCase]) -> Vec<String> {
    let judged: Vec<&PlannedCase> =
        cases.iter().filter(|case| case.standing().iter().any(|other| other == id)).collect();
    let Some(first) = judged.first() else { return Vec::new() };
    let mut lines = vec![format!(
        "a standing invariant: {} of {} {} judged on it",
        judged.len(),
        count(cases.len(), "case"),
        agree(&judged.len(), "is", "are")
    )];
    let is_of =
        |assertion: &&Assertion| assertion.standing.as_ref().is_some_and(|standing| standing.id == id);
    for assertion in first.invariants().filter(is_of) {
        lines.push(format!("  {} ({})", describe(assertion), assertion.location));
    }
    lines
}

fn of_scenario(first: &PlannedCase, cases: &[&PlannedCase], requirements: &[RequirementInfo]) -> String {
    let mut lines = vec![
        format!("{} ({})", first.id.scenario, first.file.display()),
        format!("  {}", first.summary),
        String::new(),
        "proves".to_owned(),
    ];
    for id in &first.requirements {
        let statement =
            requirements.iter().find(|other| other.id == *id).map(|other| other.statement.as_str());
        lines.push(format!("  {id}  {}", statement.unwrap_or_default()));
    }
    for case in cases {
        lines.extend([String::new(), format!("{}", case.id)]);
        for (place, step) in case.steps.iter().chain(&case.expect).enumerate() {
            let part = if place == case.steps.len() { "expect" } else { "" };
            lines.push(format!(
                "  {:>3} {:<7}{} ({})",
                place + 1,
                part,
                step.summary,
                step.location.span.line
            ));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::text;
    use crate::scenario::suite::Suite;

    fn explained(name: &str) -> Option<String> {
        let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).unwrap();
        text(name, suite.requirements(), suite.cases())
    }

    #[test]
    fn a_requirement_is_told_with_its_cases() {
        let text = explained("TTL-04").unwrap();
        assert!(text.starts_with("TTL-04 (MUST, core; source S1)\n  A positive value below 30"), "{text}");
        assert!(text.contains("  a-short-ttl-becomes-30-seconds/five ("), "{text}");
    }

    #[test]
    fn an_invariant_is_told_with_its_claims_and_the_number_of_its_cases() {
        let text = explained("INV-04").unwrap();
        assert!(text.starts_with("INV-04 (MUST, "), "{text}");
        assert!(text.contains("\na standing invariant: "), "{text}");
        assert!(text.contains("\n  never AgentRun: "), "{text}");
        assert!(text.contains("suite.yaml:"), "{text}");
        assert!(!text.contains("no case proves it"), "{text}");
    }

    #[test]
    fn a_scenario_is_told_with_its_steps_and_a_case_alone() {
        let all = explained("a-short-ttl-becomes-30-seconds").unwrap();
        let one = explained("a-short-ttl-becomes-30-seconds/five").unwrap();
        assert!(all.contains("TTL-04  A positive value below 30"), "{all}");
        assert!(one.contains("  3        finish job of run: succeeded ("), "{one}");
        assert!(
            all.contains("a-short-ttl-becomes-30-seconds/one\n") && !one.contains("seconds/one"),
            "{one}"
        );
    }

    #[test]
    fn what_is_unknown_is_told_apart() {
        assert_eq!(explained("TTL-99"), None);
    }
}
