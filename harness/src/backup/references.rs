//! What an object needs from Secrets and `ConfigMap`s, found by the naming habits of Kubernetes APIs.
//!
//! No schema says which string is the name of a Secret. These spellings are understood at any depth of
//! `spec`: an object under a key that ends in `secretRef`, `secretKeyRef`, `configMapRef` or `configMapKeyRef`
//! in any case, an object with `kind: Secret` or `kind: ConfigMap` and a name, the strings `secretName` and
//! `configMapName`, and lists named `secrets` or `imagePullSecrets`. A `key` beside the name is a required key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Names and the keys that are needed of each.
pub(super) type Needed = BTreeMap<String, BTreeSet<String>>;

/// What one object refers to in its namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    /// Secrets.
    pub(super) secrets: Needed,
    /// `ConfigMap`s.
    pub(super) config_maps: Needed,
}

/// What the spec of an object refers to.
pub(super) fn of(object: &Value) -> References {
    let mut found = References::default();
    if let Some(spec) = object.get("spec") {
        walk(spec, &mut found);
    }
    found
}

fn walk(value: &Value, found: &mut References) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Object(fields) => {
            match fields.get("kind").and_then(Value::as_str) {
                Some("Secret") => add(&mut found.secrets, value),
                Some("ConfigMap") => add(&mut found.config_maps, value),
                _ => {}
            }
            for (key, field) in fields {
                let lower = key.to_ascii_lowercase();
                let ends = |suffixes: [&str; 2]| suffixes.iter().any(|suffix| lower.ends_with(suffix));
                match field {
                    Value::Object(_) if ends(["secretref", "secretkeyref"]) => {
                        add(&mut found.secrets, field);
                    }
                    Value::Object(_) if ends(["configmapref", "configmapkeyref"]) => {
                        add(&mut found.config_maps, field);
                    }
                    Value::String(name) if lower == "secretname" => insert(&mut found.secrets, name, None),
                    Value::String(name) if lower == "configmapname" => {
                        insert(&mut found.config_maps, name, None);
                    }
                    Value::Array(items) if lower == "secrets" || lower == "imagepullsecrets" => {
                        for item in items {
                            match item {
                                Value::String(name) => insert(&mut found.secrets, name, None),
                                other => add(&mut found.secrets, other),
                            }
                        }
                    }
                    _ => {}
                }
                walk(field, found);
            }
        }
        _ => {}
    }
}

/// Adds `{name, key}`, unless the reference says that it may be missing or is in another namespace.
fn add(needed: &mut Needed, reference: &Value) {
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    let optional = reference.get("optional") == Some(&Value::Bool(true));
    if let Some(name) = text("name")
        && !optional
        && text("namespace").is_none()
    {
        insert(needed, name, text("key"));
    }
}

fn insert(needed: &mut Needed, name: &str, key: Option<&str>) {
    let blank = |text: &str| text.trim().is_empty();
    if !blank(name) {
        let keys = needed.entry(name.to_owned()).or_default();
        keys.extend(key.filter(|key| !blank(key)).map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Needed, of};

    fn names(needed: &Needed) -> Vec<String> {
        let keys =
            |keys: &std::collections::BTreeSet<String>| keys.iter().cloned().collect::<Vec<_>>().join("+");
        needed.iter().map(|(name, wanted)| format!("{name}:{}", keys(wanted))).collect()
    }

    #[test]
    fn every_spelling_of_a_reference_is_found_with_its_keys() {
        let found = of(&json!({"spec": {
            "connection": {"secretRef": {"name": "memory", "key": "url"}},
            "env": [{"valueFrom": {"secretKeyRef": {"name": "memory", "key": "user"}}}],
            "systemPromptRef": {"kind": "Secret", "name": "prompt", "key": "text"},
            "other": {"kind": "ConfigMap", "name": "texts", "key": "a"},
            "secrets": ["plain", " "],
            "imagePullSecrets": [{"name": "registry"}],
            "volumes": [{"secretName": "volume"}, {"configMapName": "files"}],
        }}));
        assert_eq!(
            names(&found.secrets),
            ["memory:url+user", "plain:", "prompt:text", "registry:", "volume:"]
        );
        assert_eq!(names(&found.config_maps), ["files:", "texts:a"]);
    }

    #[test]
    fn what_may_be_missing_or_is_no_name_is_not_required() {
        let found = of(&json!({"spec": {
            "secretRef": {"name": "maybe", "optional": true},
            "tokenSecretRef": {"name": ""},
            "agentRef": {"name": "agent"},
            "parameters": {"secret": "text"},
        }, "status": {"secretRef": {"name": "seen"}}}));
        assert_eq!(names(&found.secrets), Vec::<String>::new());
    }
}
