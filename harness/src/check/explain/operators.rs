//! What is to be said for each operator.

use std::collections::BTreeMap;

use serde_json::Value;

use super::absence::not_found;
use super::candidate::{Candidate, describe, difference, operands, when};
use super::{Evidence, Finding, changes, words};
use crate::check::failure::Difference;
use crate::check::matching::Mismatch;
use crate::check::path::Path;
use crate::check::select::{Selection, State, Uid};
use crate::check::temporal::{
    ClaimJudge, creation, first_crowd, first_versions, next_in_sequence, satisfying,
};
use crate::record::Change;
use crate::scenario::assertion::{Claim, Operator};

/// How many of many candidates are named.
pub(super) const OTHERS: usize = 5;

/// The finding, or why nothing can be known.
pub(super) fn find(operator: &Operator, evidence: Evidence<'_>) -> Result<Finding, String> {
    match operator {
        Operator::Eventually { claim, .. } => eventually(claim, evidence),
        Operator::Always(claim) => always(claim, evidence),
        Operator::Never(claim) => never(claim, evidence),
        Operator::Sequence(claims) => sequence(claims, evidence),
        Operator::Exactly { count, claim } => exactly(*count, claim, evidence),
        Operator::AtMost { count, claim } => at_most(*count, claim, evidence),
        Operator::InCreationOrder(claim) => in_creation_order(claim, evidence),
        Operator::Versions { at_most, claim } => versions(*at_most, claim, evidence),
        Operator::AtMostEach { count, key, claim } => changes::at_most_each(*count, key, claim, evidence),
        Operator::Advances { path, order, claim } => changes::advances(path, order, claim, evidence),
        Operator::Settled { path, except, claim } => changes::settled(path, except, claim, evidence),
    }
}

fn eventually(claim: &Claim, evidence: Evidence<'_>) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    if claim.condition.exists == Some(false) {
        return Ok(still_there(&selection, evidence));
    }
    let judge = ClaimJudge::new(claim, evidence.bindings)?;
    let window = selection.window(evidence.window_start);
    let there = window.into_iter().filter(|version| version.change != Change::Deleted).collect();
    Ok(nearest(claim, &judge, &selection, there, evidence)
        .unwrap_or_else(|| not_found(claim, &selection, evidence)))
}

fn still_there(selection: &Selection<'_>, evidence: Evidence<'_>) -> Finding {
    let current = selection.current();
    let Some(first) = current.first() else {
        return Finding::sentence("no such object is there");
    };
    let mut parts =
        vec![format!("{} still there at {}", words::count(current.len(), "object"), when(first, evidence))];
    if current.len() > 1 {
        let names: Vec<String> = current.iter().take(OTHERS).map(describe).collect();
        parts.push(names.join(", "));
    }
    if first.object.pointer("/metadata/deletionTimestamp").is_some() {
        let finalizers = first.object.pointer("/metadata/finalizers");
        let finalizers = finalizers.map_or_else(|| "none".to_owned(), Value::to_string);
        parts.push(format!("its deletion was asked for, finalizers: {finalizers}"));
    }
    let whole = Mismatch { path: Path::root(), expected: "absent".into(), actual: describe(first) };
    Finding {
        object: describe(first),
        nearest: parts.join("; "),
        differences: vec![difference(&whole, first, selection)],
        diff: None,
    }
}

/// The version with the fewest differing places, later ones preferred; `None` without versions.
fn nearest(
    claim: &Claim,
    judge: &ClaimJudge<'_>,
    selection: &Selection<'_>,
    versions: Vec<State<'_>>,
    evidence: Evidence<'_>,
) -> Option<Finding> {
    let mut best_of: BTreeMap<Uid<'_>, Candidate<'_>> = BTreeMap::new();
    let mut regressed: BTreeMap<Uid<'_>, u64> = BTreeMap::new();
    for version in versions {
        let candidate = Candidate::new(claim, judge, version);
        match best_of.get(&version.uid) {
            Some(best) if candidate.mismatches.len() > best.mismatches.len() => {
                regressed.entry(version.uid).or_insert(version.resource_version);
            }
            _ => {
                regressed.remove(&version.uid);
                best_of.insert(version.uid, candidate);
            }
        }
    }
    let mut candidates: Vec<Candidate<'_>> = best_of.into_values().collect();
    candidates.sort_by_key(|candidate| {
        (candidate.mismatches.len(), std::cmp::Reverse(candidate.version.resource_version))
    });
    let best = candidates.first()?;
    let mut parts = vec![format!("{} at {}", best.score(), when(&best.version, evidence))];
    if let Some(at) = regressed.get(&best.version.uid) {
        parts.push(format!("then regressed at resource version {at}"));
    }
    if let Some(at) = deleted_at(selection, best.version.uid) {
        parts.push(format!("deleted at resource version {at}"));
    }
    let others = candidates.iter().skip(1).take(OTHERS);
    parts.extend(others.map(|other| format!("{}: {}", describe(&other.version), other.score())));
    if candidates.len() > OTHERS + 1 {
        parts.push(format!("and {} more", candidates.len() - OTHERS - 1));
    }
    Some(Finding {
        object: describe(&best.version),
        nearest: parts.join("; "),
        differences: best.differences(selection),
        diff: best.diff.clone(),
    })
}

fn deleted_at(selection: &Selection<'_>, uid: Uid<'_>) -> Option<u64> {
    selection
        .versions
        .iter()
        .find(|version| version.uid == uid && version.change == Change::Deleted)
        .map(|version| version.resource_version)
}

fn always(claim: &Claim, evidence: Evidence<'_>) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    let judge = ClaimJudge::new(claim, evidence.bindings)?;
    for (place, version) in selection.versions.iter().enumerate() {
        if judge.always_of(version)? {
            continue;
        }
        let candidate = Candidate::new(claim, &judge, *version);
        let mut differences = candidate.differences(&selection);
        if differences.is_empty() {
            let change = if version.change == Change::Deleted { "deleted" } else { "there" };
            differences.push(presence(version, &selection, words::claim(claim), change));
        }
        let held = words::count(place, "version");
        return Ok(Finding {
            object: describe(version),
            nearest: format!("{held} held, then came {}: {}", when(version, evidence), candidate.score()),
            differences,
            diff: candidate.diff,
        });
    }
    Ok(not_found(claim, &selection, evidence))
}

fn never(claim: &Claim, evidence: Evidence<'_>) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    let judge = ClaimJudge::new(claim, evidence.bindings)?;
    for version in &selection.versions {
        if !judge.ever_of(version)? {
            continue;
        }
        let mut differences: Vec<Difference> = forbidden(claim, &judge, version)
            .iter()
            .map(|mismatch| difference(mismatch, version, &selection))
            .collect();
        if differences.is_empty() {
            let change = if version.change == Change::Deleted { "deleted" } else { "there" };
            differences.push(presence(version, &selection, format!("never {}", words::claim(claim)), change));
        }
        return Ok(Finding {
            object: describe(version),
            nearest: format!("it was so at {}", when(version, evidence)),
            differences,
            diff: None,
        });
    }
    Ok(not_found(claim, &selection, evidence))
}

/// The places of which a forbidden state consists, with the values that must not be there.
fn forbidden(claim: &Claim, judge: &ClaimJudge<'_>, version: &State<'_>) -> Vec<Mismatch> {
    let mut places = Vec::new();
    if let Some(pattern) = judge.pattern() {
        // Against null every leaf that wants a value is a mismatch: the leaves of the pattern.
        for leaf in pattern.mismatches(&Value::Null) {
            let actual = leaf.path.resolve(version.object);
            let actual = actual.map_or_else(|| "absent".to_owned(), Value::to_string);
            places.push(Mismatch { expected: format!("never {}", leaf.expected), actual, path: leaf.path });
        }
    }
    if let Some(expression) = &claim.condition.cel {
        places.extend(
            operands(claim, version.object, &format!("never {}", expression.text())).into_iter().map(
                |mut place| {
                    if place.path == Path::root() {
                        "true".clone_into(&mut place.actual);
                    }
                    place
                },
            ),
        );
    }
    places
}

pub(super) fn presence(
    version: &State<'_>,
    selection: &Selection<'_>,
    expected: String,
    actual: &str,
) -> Difference {
    let whole = Mismatch { path: Path::root(), expected, actual: actual.to_owned() };
    difference(&whole, version, selection)
}

fn exactly(count: usize, claim: &Claim, evidence: Evidence<'_>) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    let judge = ClaimJudge::new(claim, evidence.bindings)?;
    let mut found: BTreeMap<Uid<'_>, State<'_>> = BTreeMap::new();
    for version in &selection.versions {
        if !found.contains_key(&version.uid) && judge.ever_of(version)? {
            found.insert(version.uid, *version);
        }
    }
    let mut matching: Vec<&State<'_>> = found.values().collect();
    matching.sort_by_key(|version| version.resource_version);
    let names: Vec<String> = matching
        .iter()
        .map(|version| format!("{} ({})", describe(version), when(version, evidence)))
        .collect();
    let names = if names.is_empty() { String::new() } else { format!(": {}", words::some(&names, OTHERS)) };
    let sentence = format!("{} instead of {count}{names}", words::count(found.len(), "object"));
    if found.len() > count {
        let extra = matching.get(count).copied();
        return Ok(Finding {
            object: extra.map(describe).unwrap_or_default(),
            nearest: sentence,
            differences: extra
                .map(|version| presence(version, &selection, "absent".into(), "there"))
                .into_iter()
                .collect(),
            diff: None,
        });
    }
    let others =
        selection.versions.iter().filter(|version| !found.contains_key(&version.uid)).copied().collect();
    let finding = nearest(claim, &judge, &selection, others, evidence)
        .unwrap_or_else(|| not_found(claim, &selection, evidence));
    Ok(Finding { nearest: format!("{sentence}; nearest other: {}", finding.nearest), ..finding })
}

fn at_most(count: usize, claim: &Claim, evidence: Evidence<'_>) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    let Some(crowd) = first_crowd(count, claim, evidence.history, evidence.bindings)? else {
        return Ok(Finding::sentence(format!("there never were more than {count}")));
    };
    let Some(last) = crowd.last() else { return Ok(Finding::default()) };
    let names: Vec<String> = crowd.iter().map(describe).collect();
    let sentence = format!(
        "{} at the same time instead of at most {count}, first at {}: {}",
        words::count(crowd.len(), "object"),
        when(last, evidence),
        words::some(&names, OTHERS)
    );
    let expected = format!("not together with {}", words::count(count, "other"));
    Ok(Finding {
        object: describe(last),
        nearest: sentence,
        differences: vec![presence(last, &selection, expected, "there")],
        diff: None,
    })
}

fn in_creation_order(claim: &Claim, evidence: Evidence<'_>) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    let firsts = first_versions(claim, evidence.history, evidence.bindings)?;
    let overtaken = firsts
        .iter()
        .zip(firsts.iter().skip(1))
        .find(|(before, after)| creation(before.object) > creation(after.object));
    let Some((before, after)) = overtaken else {
        let sentence =
            format!("only {} satisfied it, so there is no order", words::count(firsts.len(), "object"));
        return Ok(match firsts.first() {
            Some(only) => Finding { object: describe(only), ..Finding::sentence(sentence) },
            None => not_found(claim, &selection, evidence),
        });
    };
    let [created_before, created_after] = [before, after].map(|version| creation(version.object)[0]);
    let sentence = format!(
        "{}, created {created_before}, came first, at {}; {}, created {created_after}, only at {}",
        describe(before),
        when(before, evidence),
        describe(after),
        when(after, evidence),
    );
    let expected = format!("not before {}", describe(after));
    Ok(Finding {
        object: describe(before),
        nearest: sentence,
        differences: vec![presence(before, &selection, expected, "before it")],
        diff: None,
    })
}

fn versions(at_most: usize, claim: &Claim, evidence: Evidence<'_>) -> Result<Finding, String> {
    let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
    let counted = satisfying(claim, evidence.history, evidence.bindings)?;
    let Some(most) = counted.values().max_by_key(|versions| versions.len()) else {
        return Ok(not_found(claim, &selection, evidence));
    };
    let Some(extra) = most.get(at_most) else {
        return Ok(Finding::sentence(format!("there never were more than {at_most}")));
    };
    let sentence = format!(
        "{} instead of at most {at_most}; the first one too many came at {}",
        words::count(most.len(), "version"),
        when(extra, evidence)
    );
    Ok(Finding {
        object: describe(extra),
        nearest: sentence,
        differences: vec![presence(extra, &selection, "absent".into(), "there")],
        diff: None,
    })
}

fn sequence(claims: &[Claim], evidence: Evidence<'_>) -> Result<Finding, String> {
    let mut after = 0;
    let mut before = "the beginning".to_owned();
    for (index, claim) in claims.iter().enumerate() {
        if let Some(version) = next_in_sequence(claim, evidence.history, after, evidence.bindings)? {
            after = version.resource_version;
            before = format!("item {} ({} at {})", index + 1, describe(&version), when(&version, evidence));
            continue;
        }
        let selection = Selection::of(&claim.target, evidence.history, evidence.bindings)?;
        let judge = ClaimJudge::new(claim, evidence.bindings)?;
        let early = match next_in_sequence(claim, evidence.history, 0, evidence.bindings)? {
            Some(early) => format!("; it was so too early, at {}", when(&early, evidence)),
            None => String::new(),
        };
        let sentence = format!(
            "item {} of {} ({}) does not come after {before}{early}",
            index + 1,
            claims.len(),
            words::claim(claim)
        );
        let later =
            selection.versions.iter().filter(|version| version.resource_version > after).copied().collect();
        let finding = nearest(claim, &judge, &selection, later, evidence).map(|finding| Finding {
            nearest: format!("{sentence}; nearest: {}", finding.nearest),
            ..finding
        });
        return Ok(finding.unwrap_or_else(|| {
            let rest = not_found(claim, &selection, evidence);
            match selection.versions.last() {
                None => Finding { nearest: format!("{sentence}; {}", rest.nearest), ..rest },
                Some(last) => Finding {
                    object: describe(last),
                    nearest: format!("{sentence}; it has no later version"),
                    ..rest
                },
            }
        }));
    }
    Ok(Finding::sentence("all items come in order"))
}
