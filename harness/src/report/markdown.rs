//! The verdict in a few lines of Markdown, for the summary page of a CI job.

use super::aggregate::{Aggregate, Outcome};
use super::requirement::RequirementVerdict;
use super::shortfall::Shortfall;
use super::summary::Conformance;
use crate::count::{agree, count};
use crate::exit;

/// How many requirements that are not met, and cases without a verdict, are listed.
const LISTED: usize = 20;

/// Heading, counts, and what is not met.
pub(super) fn render(run: &Aggregate) -> String {
    let summary = run.summary();
    let verdict = match summary.conformance {
        Conformance::Conformant => "conformant",
        Conformance::NonConformant => "not conformant",
        Conformance::Inconclusive => "inconclusive",
        Conformance::NothingRun => "nothing run",
        Conformance::NotDecided if run.filtered() => "no verdict on conformance (filtered run)",
        Conformance::NotDecided if run.ended_at_failure() => {
            "no verdict on conformance (the run ended at its first failure)"
        }
        Conformance::NotDecided => "no verdict on conformance",
    };
    let sign = match (summary.conformance, summary.exit) {
        (Conformance::NonConformant, _) => "❌",
        (Conformance::Conformant, exit::CONFORMANT) => "✅",
        (Conformance::NotDecided, exit::CONFORMANT) if run.filtered() => "✅",
        _ => "⚠️",
    };
    let mut verdict = vec![verdict.to_owned()];
    verdict.extend(summary.shortfalls.iter().map(Shortfall::words));
    let who = run.info().map_or_else(String::new, |info| {
        format!("{} {}: ", info.implementation.name, info.implementation.version)
    });
    let counts = summary.counts;
    let mut lines = vec![
        format!("### {who}{sign} {}", verdict.join("; ")),
        String::new(),
        "| cases | passed | failed | inconclusive | skipped | seconds |".to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
        format!(
            "| {} | {} | {} | {} | {} | {:.1} |",
            counts.planned,
            counts.passed,
            counts.failed,
            counts.inconclusive,
            counts.skipped,
            run.elapsed().as_secs_f64()
        ),
    ];
    let all = run.info().map_or(0, |info| info.requirements.len());
    let open = run.with_verdict(&RequirementVerdict::OPEN);
    if summary.conformance == Conformance::Conformant && open > 0 {
        lines.extend([
            String::new(),
            format!(
                "{} of {} {} proved by this suite.",
                all - open,
                count(all, "requirement"),
                agree(&(all - open), "is", "are")
            ),
        ]);
    }
    if summary.conformance == Conformance::NotDecided && !run.filtered() && !run.ended_at_failure() {
        let why = run.undecided().into_iter().map(|(why, ids)| format!("| {} | {why} |", ids.join(", ")));
        table(&mut lines, "| MUSTs that nothing is known about | why |\n| --- | --- |", why.collect());
    }
    let profiles: Vec<String> = run
        .claimed_profiles()
        .iter()
        .map(|profile| {
            let verdict = profile.verdict.words();
            format!("| {} | {verdict} | {} of {} |", profile.name, profile.met, profile.musts)
        })
        .collect();
    table(&mut lines, "| profile | verdict | MUSTs met |\n| --- | --- | --- |", profiles);
    let broken: Vec<String> = run
        .requirements()
        .filter(|requirement| requirement.verdict == RequirementVerdict::Failed)
        .map(|requirement| {
            let info = requirement.info;
            format!("| {} | {} | {} |", info.id, info.level.word(), cell(&info.statement))
        })
        .collect();
    table(&mut lines, "| not met | level | requirement |\n| --- | --- | --- |", broken);
    let open: Vec<String> = run
        .cases()
        .filter_map(|case| match case.outcome {
            Outcome::Inconclusive(reason) => Some(format!("| {} | {} |", case.info.id, cell(reason))),
            _ => None,
        })
        .collect();
    table(&mut lines, "| inconclusive | why |\n| --- | --- |", open);
    lines.push(String::new());
    lines.join("\n")
}

/// Adds a table, cut where it gets long; nothing for no rows.
fn table(lines: &mut Vec<String>, head: &str, rows: Vec<String>) {
    if rows.is_empty() {
        return;
    }
    let more = rows.len().saturating_sub(LISTED);
    lines.extend([String::new(), head.to_owned()]);
    lines.extend(rows.into_iter().take(LISTED));
    if more > 0 {
        lines.extend([String::new(), format!("and {more} more")]);
    }
}

/// A text that cannot leave its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::{cell, render};
    use crate::event::{CORE, Level};
    use crate::report::fixture::{Run, failed, inconclusive, passed, skipped};

    #[test]
    fn what_is_not_met_is_listed() {
        insta::assert_snapshot!(render(
            &Run::of([passed(), failed(), inconclusive(), skipped()]).aggregate()
        ));
    }

    #[test]
    fn green_is_a_heading_and_a_line() {
        let text = render(&Run::of([passed(), passed(), passed()]).aggregate());
        assert!(text.starts_with("### agents-controller 0.1.0: ✅ conformant\n"), "{text}");
        assert!(text.trim_end().ends_with("4 of 5 requirements are proved by this suite."), "{text}");
    }

    #[test]
    fn what_decides_nothing_stands_beside_the_verdict() {
        let should = ["IMG-03", "TTL-01"].map(|id| (id, Level::Should, CORE));
        let text = render(&Run::of([passed(), passed(), failed()]).leveled(&should));
        let head = "### agents-controller 0.1.0: ⚠️ conformant; 2 requirements of level SHOULD not met\n";
        assert!(text.starts_with(head), "{text}");
    }

    #[test]
    fn one_requirement_is_told_as_one() {
        let should = [("TTL-01", Level::Should, CORE)];
        let text = render(&Run::of([passed(), passed(), failed()]).leveled(&should));
        assert!(text.contains("1 requirement of level SHOULD not met"), "{text}");
    }

    #[test]
    fn a_run_without_a_verdict_says_why() {
        let text = render(&Run::of([passed(), passed(), skipped()]).aggregate());
        assert!(text.starts_with("### agents-controller 0.1.0: ⚠️ no verdict on conformance\n"), "{text}");
        assert!(text.contains("| IMG-03 | every case was skipped |"), "{text}");
    }

    #[test]
    fn no_text_leaves_its_cell() {
        assert_eq!(cell("a|b\n<c>"), "a\\|b &lt;c>");
    }
}
