use rstest::rstest;
use serde_json::{Value, json};

use super::compare;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "n", "labels": {"helm.sh/chart": "a-1"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"annotations": {"checksum/config": "1"}}, "spec": {"containers": [
                {"name": "main", "image": "x/y:1", "env": [{"name": "A", "value": "1"}], "args": ["-v"]},
                {"name": "side", "image": "x/z:1"},
            ]}},
        },
    })
}

fn service() -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "n"},
        "spec": {"ports": [{"name": "http", "port": 80}, {"name": "metrics", "port": 90}]}})
}

fn found(old: &[Value], new: &[Value]) -> Vec<String> {
    let mut found: Vec<String> = compare(old, new, "values.yaml")
        .into_iter()
        .map(|finding| format!("{} {}", finding.rule.id, finding.subject))
        .collect();
    found.sort();
    found
}

fn changed(pointer: &str, value: Value) -> Vec<String> {
    let mut new = deployment();
    *new.pointer_mut(pointer).expect("it is there") = value;
    found(&[deployment()], &[new])
}

#[rstest]
#[case::image("/spec/template/spec/containers/0/image", json!("q/y:1"), "IMAGE-CHANGED main")]
#[case::tag("/spec/template/spec/containers/0/image", json!("x/y:2"), "IMAGE-TAG-CHANGED main")]
#[case::variable("/spec/template/spec/containers/0/env", json!([]), "ENV-DROPPED main A")]
#[case::selector("/spec/selector", json!({"matchLabels": {"app": "b"}}), "OBJECT-IMMUTABLE-CHANGED Deployment a spec.selector")]
#[case::container("/spec/template/spec/containers/1/name", json!("main2"), "OBJECT-CONTAINER-REMOVED side")]
#[case::replicas("/spec/replicas", json!(2), "OBJECT-CHANGED Deployment a spec.replicas")]
#[case::arguments("/spec/template/spec/containers/0/args", json!(["-q"]), "OBJECT-CHANGED Deployment a spec.template.spec.containers[main].args")]
fn a_field_with_a_rule_of_its_own_is_told_by_that_alone(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: &str,
) {
    let mut found = changed(pointer, value);
    // The other name that the container has.
    found.retain(|finding| finding != "OBJECT-CHANGED main2");
    assert_eq!(found, [expected]);
}

#[rstest]
#[case::label_of_the_chart("/metadata/labels", json!({"helm.sh/chart": "a-2"}))]
#[case::checksum("/spec/template/metadata/annotations", json!({"checksum/config": "2"}))]
#[case::order_of_containers("/spec/template/spec/containers", json!([
    {"name": "side", "image": "x/z:1"},
    {"args": ["-v"], "name": "main", "image": "x/y:1", "env": [{"name": "A", "value": "1"}]},
]))]
#[case::version_of_the_api("/apiVersion", json!("apps/v2"))]
fn what_every_version_changes_is_no_change(#[case] pointer: &str, #[case] value: Value) {
    assert_eq!(changed(pointer, value), [""; 0]);
}

#[test]
fn objects_come_and_go() {
    assert_eq!(found(&[deployment(), service()], &[deployment()]), ["OBJECT-REMOVED Service a"]);
    assert_eq!(found(&[deployment()], &[service(), deployment()]), ["OBJECT-ADDED Service a"]);
}

#[test]
fn a_port_that_is_gone_is_told_by_its_name() {
    let mut new = service();
    new["spec"]["ports"] = json!([{"name": "http", "port": 80}]);
    let found = compare(&[service()], &[new], "values.yaml");
    let port = found.iter().find(|finding| finding.rule.id == "OBJECT-PORT-REMOVED").expect("told");
    assert_eq!(port.mentions, ["metrics"]);
    assert!(port.renderings.contains("values.yaml"));
}
