//! Operators over the changes of each object, and over objects that have a key in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::cel::Scope;
use super::origin::Written;
use super::path::Path;
use super::select::{Selection, State, Uid};
use super::temporal::ClaimJudge;
use super::timeline::changed;
use crate::record::{Change, Entry};
use crate::scenario::assertion::{Bindings, Claim};
use crate::scenario::expression::{EvaluationError, Expression};

/// A version that should not have followed the one before it.
#[derive(Debug, Clone)]
pub(super) struct Step<'a> {
    pub(super) before: Option<State<'a>>,
    pub(super) after: State<'a>,
    /// Where they differ, in words.
    pub(super) places: Vec<String>,
}

/// What a claim about changes comes to.
#[derive(Debug)]
pub(super) enum Changes<'a> {
    /// There is no object that it could be about.
    Nothing,
    /// Every change is allowed.
    Allowed,
    /// The first one that is not.
    Forbidden(Box<Step<'a>>),
}

/// The first change that does not lead to a later group of `order`.
pub(super) fn advances<'a>(
    path: &[String],
    order: &[Vec<String>],
    claim: &Claim,
    history: &'a [Arc<Entry>],
    bindings: &'a Bindings,
) -> Result<Changes<'a>, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    let written = Written::of(history);
    let fields = Path::of_fields(path);
    let mut last: BTreeMap<Uid<'a>, State<'a>> = BTreeMap::new();
    for version in selection.versions {
        if !judge.content(version.object)? {
            continue;
        }
        let value = fields.resolve(version.object).unwrap_or(&Value::Null);
        let before = last.insert(version.uid, version);
        if written.has(&version) {
            continue;
        }
        let old = before.as_ref().map(|before| fields.resolve(before.object).unwrap_or(&Value::Null));
        let is_allowed = old == Some(value)
            || match (rank(value, order), old.map(|old| rank(old, order))) {
                // An object may begin anywhere, and after what no group has anything may come.
                (Some(_), None | Some(None)) => true,
                (Some(now), Some(Some(then))) => now > then,
                (None, _) => false,
            };
        if !is_allowed {
            let places = differences(path, old, Some(value));
            return Ok(Changes::Forbidden(Box::new(Step { before, after: version, places })));
        }
    }
    Ok(if last.is_empty() { Changes::Nothing } else { Changes::Allowed })
}

/// The place of a value in an order, 0 for no value; `None` if the order does not have it.
fn rank(value: &Value, order: &[Vec<String>]) -> Option<usize> {
    match value {
        Value::Null => Some(0),
        Value::String(text) => order.iter().position(|group| group.contains(text)).map(|place| place + 1),
        _ => None,
    }
}

/// The first change of what should stay as it is.
pub(super) fn settled<'a>(
    path: &[String],
    except: &[Vec<String>],
    claim: &Claim,
    history: &'a [Arc<Entry>],
    bindings: &'a Bindings,
) -> Result<Changes<'a>, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    let written = Written::of(history);
    let fields = Path::of_fields(path);
    let kept = |version: &State<'a>| {
        let mut object = version.object.clone();
        for place in except {
            remove(&mut object, place);
        }
        fields.resolve(&object).cloned()
    };
    let mut is_seen = false;
    let mut settled: BTreeMap<Uid<'a>, (State<'a>, Option<Value>)> = BTreeMap::new();
    for version in selection.versions {
        let before = settled.get(&version.uid).filter(|_| !written.has(&version));
        if let Some((before, value)) = before {
            let now = kept(&version);
            if now != *value {
                let places = differences(path, value.as_ref(), now.as_ref());
                let before = Some(*before);
                return Ok(Changes::Forbidden(Box::new(Step { before, after: version, places })));
            }
        } else if judge.content(version.object)? {
            is_seen = true;
            settled.insert(version.uid, (version, kept(&version)));
        } else {
            settled.remove(&version.uid);
        }
    }
    Ok(if is_seen { Changes::Allowed } else { Changes::Nothing })
}

fn remove(object: &mut Value, path: &[String]) {
    let Some((last, way)) = path.split_last() else { return };
    let parent = way.iter().try_fold(object, |value, key| value.get_mut(key));
    if let Some(fields) = parent.and_then(Value::as_object_mut) {
        fields.remove(last);
    }
}

/// Where two values at `path` differ, in words.
fn differences(path: &[String], before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let mut places = Vec::new();
    changed(&mut Path::of_fields(path), before, after, &mut places);
    places
}

/// The key that more than `count` objects have, and the first ones of those.
pub(super) fn crowd<'a>(
    count: usize,
    key: &Expression,
    claim: &Claim,
    history: &'a [Arc<Entry>],
    bindings: &'a Bindings,
) -> Result<Option<(Value, Vec<State<'a>>)>, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    let scope = Scope::new(bindings, [key]);
    let mut groups: Vec<(Value, Vec<State<'a>>)> = Vec::new();
    for version in selection.versions {
        if version.change == Change::Deleted || !judge.content(version.object)? {
            continue;
        }
        let value = match key.evaluate(&scope.variables(version.object)) {
            Ok(Value::Null) | Err(EvaluationError::Data { .. }) => continue,
            Ok(value) => value,
            Err(error) => return Err(format!("{}: `{}`: {error}", key.location(), key.text())),
        };
        let known = groups.iter().position(|(known, _)| *known == value);
        let place = known.unwrap_or_else(|| {
            groups.push((value, Vec::new()));
            groups.len() - 1
        });
        let Some((_, members)) = groups.get_mut(place) else { continue };
        if members.iter().all(|member| member.uid != version.uid) {
            members.push(version);
        }
        if members.len() > count {
            return Ok(groups.into_iter().nth(place));
        }
    }
    Ok(None)
}
