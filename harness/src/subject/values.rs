//! Chart values as data: merging maps and setting a key by its path.
//!
//! This is what `helm -f a -f b` does, done before helm so that one file holds the values of an install.
//! Not for reading a chart's own defaults, which only helm knows.

use serde_json::{Map, Value};

use super::context::ReleaseSpec;
use super::implementation::Implementation;

/// Merges `over` into `base`: maps key by key, everything else replaces what was there.
///
/// A `null` in `over` replaces too and stays in the result, because helm reads it as "without the
/// chart's default", which is a case of its own beside empty and blank.
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(key) {
                    Some(slot) => merge(slot, value),
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// A document that holds `value` under a dotted key path such as `controller.namespaces`.
pub fn at_path(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, key| Value::Object(Map::from_iter([(key.to_owned(), inner)])))
}

/// The values of one release; later ones win: the suite's base values where there is no chart, the
/// implementation's own, those for shared installs, the namespaces to watch, the release's own.
///
/// The release's own come last so that a scenario about the namespace setting can say what it wants.
pub fn for_release(implementation: &Implementation, release: &ReleaseSpec) -> Value {
    let mapping = &implementation.mapping;
    let mut values = match implementation.install.chart() {
        Some(_) => Value::Object(Map::new()),
        None => mapping.base(),
    };
    merge(&mut values, &Value::Object(implementation.install.values().clone()));
    if let Some(setting) = implementation.settings.namespaces.as_ref().filter(|_| release.shared) {
        merge(&mut values, &Value::Object(setting.shared_values.clone()));
    }
    if let Some(path) = mapping.namespaces().filter(|_| !release.watched.is_empty()) {
        merge(&mut values, &at_path(path, release.watched.clone().into()));
    }
    if !release.values.is_null() {
        merge(&mut values, &release.values);
    }
    if implementation.install.chart().is_some() {
        mapping.rename_variables(&mut values);
    }
    values
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::maps_merge(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"c": 3}}), json!({"a": {"b": 1, "c": 3}}))]
    #[case::lists_replace(json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]}))]
    #[case::null_stays(json!({"a": {"b": 1}}), json!({"a": {"b": null}}), json!({"a": {"b": null}}))]
    #[case::empty_map_keeps_the_rest(json!({"a": {"b": 1}}), json!({"a": {}}), json!({"a": {"b": 1}}))]
    #[case::blank_is_a_value(json!({"a": "x"}), json!({"a": " "}), json!({"a": " "}))]
    #[case::map_replaces_scalar(json!({"a": 1}), json!({"a": {"b": 2}}), json!({"a": {"b": 2}}))]
    #[case::null_base(json!({"a": null}), json!({"a": {"b": 2}}), json!({"a": {"b": 2}}))]
    fn later_values_win_key_by_key(#[case] mut base: Value, #[case] over: Value, #[case] merged: Value) {
        merge(&mut base, &over);
        assert_eq!(base, merged);
    }

    #[test]
    fn a_path_becomes_nested_maps() {
        assert_eq!(at_path("a.b.c", json!([1])), json!({"a": {"b": {"c": [1]}}}));
        assert_eq!(at_path("a", json!(1)), json!({"a": 1}));
    }

    #[rstest]
    #[case::single(false, &["n1"], json!({}), json!({"x": 1, "c": {"ns": ["n1"]}}))]
    #[case::shared(true, &["n1", "n2"], json!({}), json!({"x": 1, "rbac": {"all": true}, "c": {"ns": ["n1", "n2"]}}))]
    #[case::own_values_win(true, &["n1"], json!({"x": 2, "c": {"ns": ["*"]}}), json!({"x": 2, "rbac": {"all": true}, "c": {"ns": ["*"]}}))]
    #[case::nothing_to_watch(false, &[], Value::Null, json!({"x": 1}))]
    fn a_release_gets_base_shared_namespaces_and_own_values(
        #[case] shared: bool,
        #[case] watched: &[&str],
        #[case] own: Value,
        #[case] expected: Value,
    ) {
        let implementation = Implementation::parse(&crate::yaml::Source::new(
            "i.yaml",
            "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {name: n}\nspec:\n  install: {chart: {path: c, release: r, values: {x: 1}}}\n  settings: {namespaces: {path: c.ns, sharedValues: {rbac: {all: true}}}}\n  health: {ready: {port: 8080, path: /readyz}}\n",
        ))
        .unwrap();
        let release = ReleaseSpec {
            namespace: "n1".to_owned(),
            watched: watched.iter().map(|&name| name.to_owned()).collect(),
            values: own,
            shared,
            upgraded: false,
        };
        assert_eq!(for_release(&implementation, &release), expected);
    }
}
