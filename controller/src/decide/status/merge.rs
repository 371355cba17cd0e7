//! JSON merge patches (RFC 7386) that turn one object into another.

use serde_json::{Map, Value};

/// The smallest merge patch from `current` to `desired`: removed keys become null, equal ones are left out.
pub(super) fn diff(current: &Map<String, Value>, desired: &Map<String, Value>) -> Map<String, Value> {
    let removed =
        current.keys().filter(|key| !desired.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed =
        desired.iter().filter(|(key, value)| current.get(*key) != Some(*value)).map(|(key, value)| {
            let patch = match (current.get(key), value) {
                (Some(Value::Object(before)), Value::Object(after)) => Value::Object(diff(before, after)),
                _ => value.clone(),
            };
            (key.clone(), patch)
        });
    removed.chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object() -> impl Strategy<Value = Value> {
        // Nulls are left out: a merge patch cannot express them, and statuses have none.
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), "[a-c]{0,2}".prop_map(Value::from)];
        let tree = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| json!(map)),
            ]
        });
        prop::collection::btree_map("[a-d]", tree, 0..4).prop_map(|map| json!(map))
    }

    proptest! {
        #[test]
        fn applying_the_patch_gives_the_desired_object(current in object(), desired in object()) {
            let patch = diff(current.as_object().unwrap(), desired.as_object().unwrap());
            let mut patched = current.clone();
            json_patch::merge(&mut patched, &Value::Object(patch));
            prop_assert_eq!(patched, desired);
        }
    }
}
