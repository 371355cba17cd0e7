//! What the names of a scenario stand for at a moment of its history.

use std::sync::Arc;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::record::{Entry, Observation};
use crate::scenario::assertion::{Assertion, Bindings};
use crate::scenario::template;
use crate::yaml::Node;

/// The bindings with the newest version of every object that the history shows.
pub fn refreshed(bindings: &Bindings, history: &[Arc<Entry>]) -> Bindings {
    let mut bindings = bindings.clone();
    for object in bindings.objects.values_mut() {
        let newest = history.iter().rev().find_map(|entry| match &entry.observation {
            Observation::Object(version) if version.uid == object.uid => Some(&version.object),
            _ => None,
        });
        if let Some(newest) = newest {
            object.latest = Arc::clone(newest);
        }
    }
    bindings
}

/// Puts everything that is known while a scenario runs into a tree.
pub fn expand(node: &Node, bindings: &Bindings, problems: &mut Vec<Diagnostic>) -> Node {
    let namespace = Value::String(bindings.namespace.clone());
    let objects: Value = bindings
        .objects
        .iter()
        .map(|(alias, object)| (alias.clone(), Value::clone(&object.latest)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    template::expand(
        node,
        &[("case", &bindings.case), ("namespace", &namespace), ("objects", &objects)],
        problems,
    )
}

/// Puts everything that is known while a scenario runs into what an assertion expects.
pub fn expand_assertion(assertion: &Assertion, bindings: &Bindings) -> Result<Assertion, Diagnostic> {
    let mut assertion = assertion.clone();
    let mut problems = Vec::new();
    for claim in assertion.operator.claims_mut() {
        if let Some(matches) = &claim.condition.matches {
            claim.condition.matches = Some(expand(matches, bindings, &mut problems));
        }
        if let Some(golden) = &mut claim.condition.golden {
            golden.template = expand(&golden.template, bindings, &mut problems);
        }
    }
    problems.into_iter().next().map_or(Ok(assertion), Err)
}
