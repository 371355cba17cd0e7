//! Why an assertion does not hold, for people.
//!
//! Called once per failure, so it may compute what [`judge`](super::judge) must not: differences of all
//! candidates, diffs, and who wrote which field.

mod absence;
mod candidate;
mod changes;
mod operators;
mod words;

use std::sync::Arc;
use std::time::Duration;

use super::failure::{Broken, Difference, Failure, SourceExcerpt, fingerprint};
use super::golden::Diff;
use super::origin::only;
use super::trail::trail;
use crate::record::Entry;
use crate::scenario::assertion::{Assertion, Bindings};

/// What an explanation is made of, before the parts that all have in common.
#[derive(Debug, Default)]
struct Finding {
    object: String,
    nearest: String,
    differences: Vec<Difference>,
    diff: Option<Diff>,
}

impl Finding {
    /// Only a sentence.
    fn sentence(nearest: impl Into<String>) -> Self {
        Self { nearest: nearest.into(), ..Self::default() }
    }
}

/// Everything that an explanation looks at.
#[derive(Debug, Clone, Copy)]
struct Evidence<'a> {
    history: &'a [Arc<Entry>],
    window_start: u64,
    bindings: &'a Bindings,
}

/// What is claimed, in one line, without the requirement that an invariant states.
pub fn describe(assertion: &Assertion) -> String {
    words::assertion(&assertion.operator, None)
}

/// Explains why `assertion` does not hold; the arguments are those of [`judge`](super::judge), and for how
/// long was waited.
pub fn explain(
    assertion: &Assertion,
    history: &[Arc<Entry>],
    window_start: u64,
    bindings: &Bindings,
    waited: Option<Duration>,
) -> Failure {
    let standing = assertion.standing.as_deref();
    let of_maker = standing.and_then(|standing| standing.made_by).map(|made_by| only(history, made_by));
    let looked_at = of_maker.as_deref().unwrap_or(history);
    let evidence = Evidence { history: looked_at, window_start, bindings };
    let claim = words::assertion(&assertion.operator, waited);
    let claim = standing.map_or_else(|| claim.clone(), |standing| format!("{}: {claim}", standing.id));
    let finding = operators::find(&assertion.operator, evidence).unwrap_or_else(Finding::sentence);
    let title = match finding.differences.first() {
        Some(first) => format!("{}: expected {}, is {}", first.path, first.expected, first.actual),
        None => finding.nearest.clone(),
    };
    let paths = finding.differences.iter().map(|difference| difference.path.as_str());
    let broken = standing.map(|standing| Broken {
        id: standing.id.clone(),
        claim: claim.clone(),
        object: finding.object.clone(),
        nearest: finding.nearest.clone(),
    });
    Failure {
        fingerprint: fingerprint(&assertion.location, paths),
        excerpt: SourceExcerpt::new(&assertion.location, &title),
        claim,
        object: finding.object,
        nearest: finding.nearest,
        differences: finding.differences,
        diff: finding.diff,
        trail: trail(history),
        broken: broken.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests;
