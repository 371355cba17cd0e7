//! What `drill` found out about a recovery, for the page of a run in the same folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file of `drill`, as far as the page of a run shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Drilled {
    implementation: Identity,
    /// The defect that was planted.
    defect: Option<String>,
    runs: usize,
    recovery_seconds: Option<f64>,
    claims: Vec<Judged>,
}

/// Who recovered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Identity {
    name: String,
    version: String,
}

/// An objective, what was measured, and whether that meets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Judged {
    claim: String,
    /// `kept`, `broken` or `open`.
    verdict: String,
    found: String,
}

impl Drilled {
    /// Reads what `drill` left in a folder. Whoever has not drilled, or with a version that wrote something
    /// else, has a page without it.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join("drill.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::Verdict;
    use crate::report::drill::tests::drill;
    use crate::report::save;

    #[test]
    fn what_drill_saves_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Drilled::read(folder.path()), None);
        save(folder.path(), "drill", &drill(&[Verdict::Kept, Verdict::Broken]), "").unwrap();
        let read = Drilled::read(folder.path()).unwrap();
        assert_eq!((read.runs, read.recovery_seconds, read.defect), (50, Some(12.34), None));
        let verdicts: Vec<_> = read.claims.iter().map(|judged| judged.verdict.as_str()).collect();
        assert_eq!(verdicts, ["kept", "broken"]);
    }
}
