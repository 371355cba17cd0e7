//! The last words about a run.

use std::collections::BTreeMap;

use super::style::{BOLD, DIM, GREEN, RED, YELLOW, indent, paint, table, time};
use crate::count::{agree, count};
use crate::event::RunInfo;
use crate::exit;
use crate::report::aggregate::{Aggregate, Outcome};
use crate::report::files::{HTML_FILE, JUNIT_FILE, REPORT_FILE};
use crate::report::profile::{Profile, ProfileVerdict};
use crate::report::repetition::Repetition;
use crate::report::requirement::RequirementVerdict;
use crate::report::settings::{Settings, Verbosity};
use crate::report::summary::{Conformance, Counts, Summary};

/// How many skipped cases are named for one reason; the reports name all.
const LISTED: usize = 10;

/// The summary with styles; in quiet mode only the verdict.
pub(super) fn render(run: &Aggregate, settings: &Settings, width: u16) -> String {
    let summary = run.summary();
    let verdict = verdict(run, &summary);
    if settings.verbosity == Verbosity::Quiet {
        return format!("{verdict}\n");
    }
    let reports = match &settings.report_dir {
        Some(folder) => {
            let files =
                [HTML_FILE, REPORT_FILE, JUNIT_FILE].map(|file| folder.join(file).display().to_string());
            format!("{} {}\n", paint(DIM, "reports       "), files.join(", "))
        }
        None => String::new(),
    };
    [
        "\n",
        &failed_requirements(run, width),
        &skipped(run),
        &repetitions(&summary.repetitions),
        &profiles(run),
        &counts(run, summary.counts),
        &run.info().map(about).unwrap_or_default(),
        &reports,
        "\n",
        &verdict,
        "\n",
    ]
    .concat()
}

/// The verdict in one line for people and log searches, then a line for each thing that does not change it.
fn verdict(run: &Aggregate, summary: &Summary) -> String {
    let mut lines = vec![conformance(run, summary)];
    lines.extend(summary.shortfalls.iter().map(|one| {
        format!("  {} {}", paint(YELLOW, &format!("{}:", one.words())), one.requirements.join(", "))
    }));
    let counts = summary.counts;
    let is_silent = matches!(summary.conformance, Conformance::Conformant | Conformance::NotDecided);
    match summary.exit {
        exit::NON_CONFORMANT if is_silent => {
            lines.push(format!("  exit code {}: {} failed", summary.exit, count(counts.failed, "case")));
        }
        exit::INCONCLUSIVE if is_silent => {
            let cases = count(counts.inconclusive, "case");
            lines.push(format!("  exit code {}: nothing is known about {cases}", summary.exit));
        }
        _ => {}
    }
    lines.join("\n")
}

fn conformance(run: &Aggregate, summary: &Summary) -> String {
    match summary.conformance {
        Conformance::Conformant => {
            let met = run.with_verdict(&[RequirementVerdict::Passed]);
            let all = run.info().map_or(0, |info| info.requirements.len());
            // A suite that does not prove everything must not sound as if it did.
            let but = match run.with_verdict(&RequirementVerdict::OPEN) {
                0 => String::new(),
                holes => format!(
                    " with the {} that this suite proves; {holes} of {all} {} not proved (report.yaml lists them)",
                    count(met, "requirement"),
                    agree(&holes, "is", "are")
                ),
            };
            format!("{}{but}", paint(GREEN, "conformant"))
        }
        Conformance::NonConformant => {
            format!("{} {}", paint(RED, "NOT conformant:"), summary.not_met.join(", "))
        }
        Conformance::Inconclusive => {
            let why = if run.cut_short() {
                "the run did not come to its end".to_owned()
            } else {
                format!("nothing is known about {}", count(summary.counts.inconclusive, "case"))
            };
            format!("{} {why}", paint(YELLOW, "inconclusive:"))
        }
        Conformance::NothingRun => {
            let why =
                if summary.counts.planned == 0 { "no case was selected" } else { "every case was skipped" };
            format!("{} {why}", paint(YELLOW, "nothing run:"))
        }
        Conformance::NotDecided if run.filtered() && summary.exit == exit::CONFORMANT => {
            paint(GREEN, "all selected cases passed (filtered run: no verdict on conformance)")
        }
        Conformance::NotDecided if run.filtered() => {
            paint(YELLOW, "no verdict on conformance (filtered run)")
        }
        Conformance::NotDecided if run.ended_at_failure() => {
            paint(YELLOW, "no verdict on conformance (the run ended at its first failure)")
        }
        Conformance::NotDecided => {
            let unknown = run.undecided().into_iter().map(|(why, ids)| format!("{} ({why})", ids.join(", ")));
            let unknown: Vec<String> = unknown.collect();
            let why = match unknown.as_slice() {
                [] => "the catalogue has no MUST".to_owned(),
                _ => format!("nothing is known about {}", unknown.join("; ")),
            };
            format!("{} {why}", paint(YELLOW, "no verdict on conformance:"))
        }
    }
}

/// How many cases were repeated, and each that did not always end alike.
fn repetitions(all: &[Repetition]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let restless = all.iter().filter(|case| case.histories > 1).count();
    let flaky: Vec<&Repetition> = all.iter().filter(|case| case.flaky).collect();
    let mut text = format!(
        "{} {} repeated: {} flaky, {restless} with more than one history\n",
        paint(DIM, "repetitions   "),
        count(all.len(), "case"),
        flaky.len(),
    );
    for case in flaky {
        let verdicts: Vec<String> =
            case.verdicts.iter().map(|(verdict, times)| format!("{times} {verdict}")).collect();
        let histories = agree(&case.histories, "history", "histories");
        let numbers = format!("{}; {} {histories}", verdicts.join(", "), case.histories);
        text.push_str(&indent(&format!("{} {}: {numbers}\n", paint(RED, "FLAKY"), case.name), 2));
        text.extend(case.divergence().map(|place| indent(&format!("{place}\n"), 4)));
    }
    text
}

fn failed_requirements(run: &Aggregate, width: u16) -> String {
    let rows: Vec<Vec<String>> = run
        .requirements()
        .filter(|requirement| requirement.verdict == RequirementVerdict::Failed)
        .map(|requirement| {
            let cases: Vec<String> = requirement
                .cases
                .iter()
                .filter(|case| matches!(case.outcome, Outcome::Failed(_)))
                .map(|case| case.info.id.to_string())
                .collect();
            let info = requirement.info;
            vec![info.id.clone(), info.level.word().to_owned(), info.statement.clone(), cases.join(", ")]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let rows = table(&["id", "level", "requirement", "failed in"], rows, width.saturating_sub(2));
    format!("{}\n{}\n", paint(BOLD, "requirements that are not met"), indent(&rows, 2))
}

fn skipped(run: &Aggregate) -> String {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for case in run.cases() {
        if let Outcome::Skipped(reason) = case.outcome {
            reasons.entry(reason).or_default().push(case.info.id.to_string());
        }
    }
    let lines: Vec<String> = reasons
        .into_iter()
        .map(|(reason, cases)| {
            let listed = cases.get(..LISTED).unwrap_or(&cases).join(", ");
            let more = match cases.len().saturating_sub(LISTED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{} {reason}: {listed}{more}\n", paint(BOLD, "skipped"))
        })
        .collect();
    if lines.is_empty() { String::new() } else { format!("{}\n", lines.concat()) }
}

/// The profiles, where the implementation says something of itself.
fn profiles(run: &Aggregate) -> String {
    let profiles = run.claimed_profiles();
    let Some(info) = run.info().filter(|_| !profiles.is_empty()) else { return String::new() };
    let line = |profile: &Profile| {
        let style = match profile.verdict {
            ProfileVerdict::Passed => GREEN,
            ProfileVerdict::Failed => RED,
            ProfileVerdict::Inconclusive => YELLOW,
            ProfileVerdict::NotDecided | ProfileVerdict::Unclaimed => DIM,
        };
        let Profile { name, verdict, met, musts, .. } = profile;
        format!("  {name} {} ({met} of {})\n", paint(style, verdict.words()), count(*musts, "MUST"))
    };
    let lines: Vec<String> = profiles.iter().map(line).collect();
    let slack = match info.claims.slack {
        slack if slack.is_zero() => String::new(),
        slack => format!(", with a slack of {} s", slack.as_secs_f64()),
    };
    format!("{}{slack}\n{}\n", paint(BOLD, "profiles"), lines.concat())
}

fn counts(run: &Aggregate, counts: Counts) -> String {
    let mut parts = vec![paint(GREEN, &format!("{} passed", counts.passed))];
    let others = [
        (counts.failed, "failed", RED),
        (counts.inconclusive, "inconclusive", YELLOW),
        (counts.skipped, "skipped", DIM),
    ];
    for (number, word, style) in others.into_iter().filter(|(number, ..)| *number > 0) {
        parts.push(paint(style, &format!("{number} {word}")));
    }
    format!("{} of {} in {}\n", parts.join(", "), count(counts.planned, "case"), time(run.elapsed()))
}

fn about(info: &RunInfo) -> String {
    let cluster = &info.cluster;
    let implementation = &info.implementation;
    let start = if info.cluster_start.is_zero() {
        String::new()
    } else {
        format!(", started in {}", time(info.cluster_start))
    };
    format!(
        "{} {} {} of {}\n{} {} {} ({}{start})\n",
        paint(DIM, "implementation"),
        implementation.name,
        implementation.version,
        implementation.organization,
        paint(DIM, "cluster       "),
        cluster.backend,
        cluster.kubernetes_version,
        cluster.distribution,
    )
}
