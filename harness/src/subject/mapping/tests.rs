//! What variables settings become, and which settings become none.

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::subject::Implementation;
use crate::yaml::{Source, decode, parse_documents};

const NAMES: &str = "\
values: {limit: 10000}
namespaces: {path: watch.namespaces, environment: [SPEC_NAMESPACES, SPEC_ALSO]}
environment: {ttl: SPEC_TTL, own.image: SPEC_IMAGE, tags: SPEC_TAGS, map: SPEC_MAP, elect: SPEC_ELECT}
flags: {enabled: SPEC_ENABLED}
images: {image: SPEC_IMAGE}
releaseNamespace: [SPEC_POD_NAMESPACE]
replicas: {path: replicas, several: {SPEC_ELECT: \"true\"}}
variables: env.vars
entries: env.extra
chartOnly: [split]
";

fn node(text: &str) -> Node {
    parse_documents(&Source::new("scenario.yaml", text)).unwrap().remove(0)
}

fn mapping(settings: &str) -> Mapping {
    let file = format!(
        "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {{name: n}}\nspec:\n  \
         install: {{command: {{run: [x]}}}}\n  settings: {settings}\n  \
         health: {{ready: {{port: 8080, path: /readyz}}}}\n"
    );
    let implementation = Implementation::parse(&Source::new("i.yaml", file)).unwrap();
    Mapping::new(&decode(&node(NAMES)).unwrap(), &implementation.settings)
}

/// The variables of values, without those that a release always has.
fn variables(mapping: &Mapping, values: &Value) -> BTreeMap<String, String> {
    let mut found = mapping.environment(values, "home");
    for always in ["SPEC_NAMESPACES", "SPEC_ALSO", "SPEC_POD_NAMESPACE"] {
        assert_eq!(found.remove(always).as_deref(), Some("home"), "{always}");
    }
    found
}

#[rstest]
#[case::integer(json!({"ttl": 120}), &[("SPEC_TTL", "120")])]
#[case::large_float(json!({"ttl": 2.592e6}), &[("SPEC_TTL", "2592000")])]
#[case::zero(json!({"ttl": 0}), &[("SPEC_TTL", "0")])]
#[case::text(json!({"ttl": "3d"}), &[("SPEC_TTL", "3d")])]
#[case::blank_is_unset(json!({"ttl": "  "}), &[])]
#[case::null_is_unset(json!({"ttl": null}), &[])]
#[case::boolean(json!({"ttl": false}), &[("SPEC_TTL", "false")])]
#[case::flag(json!({"enabled": false}), &[("SPEC_ENABLED", "0")])]
#[case::list(json!({"tags": ["a", "b"]}), &[("SPEC_TAGS", r#"["a","b"]"#)])]
#[case::empty_list(json!({"tags": []}), &[])]
#[case::map(json!({"map": {"a.b/c": 1}}), &[("SPEC_MAP", r#"{"a.b/c":1}"#)])]
#[case::image(json!({"image": {"repository": "r", "tag": "v1"}}), &[("SPEC_IMAGE", "r:v1")])]
#[case::digest(json!({"image": {"repository": "r", "tag": "", "digest": "sha256:0"}}), &[("SPEC_IMAGE", "r@sha256:0")])]
#[case::no_repository(json!({"image": {"repository": "", "tag": "v1"}}), &[])]
#[case::key_beats_image(json!({"image": {"repository": "r"}, "own": {"image": "o"}}), &[("SPEC_IMAGE", "o")])]
#[case::blank_key_beats_nothing(json!({"image": {"repository": "r"}, "own": {"image": " "}}), &[("SPEC_IMAGE", "r")])]
#[case::variable_beats_key(json!({"ttl": 1, "env": {"vars": {"SPEC_TTL": "2"}}}), &[("SPEC_TTL", "2")])]
#[case::blank_variable_beats_nothing(json!({"ttl": 1, "env": {"vars": {"SPEC_TTL": " "}}}), &[("SPEC_TTL", "1")])]
#[case::entry_may_be_blank(json!({"ttl": 1, "env": {"extra": [{"name": "SPEC_TTL", "value": " "}]}}), &[("SPEC_TTL", " ")])]
#[case::several_replicas(json!({"replicas": 2}), &[("SPEC_ELECT", "true")])]
#[case::one_replica(json!({"replicas": 1}), &[])]
#[case::key_beats_several(json!({"replicas": 2, "elect": false}), &[("SPEC_ELECT", "false")])]
fn a_setting_is_written_as_a_chart_would(#[case] values: Value, #[case] expected: &[(&str, &str)]) {
    let expected = expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    assert_eq!(variables(&mapping("{}"), &values), expected);
}

#[test]
fn namespaces_are_joined_and_none_are_the_release_s_own() {
    let mapping = mapping("{}");
    let named = mapping.environment(&json!({"watch": {"namespaces": ["a", "b"]}}), "home");
    assert_eq!((named["SPEC_NAMESPACES"].as_str(), named["SPEC_POD_NAMESPACE"].as_str()), ("a,b", "home"));
    assert_eq!(mapping.environment(&json!({}), "home")["SPEC_ALSO"], "home");
    assert_eq!(mapping.namespaces(), Some("watch.namespaces"));
}

#[test]
fn an_implementation_says_only_what_differs() {
    let own = "{environment: {ttl: MY_TTL, image: MY_IMAGE, watch.namespaces: MY_WATCH, env.vars.SPEC_X: MY_X}, \
                environmentPrefix: {from: SPEC_, to: OTHER_}, lists: comma}";
    let values = json!({
        "ttl": 5, "tags": ["a", "b"], "image": {"repository": "r"}, "own": {"image": "o"},
        "watch": {"namespaces": ["a"]}, "env": {"vars": {"SPEC_X": "x", "SPEC_Y": "y", "PORT": "1"}},
    });
    let found = mapping(own).environment(&values, "home");
    let expected = [
        ("MY_IMAGE", "r"),
        ("MY_TTL", "5"),
        ("MY_WATCH", "a"),
        ("MY_X", "x"),
        ("OTHER_IMAGE", "o"),
        ("OTHER_POD_NAMESPACE", "home"),
        ("OTHER_TAGS", "a,b"),
        ("OTHER_Y", "y"),
        ("PORT", "1"),
    ];
    assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
}

#[rstest]
#[case::known("ttl: 1\nimage: {repository: r, pullPolicy: x}\nreplicas: 2\nmap: {a: {b: 1}}", &[])]
#[case::nothing_of_known("own: null\nenv: {}\n", &[])]
#[case::unknown("limit: 5", &[("limit", MisfitReason::Unknown, 1)])]
#[case::unknown_below("ttl: 1\nown:\n  size: 3\n", &[("own.size", MisfitReason::Unknown, 3)])]
#[case::unsupported("tags: [a]", &[("tags", MisfitReason::Unsupported, 1)])]
#[case::all_below_unsupported("watch: {namespaces: [a]}", &[("watch", MisfitReason::Unsupported, 1)])]
#[case::unsupported_variable("env:\n  vars: {SPEC_ANY: a, SPEC_NOT: b}\n", &[("env.vars.SPEC_NOT", MisfitReason::Unsupported, 2)])]
#[case::for_charts("split: true", &[("split", MisfitReason::ChartOnly, 1)])]
#[case::from_elsewhere("env: {extra: [{name: A, valueFrom: {}}]}", &[("env.extra", MisfitReason::ChartOnly, 1)])]
fn what_nobody_named_is_found_where_it_stands(
    #[case] given: &str,
    #[case] expected: &[(&str, MisfitReason, usize)],
) {
    let misfits = mapping("{unsupported: [tags, watch, env.vars.SPEC_NOT]}").misfits(&node(given));
    let found: Vec<_> = misfits
        .iter()
        .map(|misfit| (misfit.key.as_str(), misfit.reason, misfit.location.span.line))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_prefix_renames_what_scenarios_name_in_a_chart_s_values() {
    let mapping = mapping("{environmentPrefix: {from: SPEC_, to: OTHER_}}");
    let mut values = json!({"ttl": 1, "env": {"vars": {"SPEC_A": "1", "PORT": "2"}}});
    mapping.rename_variables(&mut values);
    assert_eq!(values, json!({"ttl": 1, "env": {"vars": {"OTHER_A": "1", "PORT": "2"}}}));
}
