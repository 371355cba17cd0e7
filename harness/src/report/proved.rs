//! What `prove` found out about the suite, for the page of a run in the same folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file of `prove`, as far as it says something about requirements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proved {
    defects: Vec<Planted>,
    /// Requirements of level MUST that the implementation decides and no defect breaks.
    musts_without_defect: Vec<String>,
}

/// A defect, and whether a case noticed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Planted {
    name: String,
    requirements: Vec<String>,
    /// `killed`, `survived` or `inconclusive`.
    outcome: String,
}

impl Proved {
    /// Reads what `prove` left in a folder. Whoever has not proved anything, or with a version that wrote
    /// something else, has a page without defects.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join("prove.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::{Outcome, Proof};
    use crate::report::{Proofs, save};
    use crate::subject::Defect;

    #[test]
    fn what_prove_saves_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Proved::read(folder.path()), None);
        let defect = |name: &str| Defect {
            name: name.to_owned(),
            requirements: vec!["A-1".to_owned()],
            summary: String::new(),
        };
        let proof = |name, outcome| Proof { defect: defect(name), outcome, elapsed: Duration::ZERO };
        let proofs = Proofs {
            defects: vec![
                proof(
                    "seen",
                    Outcome::Killed { by: "case".to_owned(), claim: "claim".to_owned(), broken: Vec::new() },
                ),
                proof("unseen", Outcome::Survived { cases: 3 }),
            ],
            musts_without_defect: vec!["A-9".to_owned()],
            complete: true,
        };
        save(folder.path(), "prove", &proofs, "").unwrap();
        let read = Proved::read(folder.path()).unwrap();
        let told: Vec<_> = read.defects.iter().map(|it| (it.name.as_str(), it.outcome.as_str())).collect();
        assert_eq!(told, [("seen", "killed"), ("unseen", "survived")]);
        assert_eq!(read.musts_without_defect, ["A-9"]);
    }
}
