//! Differences of two whole objects, as paths and as a diff of their text.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use similar::TextDiff;

use super::normalize;
use crate::check::matching::{ELEMENT_KEYS, Mismatch, value_eq};
use crate::check::path::{Path, Segment, scalar_text};
use crate::yaml::to_yaml;

/// How an object differs from the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The places that differ; empty if they are equal.
    pub differences: Vec<Mismatch>,
    /// Both as YAML with sorted keys; empty if they are equal.
    pub diff: Diff,
}

/// Unified diffs of two texts, `-` expected, `+` actual, without colour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// What differs, with three lines before and after.
    pub hunks: String,
    /// All lines of both.
    pub whole: String,
}

impl Diff {
    fn new(expected: &str, actual: &str) -> Self {
        let diff = TextDiff::from_lines(expected, actual);
        let with = |lines| diff.unified_diff().context_radius(lines).header("expected", "actual").to_string();
        let all = expected.lines().count() + actual.lines().count();
        Self { hunks: with(3), whole: with(all) }
    }
}

/// Whether the actual object equals the expected one, which is normalised already.
pub fn equal(normalized: &Value, actual: &Value) -> bool {
    value_eq(normalized, &normalize(actual))
}

/// Compares the whole objects; both are normalised here.
pub fn compare(expected: &Value, actual: &Value) -> Comparison {
    let (expected, actual) = (normalize(expected), normalize(actual));
    if value_eq(&expected, &actual) {
        return Comparison { differences: Vec::new(), diff: Diff::default() };
    }
    let mut found = Vec::new();
    differences(&mut Path::root(), Some(&expected), Some(&actual), &mut found);
    let (left, right) = (to_yaml(&sorted(&expected)), to_yaml(&sorted(&actual)));
    Comparison { differences: found, diff: Diff::new(&left, &right) }
}

/// The value with the keys of all its mappings in alphabetical order.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<&String, &Value> = map.iter().collect();
            map.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        scalar => scalar.clone(),
    }
}

fn differences(path: &mut Path, expected: Option<&Value>, actual: Option<&Value>, found: &mut Vec<Mismatch>) {
    match (expected, actual) {
        (Some(expected), Some(actual)) if value_eq(expected, actual) => {}
        (Some(Value::Object(expected)), Some(Value::Object(actual))) => {
            in_mappings(path, expected, actual, found);
        }
        (Some(Value::Array(expected)), Some(Value::Array(actual))) => in_lists(path, expected, actual, found),
        (None, None) => {}
        _ => found.push(Mismatch { path: path.clone(), expected: text(expected), actual: text(actual) }),
    }
}

fn in_mappings(
    path: &mut Path,
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
    found: &mut Vec<Mismatch>,
) {
    let keys: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    for key in keys {
        path.push(Segment::Field(key.clone()));
        differences(path, expected.get(key), actual.get(key), found);
        path.pop();
    }
}

fn in_lists(path: &mut Path, expected: &[Value], actual: &[Value], found: &mut Vec<Mismatch>) {
    let keyed =
        ELEMENT_KEYS.iter().find_map(|&key| Some((key, by_key(expected, key)?, by_key(actual, key)?)));
    let Some((key, expected_by, actual_by)) = keyed else {
        for index in 0..expected.len().max(actual.len()) {
            path.push(Segment::Index(index));
            differences(path, expected.get(index), actual.get(index), found);
            path.pop();
        }
        return;
    };
    let before = found.len();
    let names: BTreeSet<&String> = expected_by.keys().chain(actual_by.keys()).collect();
    for name in names {
        path.push(Segment::Element { key, value: name.clone() });
        differences(path, expected_by.get(name).copied(), actual_by.get(name).copied(), found);
        path.pop();
    }
    // All elements are equal, so it can only be their order.
    if found.len() == before {
        let order = |items: &[Value]| {
            let names: Vec<String> =
                items.iter().filter_map(|item| item.get(key).and_then(scalar_text)).collect();
            format!("in the order {}", names.join(", "))
        };
        found.push(Mismatch { path: path.clone(), expected: order(expected), actual: order(actual) });
    }
}

/// The elements by `key`, if all have it and no two the same.
fn by_key<'a>(items: &'a [Value], key: &str) -> Option<BTreeMap<String, &'a Value>> {
    let mut map = BTreeMap::new();
    for item in items {
        if map.insert(item.get(key).and_then(scalar_text)?, item).is_some() {
            return None;
        }
    }
    Some(map)
}

fn text(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), Value::to_string)
}
