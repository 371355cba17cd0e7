//! Why a case failed, in full: the same text for the terminal and for the `JUnit` body.

use std::fmt::Write as _;

use anstream::adapter::strip_str;

use super::style::{ADDED, BOLD, DIM, POSITION, RED, REMOVED, indent, paint, table};
use crate::check::golden::Diff;
use crate::check::{Difference, Failure, Since};
use crate::event::RequirementInfo;
use crate::report::aggregate::CaseView;

/// The explanation with styles, lines of about `width` columns, ending in a line break.
///
/// Everything that comes from the cluster or from a log loses its own escape sequences, which could
/// otherwise rewrite the reader's terminal.
pub(in crate::report) fn explain(
    case: CaseView<'_>,
    failure: &Failure,
    catalogue: &[RequirementInfo],
    width: u16,
) -> String {
    let mut text = explain_alone(failure, case.namespace, width);
    let requirements: Vec<String> = case
        .info
        .requirements
        .iter()
        .chain(failure.broken.iter().map(|broken| &broken.id))
        .map(|id| match catalogue.iter().find(|requirement| requirement.id == *id) {
            Some(requirement) => format!("{id}  {}", requirement.statement),
            None => id.clone(),
        })
        .collect();
    if !requirements.is_empty() {
        section(&mut text, "requirements", &requirements.join("\n"));
    }
    text
}

/// The explanation without the case and its requirements.
pub(in crate::report) fn explain_alone(failure: &Failure, namespace: &str, width: u16) -> String {
    let mut text = format!("{}\n", paint(RED, &plain(&failure.claim)));
    let facts = [
        ("object", plain(&failure.object)),
        ("nearest", plain(&failure.nearest)),
        ("namespace", namespace.to_owned()),
        ("fingerprint", failure.fingerprint.clone()),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        append(&mut text, &format!("{} {value}", paint(DIM, &format!("{name:<11}"))));
    }
    // The first one is the claim itself, where that is an invariant.
    let others = failure.broken.iter().filter(|broken| broken.claim != failure.claim);
    let others: Vec<String> = others
        .map(|broken| plain(&format!("{}\n  {}: {}", broken.claim, broken.object, broken.nearest)))
        .collect();
    if !others.is_empty() {
        section(&mut text, "invariants that are broken, too", &others.join("\n"));
    }
    if !failure.differences.is_empty() {
        let rows = failure.differences.iter().map(row);
        section(
            &mut text,
            "",
            &table(&["path", "expected", "actual", "since"], rows, width.saturating_sub(2)),
        );
    }
    if let Some(Diff { hunks, .. }) = &failure.diff {
        section(&mut text, "diff of expected (-) and actual (+)", &colour(hunks));
    }
    if !failure.excerpt.text.is_empty() {
        section(&mut text, "claimed here", &plain(&failure.excerpt.text));
    }
    if !failure.trail.is_empty() {
        let lines: Vec<String> = failure.trail.iter().map(|line| plain(line)).collect();
        section(&mut text, "what happened before", &lines.join("\n"));
    }
    text
}

fn row(difference: &Difference) -> Vec<String> {
    let since = difference.since.as_ref().map(since).unwrap_or_default();
    vec![plain(&difference.path), plain(&difference.expected), plain(&difference.actual), since]
}

fn since(since: &Since) -> String {
    let by = since.manager.as_ref().map(|manager| format!(" by {}", plain(manager))).unwrap_or_default();
    format!("{} rv {}{by}", since.at.strftime("%H:%M:%S%.3f"), since.resource_version)
}

fn colour(diff: &str) -> String {
    let mut out = String::with_capacity(diff.len());
    for line in diff.lines() {
        let line = plain(line);
        let styled = match line.get(..1) {
            _ if line.starts_with("---") || line.starts_with("+++") => paint(BOLD, &line),
            Some("-") => paint(REMOVED, &line),
            Some("+") => paint(ADDED, &line),
            Some("@") => paint(POSITION, &line),
            _ => line,
        };
        append(&mut out, &styled);
    }
    out
}

fn section(text: &mut String, title: &str, body: &str) {
    text.push('\n');
    if !title.is_empty() {
        append(text, &paint(DIM, title));
    }
    text.push_str(&indent(body, 2));
}

fn append(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(text, "{line}");
}

fn plain(text: &str) -> String {
    strip_str(text).to_string()
}
