//! Which standing invariants a history breaks.

use std::sync::Arc;

use super::bindings::expand_assertion;
use super::failure::Broken;
use super::{Judgement, explain, judge};
use crate::record::Entry;
use crate::scenario::assertion::{Assertion, Bindings};

/// The invariants among `assertions` that are broken for good, one entry for each requirement. What only cannot
/// be known, or may still come true, is not among them.
pub fn broken<'a>(
    assertions: impl Iterator<Item = &'a Assertion>,
    history: &[Arc<Entry>],
    bindings: &Bindings,
) -> Vec<Broken> {
    let mut broken: Vec<Broken> = Vec::new();
    for assertion in assertions {
        let Some(standing) = &assertion.standing else { continue };
        if broken.iter().any(|other| other.id == standing.id) {
            continue;
        }
        let Ok(assertion) = expand_assertion(assertion, bindings) else { continue };
        if judge(&assertion, history, 0, bindings) == Judgement::Violated {
            let failure = explain(&assertion, history, 0, bindings, None);
            broken.push(Broken {
                id: standing.id.clone(),
                claim: failure.claim,
                object: failure.object,
                nearest: failure.nearest,
            });
        }
    }
    broken
}
