//! What `prove` found out about the suite, for the page of a run in the same folder.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What became of defects and of the requirements that they break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proved {
    defects: Vec<Planted>,
    /// Requirements of level MUST that the implementation decides and no defect breaks.
    musts_without_defect: Vec<String>,
}

/// A defect, and what became of each requirement that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Recorded")]
struct Planted {
    name: String,
    /// `killed` if all that it breaks was noticed.
    outcome: String,
    fates: Vec<Fate>,
}

/// What became of a requirement that a defect breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Fate {
    requirement: String,
    outcome: Seen,
    /// The case that noticed it, or that failed by another claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// The claim by which that case failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    /// Why nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Whether the suite saw that a requirement is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Seen {
    Yes,
    No,
    Unknown,
}

/// A defect in `prove.json`.
#[derive(Deserialize)]
struct Recorded {
    name: String,
    outcome: String,
    #[serde(default)]
    noticed: Vec<RecordedNoticed>,
    #[serde(default)]
    missed: Vec<RecordedMissed>,
}

#[derive(Deserialize)]
struct RecordedNoticed {
    requirement: String,
    #[serde(flatten)]
    broken: RecordedClaim,
}

#[derive(Deserialize)]
struct RecordedMissed {
    requirement: String,
    otherwise: Option<RecordedClaim>,
    trouble: Option<String>,
}

#[derive(Deserialize)]
struct RecordedClaim {
    by: String,
    claim: String,
}

impl From<Recorded> for Planted {
    fn from(Recorded { name, outcome, noticed, missed }: Recorded) -> Self {
        let noticed = noticed.into_iter().map(|RecordedNoticed { requirement, broken }| Fate {
            requirement,
            outcome: Seen::Yes,
            by: Some(broken.by),
            claim: Some(broken.claim),
            reason: None,
        });
        let missed = missed.into_iter().map(|RecordedMissed { requirement, otherwise, trouble }| {
            let outcome = if trouble.is_some() { Seen::Unknown } else { Seen::No };
            let (by, claim) = otherwise.map(|it| (it.by, it.claim)).unzip();
            Fate { requirement, outcome, by, claim, reason: trouble }
        });
        Self { name, outcome, fates: noticed.chain(missed).collect() }
    }
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

    use serde_json::json;

    use super::*;
    use crate::engine::{BrokenClaim, Missed, Noticed, Proof};
    use crate::report::{Proofs, save};
    use crate::subject::Defect;

    /// What became of each requirement, in a line.
    fn told(proved: &Proved) -> Vec<String> {
        let fates = proved.defects.iter().flat_map(|defect| defect.fates.iter().map(move |it| (defect, it)));
        let line = |(defect, fate): (&Planted, &Fate)| {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            let Fate { requirement, outcome, by, claim, reason } = fate;
            let parts = [part(by), part(claim), part(reason)];
            format!("{} {requirement} {outcome:?} {}", defect.name, parts.join(" ")).trim_end().to_owned()
        };
        fates.map(line).collect()
    }

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
        assert_eq!(told(&read), ["half A-1 Yes case claim", "half A-2 No"]);
        assert_eq!(read.musts_without_defect, ["A-9"]);
    }

    #[test]
    fn each_requirement_of_a_defect_has_its_own_case_and_claim() {
        let read: Proved = serde_json::from_value(json!({
            "defects": [{
                "name": "half",
                "requirements": ["A-1", "A-2", "A-3", "A-4"],
                "outcome": "partly",
                "noticed": [{"requirement": "A-2", "by": "case/two", "claim": "never"}],
                "missed": [
                    {"requirement": "A-1", "passed": 3},
                    {"requirement": "A-3", "passed": 0, "otherwise": {"by": "case/three", "claim": "always"}},
                    {"requirement": "A-4", "passed": 0, "trouble": "no cluster"},
                ],
                "elapsed": 1.0,
            }],
            "mustsWithoutDefect": [],
            "complete": true,
        }))
        .unwrap();
        let expected = [
            "half A-2 Yes case/two never",
            "half A-1 No",
            "half A-3 No case/three always",
            "half A-4 Unknown   no cluster",
        ];
        assert_eq!(told(&read), expected);
    }
}
