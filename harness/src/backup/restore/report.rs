//! What a restore came to.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::error::Unrestored;

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Everything is as it is in the archive.
    Completed,
    /// So is everything but what was skipped, because something else had its name.
    CompletedWithSkips,
    /// Something was not restored.
    PartiallyFailed,
}

/// What a restore did, or would do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreReport {
    /// How it ended.
    pub outcome: Outcome,
    /// Nothing was written: the numbers are a plan.
    pub dry_run: bool,
    /// SHA-256 of the archive file.
    pub archive: String,
    /// Objects that were created, definitions and namespaces included.
    pub created: usize,
    /// Objects whose status was missing since an interrupted restore.
    pub completed: usize,
    /// Objects that were there already.
    pub unchanged: usize,
    /// Objects that were left out, because something else has their names.
    pub skipped: Vec<String>,
    /// Objects that are not as they should be.
    pub failed: Vec<Unrestored>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Runs that had not ended when the backup was taken, by phase: the controller decides about them when
    /// its hold is released.
    pub undecided: BTreeMap<String, usize>,
    /// How long each part took, in seconds.
    pub seconds: BTreeMap<&'static str, f64>,
}

impl RestoreReport {
    /// A report of nothing yet.
    pub(super) fn new(archive: &str, dry_run: bool) -> Self {
        Self {
            outcome: Outcome::Completed,
            dry_run,
            archive: archive.to_owned(),
            created: 0,
            completed: 0,
            unchanged: 0,
            skipped: Vec::new(),
            failed: Vec::new(),
            warnings: Vec::new(),
            undecided: BTreeMap::new(),
            seconds: BTreeMap::new(),
        }
    }

    /// Notes how long a part took, to the millisecond.
    pub(super) fn took(&mut self, part: &'static str, begin: Instant) {
        self.seconds.insert(part, (begin.elapsed().as_secs_f64() * 1000.0).round() / 1000.0);
    }

    /// Sets the outcome by what is in the report.
    pub(super) fn judged(mut self) -> Self {
        self.outcome = if !self.failed.is_empty() {
            Outcome::PartiallyFailed
        } else if !self.skipped.is_empty() {
            Outcome::CompletedWithSkips
        } else {
            Outcome::Completed
        };
        self.skipped.sort();
        self.failed.sort_by(|one, other| one.object.cmp(&other.object));
        self
    }
}
