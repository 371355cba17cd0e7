//! What the commands about archives say to people, and the short JSON forms.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::backup::{
    Address, ArchiveKind, BackupReport, Checked, Finding, Inspection, KindSummary, Listing, RestoreReport,
    Warning,
};
use crate::count::{agree, count};

/// How many lines of one list are shown; JSON has them all.
const LINES: usize = 20;

/// `hallmark backup --json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackupSummary<'a> {
    archive: String,
    sha256: &'a str,
    size: u64,
    content_digest: &'a str,
    listing: &'a Listing,
    kinds: Vec<KindSummary>,
    terminating: usize,
    required_secrets: usize,
}

impl<'a> BackupSummary<'a> {
    pub(super) fn of(report: &'a BackupReport) -> Self {
        Self {
            archive: report.archive.to_string(),
            sha256: &report.sha256,
            size: report.size,
            content_digest: &report.manifest.content_digest,
            listing: &report.manifest.listing,
            kinds: kinds(&report.manifest),
            terminating: report.manifest.terminating.len(),
            required_secrets: report.manifest.required_secrets.len(),
        }
    }
}

/// `hallmark verify --json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerifySummary<'a> {
    sha256: &'a str,
    content_digest: &'a str,
    objects: usize,
    warnings: &'a [Warning],
}

impl<'a> VerifySummary<'a> {
    pub(super) fn of(checked: &'a Checked) -> Self {
        Self {
            sha256: &checked.sha256,
            content_digest: &checked.manifest.content_digest,
            objects: checked.objects.len(),
            warnings: &checked.warnings,
        }
    }
}

/// `hallmark restore --json` when the target cannot take the archive.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal<'a> {
    pub(super) outcome: &'static str,
    pub(super) findings: &'a [Finding],
}

fn kinds(manifest: &crate::backup::Manifest) -> Vec<KindSummary> {
    let records = manifest.kinds.iter().filter(|record| record.count > 0);
    let summary = |record: &crate::backup::KindRecord| KindSummary {
        resource: record.kind.resource(),
        count: record.count,
        phases: record.phases.clone(),
    };
    records.map(summary).collect()
}

/// What was archived.
pub(super) fn backup(report: &BackupReport) -> String {
    let manifest = &report.manifest;
    let mut text = table(&kinds(manifest));
    let method = manifest.listing.method.word();
    let at = manifest.listing.revision.as_ref().map(|at| format!(" at revision {at}")).unwrap_or_default();
    let _ = writeln!(text, "listed {method}{at}; {} bytes, SHA-256 {}", report.size, report.sha256);
    if !manifest.terminating.is_empty() {
        let _ = writeln!(text, "being deleted, recorded only: {}", manifest.terminating.len());
    }
    text.trim_end().to_owned()
}

/// That an archive is sound.
pub(super) fn verified(archive: &Address, checked: &Checked) -> String {
    let objects = count(checked.objects.len(), "object");
    let mut text = format!("{} is whole: {objects}, SHA-256 {}", archive, checked.sha256);
    list(&mut text, "warning", checked.warnings.iter().map(ToString::to_string));
    text
}

/// What a restore did or would do.
pub(super) fn restored(report: &RestoreReport) -> String {
    let outcome = if report.dry_run { "dry run".to_owned() } else { format!("{:?}", report.outcome) };
    let mut text = format!(
        "{outcome}: {} created, {} completed, {} unchanged, {} skipped, {} failed",
        report.created,
        report.completed,
        report.unchanged,
        report.skipped.len(),
        report.failed.len()
    );
    list(&mut text, "failed", report.failed.iter().map(|it| format!("{}: {}", it.object, it.reason)));
    list(&mut text, "skipped", report.skipped.iter().cloned());
    list(&mut text, "warning", report.warnings.iter().cloned());
    if !report.undecided.is_empty() {
        let _ = write!(
            text,
            "\nfor the controller to decide when its hold is released: {}",
            phases(&report.undecided)
        );
    }
    text
}

/// What stands in the way of a restore.
pub(super) fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    list(&mut text, "refused", findings.iter().map(ToString::to_string));
    text.trim_start().to_owned()
}

fn list(text: &mut String, word: &str, lines: impl ExactSizeIterator<Item = String>) {
    let number = lines.len();
    for line in lines.take(LINES) {
        let _ = write!(text, "\n{word}: {line}");
    }
    if number > LINES {
        let _ = write!(text, "\n{word}: and {} more (--json lists all)", number - LINES);
    }
}

/// What an archive holds.
pub(super) fn inspection(found: &Inspection) -> String {
    let mut text = table(&found.kinds);
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:<18}{value}");
    };
    let written = match found.archive {
        ArchiveKind::Hallmark => "hallmark",
        ArchiveKind::Velero => "Velero",
    };
    line("archive of", written);
    line("SHA-256", &found.sha256);
    for (label, value) in [
        ("content digest", &found.content_digest),
        ("created", &found.created),
        ("Kubernetes", &found.kubernetes),
    ] {
        if let Some(value) = value {
            line(label, value);
        }
    }
    if let Some(listing) = &found.listing {
        line("listed", listing.method.word());
    }
    line("finished runs", &found.terminal_runs.to_string());
    if !found.undecided.is_empty() {
        line("unfinished runs", &phases(&found.undecided));
    }
    line("executed again", &format!("{} by a restore", found.executed_again.len()));
    if let Some(plan) = &found.plan {
        let words = format!(
            "{}, {}, {}, {}; then {} {}",
            count(plan.definitions, "definition"),
            count(plan.namespaces, "namespace"),
            count(plan.config, "config object"),
            count(plan.runs, "run"),
            plan.statuses,
            agree(&plan.statuses, "status", "statuses")
        );
        line("a restore creates", &words);
    }
    for secret in &found.required_secrets {
        let keys =
            if secret.keys.is_empty() { String::new() } else { format!(" ({})", secret.keys.join(", ")) };
        line("needs the Secret", &format!("{}/{}{keys}", secret.namespace, secret.name));
    }
    list(&mut text, "executed again", found.executed_again.iter().cloned());
    list(&mut text, "Job runs again", found.jobs_again.iter().cloned());
    list(&mut text, "was being deleted", found.terminating.iter().cloned());
    list(&mut text, "warning", found.warnings.iter().map(ToString::to_string));
    text
}

fn table(kinds: &[KindSummary]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for kind in kinds {
        table.add_row([kind.resource.clone(), kind.count.to_string(), phases(&kind.phases)]);
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim());
        text.push('\n');
    }
    text
}

fn phases(phases: &BTreeMap<String, usize>) -> String {
    let word = |phase: &str| if phase == "none" { "without phase".to_owned() } else { phase.to_owned() };
    let words: Vec<String> =
        phases.iter().map(|(phase, number)| format!("{number} {}", word(phase))).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::backup::Finding;

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let finding = |number: usize| Finding::Terminating { object: format!("o{number}") };
        let text = super::findings(&(0..25).map(finding).collect::<Vec<_>>());
        assert_eq!(text.lines().count(), 21);
        assert!(text.ends_with("and 5 more (--json lists all)"), "{text}");
    }
}
