//! Why a case failed, as data for every reporter.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::golden::Diff;
use crate::diagnostic::Diagnostic;
use crate::yaml::Location;

/// A claim that did not hold, and everything that helps to see why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What was claimed, in one line: `eventually (5 s) Job of run: spec.ttlSecondsAfterFinished = 30`.
    pub claim: String,
    /// The object it was about, or the nearest candidate: `Job ns/run-job`; empty if none was ever seen.
    pub object: String,
    /// How near it came and when, or what was searched and what is there instead.
    pub nearest: String,
    /// The paths that differ in the nearest version.
    pub differences: Vec<Difference>,
    /// Expected and actual for golden files.
    pub diff: Option<Diff>,
    /// The assertion in its file.
    pub excerpt: SourceExcerpt,
    /// The last entries of the record before the verdict, one line each.
    pub trail: Vec<String>,
    /// Stable digest of scenario position and differing paths, so that equal failures can be grouped.
    pub fingerprint: String,
    /// The standing invariants that the history breaks; where the claim itself is one, it is among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
}

/// A standing invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// The requirement that it states.
    pub id: String,
    /// What was claimed, in one line.
    pub claim: String,
    /// The object that broke it.
    pub object: String,
    /// How and when.
    pub nearest: String,
}

impl Failure {
    /// A step that the API server or the cluster refused.
    pub fn refused(
        claim: String,
        object: String,
        reason: String,
        location: &Location,
        trail: Vec<String>,
    ) -> Self {
        Self {
            fingerprint: fingerprint(location, ["refused"]),
            excerpt: SourceExcerpt::new(location, &reason),
            claim,
            object,
            nearest: reason,
            differences: Vec::new(),
            diff: None,
            trail,
            broken: Vec::new(),
        }
    }
}

/// Digest of a place in a scenario and the paths that differ there. Values, names of objects and times are
/// left out: they change from run to run.
pub(super) fn fingerprint<'a>(location: &Location, paths: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    digest.update(location.to_string());
    for path in paths {
        digest.update([0]);
        digest.update(path);
    }
    let mut text = hex::encode(digest.finalize());
    text.truncate(16);
    text
}

/// One path at which an object differs from what was claimed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// For example `spec.template.spec.containers[name=agent-runner].image`.
    pub path: String,
    /// What was expected there, for people: a JSON value, or `absent`.
    pub expected: String,
    /// What is there: a JSON value, or `absent`.
    pub actual: String,
    /// Since when the path has its actual value, and who wrote it.
    pub since: Option<Since>,
}

/// When and by whom a value was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// When the harness received the first version with this value.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The resource version of that version.
    pub resource_version: u64,
    /// The field manager that owns the path, if `managedFields` tells.
    pub manager: Option<String>,
}

/// A place in a scenario, rendered once for every reporter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceExcerpt {
    /// File as shown to people.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// The source line with a caret, without colour.
    pub text: String,
}

impl SourceExcerpt {
    /// The place with `title` above it.
    pub fn new(location: &Location, title: &str) -> Self {
        Self {
            file: location.source.path().display().to_string(),
            line: location.span.line,
            column: location.span.column,
            text: Diagnostic::new(location.clone(), title).render(false),
        }
    }
}
