//! Reading the invariants of a suite.

use std::sync::Arc;

use super::Reader;
use crate::diagnostic::Diagnostic;
use crate::event::RequirementInfo;
use crate::scenario::assertion::{Operator, Standing, Target};
use crate::scenario::document::InvariantDocument;
use crate::scenario::lint;
use crate::scenario::reader::aliases;
use crate::scenario::step::{Action, INVARIANT, Step};
use crate::yaml::{Node, decode};

impl Reader<'_> {
    /// Reads one invariant, which states a requirement of the catalogue.
    pub(in crate::scenario) fn invariant(
        &mut self,
        node: &Node,
        catalogue: &[RequirementInfo],
    ) -> Option<Step> {
        let node = self.expand(node);
        let document: InvariantDocument = match decode(&node) {
            Ok(document) => document,
            Err(error) => {
                self.problems.push(error.into_diagnostic(&node.location));
                return None;
            }
        };
        lint::known_requirements(std::slice::from_ref(&document.id), catalogue, self.problems);
        let at = document.id.location.clone();
        let standing = Arc::new(Standing { id: document.id.value.clone(), made_by: document.made_by });
        let Ok([claim]) = <[_; 1]>::try_from(document.claims()) else {
            self.problems.push(
                Diagnostic::new(at, "an invariant is exactly one claim")
                    .with_help("use one of never, atMost, versions, atMostEach, advances, settled"),
            );
            return None;
        };
        let (action, summary) = self.action(claim, &at)?;
        let Action::Assert(mut assertion) = action else { return None };
        if let Some(what) = assertion.operator.claims().iter().find_map(|claim| unknown(&claim.target)) {
            self.problems.push(
                Diagnostic::new(at, format!("{what} cannot be claimed of every case"))
                    .with_help("invariants are about objects of a kind, requests or the log"),
            );
            return None;
        }
        if assertion.is_about_requests() && !matches!(assertion.operator, Operator::Never(_)) {
            self.problems.push(Diagnostic::new(at, "requests are not counted in every case").with_help(
                "where no `audit` is required only those outside the namespace of the case are recorded",
            ));
            return None;
        }
        let summary = format!("{INVARIANT}{} {summary}", standing.id);
        assertion.standing = Some(standing);
        Some(Step { action: Action::Assert(assertion), location: at, summary, digest: String::new() })
    }
}

/// What is not there in every case.
fn unknown(target: &Target) -> Option<&'static str> {
    if aliases(target).next().is_some() {
        return Some("an alias");
    }
    matches!(target, Target::Rendered { .. }).then_some("a rendering")
}
