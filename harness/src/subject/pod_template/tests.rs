//! Tables for the way from a container to a process.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn container(mut fields: Value) -> Container {
    fields["name"] = json!("main");
    serde_json::from_value(fields).unwrap()
}

fn pod() -> PodIdentity {
    PodIdentity {
        name: "agents-0".to_owned(),
        namespace: "team".to_owned(),
        uid: "u-1".to_owned(),
        labels: BTreeMap::from([("app".to_owned(), "agents".to_owned())]),
        annotations: BTreeMap::from([("note/a.b".to_owned(), "text".to_owned())]),
        service_account: "agents-sa".to_owned(),
        ip: "127.0.0.1".to_owned(),
        node: "node".to_owned(),
    }
}

fn sources() -> Sources {
    let texts = |name: &str, pairs: &[(&str, &str)]| {
        let content = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        (name.to_owned(), content)
    };
    Sources {
        config_maps: BTreeMap::from([texts("settings", &[("A", "cm-a"), ("B", "cm-b")])]),
        secrets: BTreeMap::from([texts("token", &[("A", "secret-a"), ("key", "s3cret")])]),
    }
}

/// The environment of `fields` without the variable that every container has.
fn environment_of(fields: Value) -> Result<Value, TemplateError> {
    let mut environment = process(&container(fields), &pod(), &sources())?.environment;
    assert_eq!(environment.remove("HOSTNAME").as_deref(), Some("agents-0"));
    Ok(json!(environment))
}

#[rstest]
#[case::value(json!({"env": [{"name": "X", "value": "1"}]}), json!({"X": "1"}))]
#[case::no_value_is_empty(json!({"env": [{"name": "X"}]}), json!({"X": ""}))]
#[case::later_env_wins(json!({"env": [{"name": "X", "value": "1"}, {"name": "X", "value": "2"}]}), json!({"X": "2"}))]
#[case::env_beats_env_from(
    json!({"envFrom": [{"configMapRef": {"name": "settings"}}], "env": [{"name": "A", "value": "own"}]}),
    json!({"A": "own", "B": "cm-b"})
)]
#[case::later_env_from_wins(
    json!({"envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "token"}}]}),
    json!({"A": "secret-a", "B": "cm-b", "key": "s3cret"})
)]
#[case::prefix(
    json!({"envFrom": [{"prefix": "P_", "configMapRef": {"name": "settings"}}]}),
    json!({"P_A": "cm-a", "P_B": "cm-b"})
)]
#[case::optional_env_from(json!({"envFrom": [{"secretRef": {"name": "none", "optional": true}}]}), json!({}))]
#[case::expansion_sees_what_stands_before(
    json!({"env": [{"name": "X", "value": "$(Y)"}, {"name": "Y", "value": "1"}, {"name": "Z", "value": "$(Y)-$(X)"}]}),
    json!({"X": "$(Y)", "Y": "1", "Z": "1-$(Y)"})
)]
#[case::expansion_sees_env_from(
    json!({"envFrom": [{"configMapRef": {"name": "settings"}}], "env": [{"name": "X", "value": "<$(A)>"}]}),
    json!({"A": "cm-a", "B": "cm-b", "X": "<cm-a>"})
)]
#[case::values_from_sources_are_not_expanded(
    json!({"env": [
        {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "A"}}},
        {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]}),
    json!({"X": "cm-a", "Y": "s3cret"})
)]
#[case::optional_object_leaves_the_variable_out(
    json!({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k", "optional": true}}}]}),
    json!({})
)]
#[case::optional_key_keeps_what_env_from_gave(
    json!({"envFrom": [{"configMapRef": {"name": "settings"}}],
           "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "token", "key": "k", "optional": true}}}]}),
    json!({"A": "cm-a", "B": "cm-b"})
)]
#[case::downward_api(
    json!({"env": [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "NS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "SA", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "M", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['none']"}}},
        {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['note/a.b']"}}}]}),
    json!({"NAME": "agents-0", "NS": "team", "UID": "u-1", "SA": "agents-sa", "IP": "127.0.0.1",
           "L": "agents", "M": "", "N": "text"})
)]
fn the_environment_is_what_the_kubelet_would_set(#[case] fields: Value, #[case] expected: Value) {
    assert_eq!(environment_of(fields).unwrap(), expected);
}

#[rstest]
#[case::object(
    json!({"valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}),
    "container `main` needs Secret `none`, which does not exist", true
)]
#[case::key(
    json!({"valueFrom": {"configMapKeyRef": {"name": "settings", "key": "k"}}}),
    "container `main` needs key `k` of ConfigMap `settings`, which does not have it", true
)]
#[case::resource(
    json!({"valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}),
    "container `main` takes variable `X` from `limits.cpu`, which needs a cluster with a node", false
)]
#[case::field(
    json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}),
    "container `main` takes variable `X` from `metadata.labels`, which needs a cluster with a node", false
)]
fn what_cannot_be_resolved_is_said(#[case] mut variable: Value, #[case] message: &str, #[case] fault: bool) {
    variable["name"] = json!("X");
    let error = environment_of(json!({"env": [variable]})).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.is_subject_fault(), fault);
}

#[rstest]
#[case("plain", "plain")]
#[case("$(A)", "1")]
#[case("a$(A)b$(B)c", "a1b2c")]
#[case("$$(A)", "$(A)")]
#[case("$$$(A)", "$1")]
#[case("$(NONE)", "$(NONE)")]
#[case("$(A", "$(A")]
#[case("$A$", "$A$")]
#[case("cost: 5$ $(A)", "cost: 5$ 1")]
#[case("$()", "$()")]
#[case("$(RECURSIVE)", "$(A)")]
fn references_expand_once(#[case] text: &str, #[case] expanded: &str) {
    let variables = [("A", "1"), ("B", "2"), ("RECURSIVE", "$(A)")];
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(expand(text, &variables), expanded);
}

#[rstest]
#[case::command_and_arguments(
    json!({"command": ["/run", "--name=$(X)"], "args": ["$(X)", "$(NONE)"], "env": [{"name": "X", "value": "1"}]}),
    "/run", &["--name=1", "1", "$(NONE)"]
)]
#[case::arguments_only(json!({"image": "host:5000/a/b:v1", "args": ["x"]}), "host:5000/a/b", &["x"])]
#[case::digest(json!({"image": "a/b:v1@sha256:00"}), "a/b", &[])]
#[case::no_tag(json!({"image": "host:5000/a/b"}), "host:5000/a/b", &[])]
fn the_command_line_is_command_then_arguments(
    #[case] fields: Value,
    #[case] program: &str,
    #[case] arguments: &[&str],
) {
    let process = process(&container(fields), &pod(), &sources()).unwrap();
    assert_eq!(
        (process.program.as_str(), process.arguments),
        (program, arguments.iter().map(|&a| a.to_owned()).collect())
    );
}

#[test]
fn every_object_that_is_referred_to_is_named() {
    let container = container(json!({
        "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}],
        "env": [
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "d", "key": "k"}}}]
    }));
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(
        references(&container),
        References { config_maps: names(&["a", "c"]), secrets: names(&["b", "d"]) }
    );
}
