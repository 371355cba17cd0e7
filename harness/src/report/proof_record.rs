//! The record of which scenarios prove which requirements, kept in a file beside the suite.
//!
//! Deleting a scenario makes a run no redder: what it proved is simply proved no more. The file remembers it, so
//! that `hallmark coverage` can tell what is lost, and the loss has to be agreed to with `--update`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::count::{agree, count};
use crate::scenario::PlannedCase;
use crate::yaml::{Node, Source, parse_documents, to_yaml};

const API_VERSION: &str = "hallmark.dev/v1alpha1";
const KIND: &str = "Proofs";
/// What stands above the document.
const HEAD: &str = "\
# For each requirement the scenarios that prove it, and with how many cases: made by `hallmark coverage --update`.
# `hallmark coverage` tells what is proved no more.
";

/// For each requirement the scenarios that prove it, with the number of their cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRecord {
    requirements: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProofRecordError {
    /// The file cannot be read.
    #[error("read `{}`: {reason}; `hallmark coverage --update` makes it anew", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file cannot be written.
    #[error("write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    api_version: String,
    kind: String,
    requirements: BTreeMap<String, BTreeMap<String, usize>>,
}

/// A difference between what was recorded and what is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shift {
    /// The requirement.
    pub requirement: String,
    /// The scenario.
    pub scenario: String,
    /// How many of its cases were recorded.
    pub recorded: usize,
    /// How many of its cases there are.
    pub present: usize,
    /// How many scenarios prove the requirement.
    pub scenarios: usize,
}

impl ProofRecord {
    /// What these cases prove. Standing invariants are proved by every case and need no record.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a PlannedCase>) -> Self {
        let mut record = Self::default();
        for case in cases {
            for id in &case.requirements {
                let scenarios = record.requirements.entry(id.clone()).or_default();
                *scenarios.entry(case.id.scenario.clone()).or_default() += 1;
            }
        }
        record
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ProofRecordError> {
        let unreadable = |reason: String| ProofRecordError::Read { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let documents =
            parse_documents(&Source::new(path, text)).map_err(|error| unreadable(error.to_string()))?;
        let value = documents.first().map(Node::to_json).unwrap_or_default();
        let document: Document =
            serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { requirements: document.requirements })
    }

    /// Writes a file.
    pub fn write(&self, path: &Path) -> Result<(), ProofRecordError> {
        std::fs::write(path, self.text())
            .map_err(|source| ProofRecordError::Write { path: path.to_owned(), source })
    }

    /// The file.
    pub fn text(&self) -> String {
        let document = Document {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            requirements: self.requirements.clone(),
        };
        // Texts and numbers always become JSON.
        format!("{HEAD}{}", to_yaml(&serde_json::to_value(document).unwrap_or_default()))
    }

    /// Where `present` differs from what is recorded here, by requirement and scenario.
    pub fn shifts(&self, present: &Self) -> Vec<Shift> {
        let mut shifts = Vec::new();
        let added = present.requirements.keys().filter(|id| !self.requirements.contains_key(*id));
        for id in self.requirements.keys().chain(added) {
            let nothing = BTreeMap::new();
            let before = self.requirements.get(id).unwrap_or(&nothing);
            let now = present.requirements.get(id).unwrap_or(&nothing);
            let new = now.keys().filter(|scenario| !before.contains_key(*scenario));
            for scenario in before.keys().chain(new) {
                let count = |of: &BTreeMap<String, usize>| of.get(scenario).copied().unwrap_or_default();
                if count(before) != count(now) {
                    shifts.push(Shift {
                        requirement: id.clone(),
                        scenario: scenario.clone(),
                        recorded: count(before),
                        present: count(now),
                        scenarios: now.len(),
                    });
                }
            }
        }
        shifts
    }
}

impl Shift {
    /// Whether less is proved than was recorded.
    pub fn is_loss(&self) -> bool {
        self.present < self.recorded
    }

    /// The difference in one line.
    pub fn words(&self) -> String {
        let Self { requirement, scenario, recorded, present, scenarios } = self;
        let rest = match scenarios {
            0 => "nothing proves it any more".to_owned(),
            many => format!("{many} {}", agree(many, "scenario proves it", "scenarios prove it")),
        };
        match (recorded, present) {
            (_, 0) => format!("{requirement:<8} is no longer proved by {scenario}; {rest}"),
            (0, _) => format!("{requirement:<8} is proved by {scenario}, which is not recorded"),
            _ => format!(
                "{requirement:<8} is proved by {} of {scenario}, recorded are {recorded}",
                count(*present, "case")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rstest::rstest;

    use super::*;
    use crate::scenario::suite::Suite;

    fn suite(folder: &str) -> Suite {
        Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)).unwrap()
    }

    #[rstest]
    #[case("scenarios")]
    #[case("scenarios/kubernetes-jobs")]
    fn no_scenario_can_be_deleted_unnoticed(#[case] folder: &str) {
        let suite = suite(folder);
        let recorded = ProofRecord::read(suite.proofs().unwrap()).unwrap();
        let files: BTreeSet<&PathBuf> = suite.cases().iter().map(|case| &case.file).collect();
        assert!(files.len() > 10);
        for file in files {
            let left = suite.cases().iter().filter(|case| case.file != *file);
            let shifts = recorded.shifts(&ProofRecord::of(left));
            assert!(shifts.iter().any(Shift::is_loss), "nobody notices that {} is gone", file.display());
        }
    }

    #[rstest]
    #[case("scenarios")]
    #[case("scenarios/kubernetes-jobs")]
    fn the_record_is_current(#[case] folder: &str) {
        let suite = suite(folder);
        let path = suite.proofs().unwrap();
        let present = ProofRecord::of(suite.cases());
        assert_eq!(ProofRecord::read(path).unwrap().shifts(&present), [], "`hallmark coverage --update`");
        assert_eq!(std::fs::read_to_string(path).unwrap(), present.text());
    }

    #[test]
    fn less_and_more_are_told_apart() {
        let record = |rows: &[(&str, &str, usize)]| {
            let mut record = ProofRecord::default();
            for (id, scenario, cases) in rows {
                let scenarios = record.requirements.entry((*id).to_owned()).or_default();
                scenarios.insert((*scenario).to_owned(), *cases);
            }
            record
        };
        let recorded = record(&[("A-1", "one", 2), ("A-1", "two", 1), ("A-2", "one", 2)]);
        let present = record(&[("A-1", "one", 1), ("A-1", "three", 1)]);
        let shifts = recorded.shifts(&present);
        let told: Vec<(bool, String)> = shifts.iter().map(|shift| (shift.is_loss(), shift.words())).collect();
        let expected = [
            (true, "A-1      is proved by 1 case of one, recorded are 2"),
            (true, "A-1      is no longer proved by two; 2 scenarios prove it"),
            (false, "A-1      is proved by three, which is not recorded"),
            (true, "A-2      is no longer proved by one; nothing proves it any more"),
        ];
        assert_eq!(told, expected.map(|(is_loss, words)| (is_loss, words.to_owned())));
    }
}
