//! From a live object to what another cluster can be given, and how two of them differ.
//!
//! Kept are name, namespace, labels, annotations and finalizers, `spec`, `status` and whatever else stands
//! at the top. Everything the server sets is left out, and owners outside the archive, whose uids mean
//! nothing elsewhere: a create with a stale owner uid makes the garbage collector remove the object.

use serde_json::{Map, Value};

use super::defects::Defect;
use super::kind::{Kind, Role};

/// The annotation in which `kubectl apply` keeps the whole object a second time.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The field of the status that a restore rewrites, for the manifest.
pub(super) const REWRITTEN: &str = "status.observedGeneration";

/// Whom an ownerReference names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    /// Group without version; empty for the core group.
    pub(super) group: String,
    /// Kind.
    pub(super) kind: String,
    /// Name.
    pub(super) name: String,
}

impl Owner {
    /// The owner that an entry of `ownerReferences` names.
    pub(super) fn of(reference: &Value) -> Self {
        let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let api_version = text("apiVersion");
        let group = api_version.rsplit_once('/').map(|(group, _version)| group.to_owned());
        Self { group: group.unwrap_or_default(), kind: text("kind"), name: text("name") }
    }
}

/// How objects are stripped.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Strip {
    /// Also leaves out kubectl's annotation with the object as it was applied.
    pub(super) last_applied: bool,
}

impl Strip {
    /// The portable form of a live object. `keep` tells which of its ownerReferences stay, without uid.
    pub(super) fn apply(self, kind: &Kind, live: &Value, keep: impl Fn(&Value) -> bool) -> Value {
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), kind.api_version().into());
        object.insert("kind".to_owned(), kind.kind.clone().into());
        object.insert("metadata".to_owned(), self.metadata(live, keep).into());
        for (key, value) in live.as_object().into_iter().flatten() {
            let wanted = match (key.as_str(), kind.role) {
                ("apiVersion" | "kind" | "metadata", _)
                | (_, Role::Namespace)
                | ("status", Role::Definition) => false,
                ("status", _) => !is_empty(value) && !Defect::StatusLeftOut.is_planted(),
                _ => true,
            };
            if wanted {
                object.insert(key.clone(), value.clone());
            }
        }
        Value::Object(object)
    }

    fn metadata(self, live: &Value, keep: impl Fn(&Value) -> bool) -> Map<String, Value> {
        let mut metadata = Map::new();
        let live = live.get("metadata").unwrap_or(&Value::Null);
        for field in ["name", "namespace", "labels", "annotations", "finalizers"] {
            let lost = match field {
                "labels" => Defect::LabelsLost.is_planted(),
                "annotations" => Defect::AnnotationsLeftOut.is_planted(),
                "finalizers" => Defect::FinalizersLeftOut.is_planted(),
                _ => false,
            };
            if let Some(value) = live.get(field).filter(|_| !lost) {
                metadata.insert(field.to_owned(), value.clone());
            }
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations")
            && self.last_applied
        {
            annotations.shift_remove(LAST_APPLIED);
        }
        let owners = live.get("ownerReferences").and_then(Value::as_array).into_iter().flatten();
        let owners: Vec<Value> = owners
            .filter(|owner| keep(owner))
            .cloned()
            .map(|mut owner| {
                if let Value::Object(owner) = &mut owner {
                    owner.shift_remove("uid");
                }
                owner
            })
            .collect();
        metadata.insert("ownerReferences".to_owned(), owners.into());
        metadata.retain(|_field, value| !is_empty(value));
        metadata
    }
}

/// Null, `{}` or `[]`: the API server stores all of them as absent.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The object as the content digest sees it: without the fields that a restore rewrites.
pub(super) fn without_rewritten(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        status.shift_remove("observedGeneration");
    }
    object
}

/// The status that a restored object gets.
///
/// A controller that had seen the old generation has seen the new one, which holds the same spec. Any other
/// observedGeneration stays as it is.
pub(super) fn status_for(status: &Value, old_generation: Option<i64>, new_generation: Option<i64>) -> Value {
    let mut status = status.clone();
    if let (Some(old), Some(new)) = (old_generation, new_generation)
        && let Some(observed) = status.get_mut("observedGeneration")
        && observed.as_i64() == Some(old)
    {
        *observed = new.into();
    }
    status
}

/// The paths at which two values differ, outermost first, at most `limit` of them.
pub(super) fn differences(one: &Value, other: &Value, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    walk(one, other, &mut String::new(), limit, &mut found);
    found
}

fn walk(one: &Value, other: &Value, path: &mut String, limit: usize, found: &mut Vec<String>) {
    if one == other || found.len() >= limit {
        return;
    }
    let (Value::Object(left), Value::Object(right)) = (one, other) else {
        found.push(path.clone());
        return;
    };
    let only_right = right.keys().filter(|key| !left.contains_key(*key));
    for key in left.keys().chain(only_right) {
        let length = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        let absent = &Value::Null;
        walk(left.get(key).unwrap_or(absent), right.get(key).unwrap_or(absent), path, limit, found);
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn run() -> Kind {
        Kind { status: true, ..Kind::built_in("example.dev", "Run", "runs", Role::Run) }
    }

    fn live() -> Value {
        json!({
            "apiVersion": "example.dev/v1", "kind": "Run",
            "metadata": {
                "name": "a", "namespace": "n", "generateName": "a-", "uid": "u1", "resourceVersion": "7",
                "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z", "selfLink": "/x",
                "managedFields": [{}], "deletionGracePeriodSeconds": 0,
                "labels": {"l": "1"}, "annotations": {LAST_APPLIED: "{}", "x": "y"}, "finalizers": ["f/g"],
                "ownerReferences": [
                    {"apiVersion": "example.dev/v1", "kind": "Agent", "name": "kept", "uid": "u2"},
                    {"apiVersion": "v1", "kind": "Node", "name": "elsewhere", "uid": "u3"},
                ],
            },
            "spec": {"a": 1}, "status": {"phase": "Running", "observedGeneration": 3},
        })
    }

    #[test]
    fn what_a_server_sets_is_left_out_and_the_rest_kept() {
        let portable =
            Strip::default().apply(&run(), &live(), |owner| Owner::of(owner).group == "example.dev");
        assert_eq!(
            portable,
            json!({
                "apiVersion": "example.dev/v1", "kind": "Run",
                "metadata": {
                    "name": "a", "namespace": "n", "labels": {"l": "1"},
                    "annotations": {LAST_APPLIED: "{}", "x": "y"}, "finalizers": ["f/g"],
                    "ownerReferences": [{"apiVersion": "example.dev/v1", "kind": "Agent", "name": "kept"}],
                },
                "spec": {"a": 1}, "status": {"phase": "Running", "observedGeneration": 3},
            })
        );
    }

    #[test]
    fn the_applied_configuration_goes_on_request_only() {
        let portable = Strip { last_applied: true }.apply(&run(), &live(), |_owner| false);
        assert_eq!(portable.pointer("/metadata/annotations"), Some(&json!({"x": "y"})));
    }

    #[test]
    fn absent_and_empty_are_the_same() {
        let empty = json!({"metadata": {"name": "a", "labels": {}, "finalizers": []}, "status": {}});
        let absent = json!({"metadata": {"name": "a"}});
        let strip = |object: &Value| Strip::default().apply(&run(), object, |_owner| false);
        assert_eq!(strip(&empty), strip(&absent));
    }

    #[test]
    fn of_a_namespace_only_metadata_is_kept() {
        let live = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
        let portable = Strip::default().apply(&Kind::namespace(), &live, |_owner| false);
        assert_eq!(portable, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}));
    }

    #[rstest]
    #[case::current(7, 1)]
    #[case::stale(5, 5)]
    fn only_a_current_observed_generation_is_rewritten(#[case] observed: i64, #[case] expected: i64) {
        let status = json!({"phase": "Running", "observedGeneration": observed});
        let restored = status_for(&status, Some(7), Some(1));
        assert_eq!(restored, json!({"phase": "Running", "observedGeneration": expected}));
    }

    #[test]
    fn differences_name_the_outermost_paths_that_differ() {
        let one = json!({"spec": {"a": 1, "b": [1]}, "gone": 1});
        let other = json!({"spec": {"a": 1, "b": [2]}, "new": 1});
        assert_eq!(differences(&one, &other, 9), ["spec.b", "gone", "new"]);
        assert_eq!(differences(&one, &other, 1).len(), 1);
        assert_eq!(differences(&one, &one, 9), Vec::<String>::new());
    }
}
