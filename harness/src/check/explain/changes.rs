//! What is to be said where objects changed as they must not, or where too many have a key in common.

use super::absence::not_found;
use super::candidate::{describe, when};
use super::operators::{OTHERS, presence};
use super::{Evidence, Finding, words};
use crate::check::changes::{self, Changes};
use crate::check::select::Selection;
use crate::scenario::assertion::Claim;
use crate::scenario::expression::Expression;

pub(super) fn advances(
    path: &[String],
    order: &[Vec<String>],
    claim: &Claim,
    evidence: Evidence<'_>,
) -> Result<Finding, String> {
    let found = changes::advances(path, order, claim, evidence.history, evidence.bindings)?;
    of(&found, "leads to no later group", claim, evidence)
}

pub(super) fn settled(
    path: &[String],
    except: &[Vec<String>],
    claim: &Claim,
    evidence: Evidence<'_>,
) -> Result<Finding, String> {
    let found = changes::settled(path, except, claim, evidence.history, evidence.bindings)?;
    of(&found, "changed after it was settled", claim, evidence)
}

fn of(changes: &Changes<'_>, what: &str, claim: &Claim, evidence: Evidence<'_>) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    let Changes::Forbidden(step) = changes else {
        return Ok(not_found(claim, &selection, evidence));
    };
    let since = match &step.before {
        Some(before) => format!(", which was {}", when(before, evidence)),
        None => String::new(),
    };
    let sentence = format!("at {} it {what}{since}: {}", when(&step.after, evidence), step.places.join("; "));
    let differences = step
        .places
        .iter()
        .map(|place| presence(&step.after, &selection, "no such change".to_owned(), place))
        .collect();
    Ok(Finding { object: describe(&step.after), nearest: sentence, differences, diff: None })
}

pub(super) fn at_most_each(
    count: usize,
    key: &Expression,
    claim: &Claim,
    evidence: Evidence<'_>,
) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    let Some((value, crowd)) = changes::crowd(count, key, claim, evidence.history, evidence.bindings)? else {
        return Ok(Finding::sentence(format!("no key had more than {}", words::count(count, "object"))));
    };
    let Some(last) = crowd.last() else { return Ok(Finding::default()) };
    let names: Vec<String> =
        crowd.iter().map(|version| format!("{} ({})", describe(version), when(version, evidence))).collect();
    let sentence = format!(
        "{} instead of at most {count} have {value}: {}",
        words::count(crowd.len(), "object"),
        words::some(&names, OTHERS)
    );
    let expected = format!("not another one with {value}");
    Ok(Finding {
        object: describe(last),
        nearest: sentence,
        differences: vec![presence(last, &selection, expected, "there")],
        diff: None,
    })
}
