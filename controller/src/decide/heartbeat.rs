//! What a backup system tells about itself through a Lease.
//!
//! Whoever takes backups renews the Lease after each backup that was verified; the controller takes none
//! and can only look at how old that news is.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

/// Annotation with the result of the last verification, `passed` or `failed`.
const VERIFICATION: &str = "agents.proompteng.ai/last-verification";
/// Annotation with the time of the last restore drill.
const DRILL: &str = "agents.proompteng.ai/last-restore-drill";

/// What is expected of backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objectives {
    /// Name of the Lease, in the controller's own namespace.
    pub lease: String,
    /// How much may be lost: the greatest age of the last backup.
    pub recovery_point: Duration,
    /// How long a restore drill counts.
    pub drill: Duration,
}

/// What is known of the Lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Heartbeat {
    /// Nothing: it was not read yet, or cannot be read.
    #[default]
    Unknown,
    /// What it says; nothing if it is not there.
    Read(News),
}

/// What the Lease says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// When the last verified backup was taken.
    pub backup_at: Option<Timestamp>,
    /// Whether a later one could not be verified.
    pub verification_failed: bool,
    /// When a restore was tried.
    pub drill_at: Option<Timestamp>,
}

impl News {
    /// Reads the Lease.
    pub fn of(lease: &Lease) -> Self {
        let annotation = |key: &str| lease.metadata.annotations.as_ref()?.get(key).map(|text| text.trim());
        Self {
            backup_at: lease.spec.as_ref().and_then(|spec| Some(spec.renew_time.as_ref()?.0)),
            verification_failed: annotation(VERIFICATION) == Some("failed"),
            drill_at: annotation(DRILL).and_then(|at| at.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lease_tells_of_backups_verifications_and_drills() {
        let lease = serde_json::from_value(json!({
            "metadata": {"annotations": {VERIFICATION: " failed ", DRILL: "2026-01-01T00:00:00Z"}},
            "spec": {"renewTime": "2026-01-02T00:00:00.000000Z"},
        }))
        .unwrap();
        let at = |text: &str| Some(text.parse().unwrap());
        let expected = News {
            backup_at: at("2026-01-02T00:00:00Z"),
            verification_failed: true,
            drill_at: at("2026-01-01T00:00:00Z"),
        };
        assert_eq!(News::of(&lease), expected);
        assert_eq!(News::of(&Lease::default()), News::default());
    }
}
