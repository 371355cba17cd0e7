//! What became of a defect.

use std::time::Duration;

use serde::Serialize;

use crate::subject::Defect;

/// A defect, and whether the suite noticed each of the requirements that it breaks.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The defect.
    #[serde(flatten)]
    pub defect: Defect,
    /// What became of it.
    pub outcome: Outcome,
    /// The requirements that were noticed to be broken.
    pub noticed: Vec<Noticed>,
    /// Those that were not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Missed>,
    /// From its first start to the outcome, in seconds.
    #[serde(serialize_with = "seconds")]
    pub elapsed: Duration,
}

/// What became of a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Each of its requirements was noticed.
    Killed,
    /// Some of its requirements were noticed, and all that could prove another one says that nothing is wrong.
    Partly,
    /// None of its requirements was noticed, though all that could prove one of them was judged.
    Survived,
    /// What could prove the requirements that were not noticed could not be judged.
    Inconclusive,
}

/// A requirement, and what noticed that it is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Noticed {
    /// The requirement.
    pub requirement: String,
    /// The claim that did not hold.
    #[serde(flatten)]
    pub broken: BrokenClaim,
}

/// A requirement that is broken, and no case noticed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missed {
    /// The requirement.
    pub requirement: String,
    /// How many cases could have noticed it and passed.
    pub passed: usize,
    /// The first case that could have noticed it and failed by a claim that is not about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<BrokenClaim>,
    /// Why a case could not be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A claim that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokenClaim {
    /// The case.
    pub by: String,
    /// What was claimed, in one line.
    pub claim: String,
}

impl Proof {
    /// What follows from what was noticed.
    pub fn new(defect: Defect, noticed: Vec<Noticed>, missed: Vec<Missed>, elapsed: Duration) -> Self {
        let is_sure = missed.iter().any(|missed| missed.trouble.is_none());
        let outcome = match (missed.is_empty(), is_sure, noticed.is_empty()) {
            (true, ..) => Outcome::Killed,
            (false, false, _) => Outcome::Inconclusive,
            (false, true, false) => Outcome::Partly,
            (false, true, true) => Outcome::Survived,
        };
        Self { defect, outcome, noticed, missed, elapsed }
    }
}

fn seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((elapsed.as_secs_f64() * 1000.0).round() / 1000.0)
}
