//! Who wrote a field, from `metadata.managedFields`.
//!
//! The API server keeps for every field manager the set of fields it owns (`fieldsV1`): `f:name` for the
//! field of a mapping, `k:{"name":"x"}` for the element of a list with these keys, `v:"x"` for the element
//! of a set with this value, and `{}` where the manager owns everything below.

use serde_json::Value;

use super::path::{Path, Segment, element_has};

/// The manager that owns `path`; of several, the one that wrote last.
pub(super) fn manager_of<'a>(object: &'a Value, path: &Path) -> Option<&'a str> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let time = |entry: &&'a Value| entry.get("time").and_then(Value::as_str).unwrap_or_default();
    entries
        .iter()
        .filter(|entry| entry.get("fieldsV1").is_some_and(|fields| owns(fields, object, path.segments())))
        .max_by_key(time)?
        .get("manager")?
        .as_str()
}

fn owns(fields: &Value, value: &Value, segments: &[Segment]) -> bool {
    let Some(fields) = fields.as_object() else { return false };
    // A leaf: the field is owned as a whole, for example the data of an atomic mapping.
    if fields.is_empty() {
        return true;
    }
    let Some((segment, rest)) = segments.split_first() else { return true };
    match segment {
        Segment::Field(name) => match fields.get(&format!("f:{name}")) {
            Some(inner) => owns(inner, value.get(name).unwrap_or(&Value::Null), rest),
            None => false,
        },
        Segment::Index(index) => in_element(fields, value.get(index), rest),
        Segment::Element { key, value: wanted } => {
            let element =
                value.as_array().and_then(|items| items.iter().find(|item| element_has(item, key, wanted)));
            in_element(fields, element, rest)
        }
    }
}

fn in_element(fields: &serde_json::Map<String, Value>, element: Option<&Value>, rest: &[Segment]) -> bool {
    let Some(element) = element else { return false };
    fields.iter().any(|(name, inner)| {
        let names_it = match name.split_once(':') {
            Some(("k", keys)) => serde_json::from_str::<serde_json::Map<String, Value>>(keys)
                .is_ok_and(|keys| keys.iter().all(|(key, value)| element.get(key) == Some(value))),
            Some(("v", value)) => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *element),
            _ => false,
        };
        names_it && owns(inner, element, rest)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "metadata": {"managedFields": [
                {"manager": "creator", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:ttl": {}, "f:c": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}, "f:data": {}}}},
                {"manager": "later", "time": "2026-01-01T00:00:05Z", "fieldsV1": {"f:spec": {"f:ttl": {}, "f:set": {"v:\"x\"": {}}}}}
            ]},
            "spec": {"ttl": 1, "c": [{"name": "a", "image": "i"}], "data": {"k": "v"}, "set": ["x"]}
        })
    }

    #[test]
    fn the_last_writer_of_a_shared_field_is_named() {
        assert_eq!(manager_of(&object(), &Path::of_fields(["spec", "ttl"])), Some("later"));
    }

    #[test]
    fn elements_are_found_by_key_place_and_value() {
        let mut by_key = Path::of_fields(["spec", "c"]);
        by_key.push(Segment::Element { key: "name", value: "a".into() });
        by_key.push(Segment::Field("image".into()));
        assert_eq!(manager_of(&object(), &by_key), Some("creator"));
        let mut by_place = Path::of_fields(["spec", "set"]);
        by_place.push(Segment::Index(0));
        assert_eq!(manager_of(&object(), &by_place), Some("later"));
    }

    #[test]
    fn what_is_owned_as_a_whole_is_owned_below() {
        assert_eq!(manager_of(&object(), &Path::of_fields(["spec", "data", "k"])), Some("creator"));
    }

    #[test]
    fn nobody_owns_what_is_not_there() {
        assert_eq!(manager_of(&object(), &Path::of_fields(["spec", "other"])), None);
    }
}
