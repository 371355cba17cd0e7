//! `values.schema.json` knows exactly the keys of `values.yaml`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{read, values};

/// Set by Helm itself when the chart is a dependency.
const GLOBAL: &str = "global";

pub(crate) fn schema() -> Value {
    serde_json::from_str(&read("values.schema.json")).unwrap()
}

/// `schema` itself, or the definition that it refers to.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => resolve(root, root.pointer(reference.trim_start_matches('#')).unwrap()),
        None => schema,
    }
}

/// Calls `visit` with the path and the schema of every map with known keys.
fn each_map<'a>(root: &'a Value, path: &str, schema: &'a Value, visit: &mut impl FnMut(&str, &'a Value)) {
    let schema = resolve(root, schema);
    let Some(keys) = schema.get("properties").and_then(Value::as_object) else { return };
    visit(path, schema);
    for (key, schema) in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        each_map(root, &path, schema, visit);
    }
}

/// [CH-05] No level silently takes a key that nobody reads.
#[test]
fn maps_with_known_keys_refuse_unknown_ones() {
    let root = schema();
    let mut maps = 0;
    each_map(&root, "", &root, &mut |path, schema| {
        maps += 1;
        // Labels are free, apart from those of the chart.
        if !path.ends_with("abels") || path.contains("admissionPolicy") {
            assert_eq!(schema["additionalProperties"], false, "the map at `{path}` takes unknown keys");
        }
    });
    assert!(maps > 30, "only {maps} maps were found");
}

#[test]
fn schema_and_values_have_the_same_keys() {
    let root = schema();
    let mut known = BTreeSet::new();
    let mut maps = BTreeSet::new();
    each_map(&root, "", &root, &mut |path, schema| {
        if path.ends_with("abels") && !path.contains("admissionPolicy") {
            return;
        }
        maps.insert(path.to_owned());
        for key in schema["properties"].as_object().unwrap().keys() {
            known.insert(if path.is_empty() { key.clone() } else { format!("{path}.{key}") });
        }
    });
    let known: BTreeSet<_> = known.difference(&maps).filter(|key| *key != GLOBAL).cloned().collect();
    // A map whose keys the schema leaves free counts as one key.
    let free = |leaf: &String| known.iter().find(|key| leaf.starts_with(&format!("{key}."))).cloned();
    let written: BTreeSet<_> = values::leaves().into_iter().map(|leaf| free(&leaf).unwrap_or(leaf)).collect();
    assert_eq!(known, written);
}
