//! What a drill came to, as `drill.json` holds it.

use serde::Serialize;

use super::claims::{Claim, Verdict};
use super::machine::Machine;
use super::memory::Memory;
use super::timeline::Mark;
use crate::event::ImplementationInfo;

/// A drill that came to a verdict.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drill {
    /// Who was tested.
    pub implementation: ImplementationInfo,
    /// The defect that was planted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
    /// Where.
    pub machine: Machine,
    /// How many runs there were at the backup.
    pub runs: usize,
    /// How many of them had ended, were active and waited.
    pub states: States,
    /// SHA-256 of the archive.
    pub archive: String,
    /// Its size in bytes.
    pub archive_bytes: u64,
    /// t0 to t8, as far as they were reached.
    pub timeline: Vec<Mark>,
    /// Recovery time: seconds from t1 to t8.
    pub recovery_seconds: Option<f64>,
    /// What was lost.
    pub lost: Lost,
    /// The restore alone.
    pub restored: Restored,
    /// What both sides took.
    pub memory: Memory,
    /// What had to be true.
    pub claims: Vec<Claim>,
}

/// Runs at the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct States {
    /// Had ended.
    pub ended: usize,
    /// Had a Job that had not ended.
    pub active: usize,
    /// Had no Job yet.
    pub waiting: usize,
    /// Of all of these, workflows.
    pub workflows: usize,
}

/// What the loss cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// Acknowledged writes that are gone.
    pub writes: usize,
    /// Acknowledged writes in all.
    pub of: usize,
    /// Seconds from the snapshot to the loss.
    pub seconds: f64,
}

/// How fast the objects came back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// Objects that were written.
    pub objects: usize,
    /// Seconds from the first request of the restore to its last one.
    pub seconds: f64,
    /// Objects per second while they were written.
    pub per_second: Option<f64>,
}

impl Drill {
    /// Whether any claim has this verdict.
    pub fn any(&self, verdict: Verdict) -> bool {
        self.claims.iter().any(|claim| claim.verdict == verdict)
    }
}
