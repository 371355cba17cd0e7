//! The requirement catalogue: ids that never change, each with one testable sentence.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::Diagnostic;
use crate::event::{Level, RequirementInfo};
use crate::yaml::{Located, Node, decode};

/// The file `requirements.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CatalogueDocument {
    /// `hallmark.dev/v1alpha1`.
    #[expect(dead_code, reason = "checked by the reader of documents, present for the schema")]
    api_version: String,
    /// `Requirements`.
    #[expect(dead_code, reason = "checked by the reader of documents, present for the schema")]
    kind: String,
    /// The rows.
    requirements: Vec<Row>,
}

/// One requirement of the catalogue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Row {
    /// For example `TTL-03`.
    id: Located<String>,
    /// One testable sentence.
    statement: String,
    /// How binding it is.
    level: Level,
    /// The feature it belongs to.
    feature: String,
    /// Where the rule comes from.
    source: String,
    /// Why no scenario proves it, if none is meant to. A requirement that has neither is a hole for `hallmark
    /// coverage`, and so is one that has both.
    #[serde(default)]
    unproved: Option<String>,
}

/// Reads the catalogue; ids must be unique.
pub fn read(document: &Node, problems: &mut Vec<Diagnostic>) -> Vec<RequirementInfo> {
    let document: CatalogueDocument = match decode(document) {
        Ok(document) => document,
        Err(error) => {
            problems.push(error.into_diagnostic(&document.location));
            return Vec::new();
        }
    };
    let mut requirements: Vec<RequirementInfo> = Vec::with_capacity(document.requirements.len());
    for row in document.requirements {
        if requirements.iter().any(|known| known.id == row.id.value) {
            problems.push(
                Diagnostic::new(row.id.location, format!("requirement `{}` stands twice", row.id.value))
                    .with_help("an id is given once and never reused"),
            );
            continue;
        }
        requirements.push(RequirementInfo {
            id: row.id.value,
            statement: row.statement,
            level: row.level,
            feature: row.feature,
            source: row.source,
            unproved: row.unproved,
        });
    }
    requirements
}
