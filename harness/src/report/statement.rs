//! A conformance report, read back.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::aggregate::Aggregate;
use super::conformance;
use super::error::ReportError;
use crate::yaml::{Node, Source, parse_documents};

/// What a conformance report states, without what belongs to the moment of its writing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// What was tested on what.
    #[serde(default)]
    pub run: Value,
    /// The verdict over all.
    pub result: String,
    /// Whether the run was cut short.
    pub interrupted: bool,
    /// How many cases ended how.
    pub statistics: Value,
    /// The verdicts per profile.
    pub profiles: Vec<ProfileStatement>,
    /// The verdicts per requirement.
    pub requirements: Vec<RequirementStatement>,
    /// The verdicts per case.
    pub cases: Vec<CaseStatement>,
}

/// What a report states about a profile.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProfileStatement {
    /// Which.
    pub name: String,
    /// Its verdict.
    pub verdict: String,
}

/// What a report states about a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RequirementStatement {
    /// Which.
    pub id: String,
    /// Its verdict.
    pub verdict: String,
    /// The cases that are to prove it.
    #[serde(default)]
    pub scenarios: Vec<ProofStatement>,
}

/// What a report states about a case as the proof of a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProofStatement {
    /// The id of the case.
    pub name: String,
    /// Its verdict.
    pub verdict: String,
}

/// What a report states about a case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CaseStatement {
    /// Its id.
    pub name: String,
    /// Its verdict.
    pub verdict: String,
    /// The claim that failed, or why nothing is known.
    #[serde(default)]
    pub reason: Option<String>,
    /// What was seen instead of what the claim says that failed.
    #[serde(default)]
    pub nearest: Option<String>,
    /// Where the claim stands that failed, `file:line`.
    #[serde(default)]
    pub place: Option<String>,
}

impl Statement {
    /// Reads the text of a `report.yaml`.
    pub fn parse(source: &Arc<Source>) -> Result<Self, ReportError> {
        let unreadable = |reason: String| ReportError::Read { path: source.path().to_owned(), reason };
        let documents = parse_documents(source).map_err(|problem| unreadable(problem.to_string()))?;
        let report = documents.first().map(Node::to_json).unwrap_or_default();
        serde_json::from_value(report).map_err(|error| unreadable(error.to_string()))
    }

    /// What a report of this run states, by the same way through YAML that a stored one went.
    pub fn of(run: &Aggregate) -> Result<Self, ReportError> {
        let text = conformance::render(run, jiff::Timestamp::UNIX_EPOCH)?;
        Self::parse(&Source::new(super::REPORT_FILE, text))
    }
}
