//! What `prove` found out about the suite, for the page of a run in the same folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file of `prove`, as far as it says something about requirements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proved {
    defects: Vec<Planted>,
    /// Requirements of level MUST that the implementation decides and no defect breaks.
    musts_without_defect: Vec<String>,
}

/// A defect, and which of the requirements that it breaks were noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Planted {
    name: String,
    /// `killed`, `partly`, `survived` or `inconclusive`.
    outcome: String,
    noticed: Vec<OfRequirement>,
    #[serde(default)]
    missed: Vec<OfRequirement>,
}

/// A requirement that a defect breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OfRequirement {
    requirement: String,
    /// Why it is not known whether a case would notice it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Proved {
    /// Reads what `prove` left in a folder. Whoever has not proved anything, or with a version that wrote
    /// something else, has a page without defects.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join("prove.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::{BrokenClaim, Missed, Noticed, Proof};
    use crate::report::{Proofs, save};
    use crate::subject::Defect;

    #[test]
    fn what_prove_saves_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Proved::read(folder.path()), None);
        let defect = Defect {
            name: "half".to_owned(),
            requirements: vec!["A-1".to_owned(), "A-2".to_owned()],
            summary: String::new(),
        };
        let broken = BrokenClaim { by: "case".to_owned(), claim: "claim".to_owned() };
        let noticed = Noticed { requirement: "A-1".to_owned(), broken };
        let missed = Missed { requirement: "A-2".to_owned(), passed: 3, otherwise: None, trouble: None };
        let proofs = Proofs {
            defects: vec![Proof::new(defect, vec![noticed], vec![missed], Duration::ZERO)],
            reporters: Vec::new(),
            musts_without_defect: vec!["A-9".to_owned()],
            complete: true,
        };
        save(folder.path(), "prove", &proofs, "").unwrap();
        let read = Proved::read(folder.path()).unwrap();
        let half = &read.defects[0];
        assert_eq!((half.name.as_str(), half.outcome.as_str()), ("half", "partly"));
        assert_eq!((&*half.noticed[0].requirement, &*half.missed[0].requirement), ("A-1", "A-2"));
        assert_eq!(read.musts_without_defect, ["A-9"]);
    }
}
