//! Putting values into a manifest by path.

use crate::diagnostic::Diagnostic;
use crate::yaml::{Entry, Located, Location, Node, Value};

/// Puts every `path: value` of `assignments` into `object`; `{$absent: true}` removes the path.
///
/// A path is a row of keys separated by dots; a key that holds dots stands in brackets and quotes:
/// `metadata.annotations["example.com/mark"]`.
pub(super) fn set_all(object: &mut Node, assignments: &Node, problems: &mut Vec<Diagnostic>) {
    let Some(entries) = assignments.as_map() else {
        problems.push(Diagnostic::new(
            assignments.location.clone(),
            format!("expected paths and values, found {}", assignments.kind()),
        ));
        return;
    };
    for entry in entries {
        match split_path(&entry.key) {
            Some(keys) => set(object, &keys, entry),
            None => problems.push(no_path(&entry.key, &entry.key_location)),
        }
    }
}

/// Puts a text into `object` at a path.
pub(super) fn set_text(
    object: &mut Node,
    path: &Located<String>,
    text: &str,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(keys) = split_path(path) else {
        problems.push(no_path(path, &path.location));
        return;
    };
    let location = path.location.clone();
    let value = Node { value: Value::String(text.to_owned()), location: location.clone() };
    set(object, &keys, &Entry { key: path.value.clone(), key_location: location, value });
}

fn no_path(text: &str, at: &Location) -> Diagnostic {
    Diagnostic::new(at.clone(), format!("`{text}` is no path"))
        .with_help("write `spec.parameters.name` or `metadata.labels[\"example.com/x\"]`")
}

fn set(node: &mut Node, keys: &[String], assignment: &Entry) {
    let Some((key, rest)) = keys.split_first() else { return };
    let removes = is_absent(&assignment.value);
    if !matches!(node.value, Value::Map(_)) {
        if removes {
            return;
        }
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    let place = entries.iter().position(|entry| entry.key == *key);
    if rest.is_empty() {
        if let Some(place) = place {
            entries.remove(place);
        }
        if !removes {
            entries.push(Entry {
                key: key.clone(),
                key_location: assignment.key_location.clone(),
                value: assignment.value.clone(),
            });
        }
        return;
    }
    let place = match place {
        Some(place) => place,
        None if removes => return,
        None => {
            entries.push(Entry {
                key: key.clone(),
                key_location: assignment.key_location.clone(),
                value: Node { value: Value::Map(Vec::new()), location: assignment.value.location.clone() },
            });
            entries.len() - 1
        }
    };
    if let Some(entry) = entries.get_mut(place) {
        set(&mut entry.value, rest, assignment);
    }
}

fn is_absent(value: &Node) -> bool {
    value.as_map().is_some_and(|entries| {
        matches!(entries, [entry] if entry.key == "$absent" && entry.value.value == Value::Bool(true))
    })
}

/// The keys of a path, or nothing if it is none.
pub(super) fn split_path(path: &str) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut rest = path;
    loop {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (key, after) = quoted.split_once("\"]")?;
            keys.push(key.to_owned());
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            if key.is_empty() {
                return None;
            }
            keys.push(key.to_owned());
            rest = after;
        }
        if rest.is_empty() {
            return Some(keys);
        }
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
        } else if !rest.starts_with("[\"") {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse_documents};

    fn node(text: &str) -> Node {
        parse_documents(&Source::new("t.yaml", text)).expect("YAML").remove(0)
    }

    #[test]
    fn values_are_set_made_and_removed_by_path() {
        let mut object = node("metadata: {name: a}\nspec: {x: 1, y: {z: 2}}\n");
        let assignments = node(
            "spec.x: 5\nspec.y.z: {$absent: true}\nspec.new.deep: [1]\nmetadata.labels[\"a.b/c\"]: v\nspec.none.x: {$absent: true}\n",
        );
        let mut problems = Vec::new();
        set_all(&mut object, &assignments, &mut problems);
        assert!(problems.is_empty());
        assert_eq!(
            object.to_json(),
            serde_json::json!({
                "metadata": {"name": "a", "labels": {"a.b/c": "v"}},
                "spec": {"x": 5, "y": {}, "new": {"deep": [1]}},
            })
        );
    }

    #[test]
    fn a_broken_path_is_found() {
        let mut problems = Vec::new();
        set_all(&mut node("a: 1"), &node("'a..b': 1\n'a[0]': 2\n"), &mut problems);
        assert_eq!(problems.len(), 2);
    }
}
