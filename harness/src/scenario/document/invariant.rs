//! Standing invariants as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ClaimDocument, StepDocument};
use crate::scenario::assertion::MadeBy;
use crate::yaml::Located;

/// A requirement that holds of every case, whatever that is about, as exactly one claim; several invariants may
/// state parts of one requirement.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InvariantDocument {
    /// The requirement of the catalogue that it states.
    pub id: Located<String>,
    /// Only objects that came into being so.
    #[serde(default)]
    pub made_by: Option<MadeBy>,
    /// No recorded version satisfies the claim.
    #[serde(default)]
    pub never: Option<ClaimDocument>,
    /// At no moment did more than `count` objects satisfy the claim together.
    #[serde(default)]
    pub at_most: Option<ClaimDocument>,
    /// No object has more than `atMost` versions that satisfy the claim.
    #[serde(default)]
    pub versions: Option<ClaimDocument>,
    /// For no value of `by` more than `count` objects ever satisfied the claim.
    #[serde(default)]
    pub at_most_each: Option<ClaimDocument>,
    /// Each change of the value at `path` leads to a later group of `order`.
    #[serde(default)]
    pub advances: Option<ClaimDocument>,
    /// Once a version satisfies the claim, what lies at `path` stays as it is.
    #[serde(default)]
    pub settled: Option<ClaimDocument>,
}

impl InvariantDocument {
    /// The claims as steps of a scenario; a valid invariant has one.
    pub fn claims(self) -> Vec<StepDocument> {
        let claims = [
            self.never.map(StepDocument::Never),
            self.at_most.map(StepDocument::AtMost),
            self.versions.map(StepDocument::Versions),
            self.at_most_each.map(StepDocument::AtMostEach),
            self.advances.map(StepDocument::Advances),
            self.settled.map(StepDocument::Settled),
        ];
        claims.into_iter().flatten().collect()
    }
}
