//! What an object needs from Secrets and `ConfigMap`s, found by the naming habits of Kubernetes APIs.
//!
//! No schema says which string is the name of a Secret. These spellings are understood at any depth of
//! `spec`: an object under a key that ends in `secretRef`, `secretKeyRef`, `configMapRef` or `configMapKeyRef`
//! in any case or is `configMap`, an object with `kind: Secret` or `kind: ConfigMap` and a name, the strings
//! `secretName` and `configMapName`, lists named `secrets` or `imagePullSecrets`, and the `secret` of a source of
//! `projected`. A `key` beside the name is a required key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Names and the keys that are needed of each.
pub(super) type Needed = BTreeMap<String, BTreeSet<String>>;

/// What one object refers to in its namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    /// Secrets.
    pub(super) secrets: Needed,
    /// Secrets that only projected volumes name, which older archives do not list.
    pub(super) projected_secrets: Needed,
    /// `ConfigMap`s.
    pub(super) config_maps: Needed,
    /// Those that may be missing.
    pub(super) optional_config_maps: BTreeSet<String>,
}

impl References {
    /// Adds a `ConfigMap` of the own namespace.
    fn add_config_map(&mut self, reference: &Value, own: Option<&str>) {
        let namespace = reference.get("namespace").and_then(Value::as_str);
        let Some(name) = reference.get("name").and_then(Value::as_str) else { return };
        if namespace.is_some() && namespace != own {
            return;
        }
        if is_optional(reference) && !name.trim().is_empty() {
            self.optional_config_maps.insert(name.to_owned());
        } else {
            insert(&mut self.config_maps, name, reference.get("key").and_then(Value::as_str));
        }
    }
}

fn is_optional(reference: &Value) -> bool {
    reference.get("optional") == Some(&Value::Bool(true))
}

/// What the spec of an object refers to.
pub(super) fn of(object: &Value) -> References {
    let mut found = References::default();
    let own = object.pointer("/metadata/namespace").and_then(Value::as_str);
    if let Some(spec) = object.get("spec") {
        walk(spec, own, &mut found);
    }
    found
}

fn walk(value: &Value, own: Option<&str>, found: &mut References) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, own, found)),
        Value::Object(fields) => {
            match fields.get("kind").and_then(Value::as_str) {
                Some("Secret") => add(&mut found.secrets, value),
                Some("ConfigMap") => found.add_config_map(value, own),
                _ => {}
            }
            for (key, field) in fields {
                let lower = key.to_ascii_lowercase();
                let ends = |suffixes: [&str; 2]| suffixes.iter().any(|suffix| lower.ends_with(suffix));
                match field {
                    Value::Object(_) if ends(["secretref", "secretkeyref"]) => {
                        add(&mut found.secrets, field);
                    }
                    Value::Object(_) if ends(["configmapref", "configmapkeyref"]) || lower == "configmap" => {
                        found.add_config_map(field, own);
                    }
                    Value::Object(_) if lower == "projected" => {
                        let sources = field.get("sources").and_then(Value::as_array).into_iter().flatten();
                        let secrets = sources.filter_map(|source| source.get("secret"));
                        secrets.for_each(|secret| add(&mut found.projected_secrets, secret));
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
                walk(field, own, found);
            }
        }
        _ => {}
    }
}

/// Adds `{name, key}`, unless the reference says that it may be missing or is in another namespace.
fn add(needed: &mut Needed, reference: &Value) {
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    if let Some(name) = text("name")
        && !is_optional(reference)
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
    use rstest::rstest;
    use serde_json::{Value, json};

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

    #[rstest]
    #[case::volume(json!({"volumes": [{"name": "v", "configMap": {"name": "files"}}]}))]
    #[case::projected(json!({"projected": {"sources": [{"configMap": {"name": "files", "items": []}}]}}))]
    #[case::own_namespace(json!({"textRef": {"kind": "ConfigMap", "name": "files", "namespace": "team"}}))]
    fn a_config_map_is_found_as_pods_and_others_name_it(#[case] spec: Value) {
        let found = of(&json!({"metadata": {"namespace": "team"}, "spec": spec}));
        assert_eq!(names(&found.config_maps), ["files:"]);
    }

    #[test]
    fn a_config_map_that_may_be_missing_is_told_apart_and_one_elsewhere_is_none_of_ours() {
        let found = of(&json!({"metadata": {"namespace": "team"}, "spec": {
            "volumes": [{"configMap": {"name": "files", "optional": true}}],
            "envFrom": [{"configMapRef": {"name": "settings", "optional": true, "namespace": "team"}}],
            "textRef": {"kind": "ConfigMap", "name": "foreign", "namespace": "other"},
            "noteRef": {"kind": "ConfigMap", "name": "foreign", "namespace": "other", "optional": true},
        }}));
        assert_eq!(names(&found.config_maps), Vec::<String>::new());
        assert_eq!(found.optional_config_maps.into_iter().collect::<Vec<_>>(), ["files", "settings"]);
    }

    #[test]
    fn secrets_of_projected_volumes_are_told_apart() {
        let source = |name: &str, optional: bool| json!({"secret": {"name": name, "optional": optional}});
        let found = of(&json!({"spec": {
            "volumes": [{"projected": {"sources": [source("token", false), source("maybe", true)]}}],
            "secret": {"name": "no habit of anybody"},
        }}));
        assert_eq!(names(&found.secrets), Vec::<String>::new());
        assert_eq!(names(&found.projected_secrets), ["token:"]);
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
