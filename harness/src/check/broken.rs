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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::testing::{History, assertion, bindings, jobs, matches, phase};
    use crate::scenario::assertion::{Operator, Standing};

    fn invariant(id: &str, operator: Operator) -> Assertion {
        let standing = Arc::new(Standing { id: id.to_owned(), made_by: None });
        Assertion { standing: Some(standing), ..assertion(operator) }
    }

    #[test]
    fn each_broken_invariant_is_named_once_and_what_is_open_is_not() {
        let never = |name| Operator::Never(matches(jobs(), &phase(name)));
        let all = [
            assertion(never("x")),
            invariant("INV-01", never("y")),
            invariant("INV-02", never("x")),
            invariant("INV-02", never("x")),
            invariant("INV-03", Operator::AtMost { count: 0, claim: matches(jobs(), &json!({})) }),
        ];
        let history = History::default().added("Job/a", 1, &phase("x"));
        let broken = broken(all.iter(), &history.0, &bindings());
        let ids: Vec<&str> = broken.iter().map(|broken| broken.id.as_str()).collect();
        assert_eq!(ids, ["INV-02", "INV-03"]);
        assert!(broken[0].claim.starts_with("INV-02: never Job"), "{}", broken[0].claim);
        assert_eq!(broken[0].object, "Job ns/a");
        // Versions may be missing, but what was seen was seen.
        let open = History::default().gap("v1/Job");
        assert_eq!(super::broken(all.iter(), &open.0, &bindings()), []);
    }
}
