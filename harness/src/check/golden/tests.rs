//! What golden files compare, and what they do not.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::yaml::{Location, Node, Source};

fn job(spec: &Value, template: &Value) -> Value {
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec});
    job["spec"]["template"] = template.clone();
    job
}

fn written() -> Value {
    job(
        &json!({"backoffLimit": 0, "ttlSecondsAfterFinished": 30}),
        &json!({"spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "runner",
            "containers": [{"name": "main", "image": "r/i:1", "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}],
            "volumes": [{"name": "c", "configMap": {"name": "c"}}]
        }}),
    )
}

/// The same Job as the API server of Kubernetes 1.35 returns it.
fn stored() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": "j", "uid": "u-1", "resourceVersion": "12", "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "m"}],
            "labels": {"controller-uid": "u-1", "batch.kubernetes.io/controller-uid": "u-1", "job-name": "j", "batch.kubernetes.io/job-name": "j"}
        },
        "spec": {
            "backoffLimit": 0, "ttlSecondsAfterFinished": 30, "completionMode": "NonIndexed", "completions": 1,
            "parallelism": 1, "suspend": false, "manualSelector": false, "podReplacementPolicy": "TerminatingOrFailed",
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}},
            "template": {
                "metadata": {"creationTimestamp": null, "labels": {"controller-uid": "u-1", "job-name": "j", "batch.kubernetes.io/controller-uid": "u-1", "batch.kubernetes.io/job-name": "j"}},
                "spec": {
                    "restartPolicy": "Never", "serviceAccountName": "runner", "serviceAccount": "runner",
                    "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30, "securityContext": {},
                    "containers": [{"name": "main", "image": "r/i:1", "imagePullPolicy": "IfNotPresent", "resources": {},
                        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                        "env": [{"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}]}],
                    "volumes": [{"name": "c", "configMap": {"name": "c", "defaultMode": 420}}]
                }
            }
        },
        "status": {"active": 1}
    })
}

#[test]
fn what_the_api_server_adds_is_no_difference() {
    let comparison = compare(&written(), &stored());
    assert_eq!(comparison.differences, [], "{}", comparison.diff.hunks);
}

#[rstest]
#[case::completions("/spec/completions", json!(2), "spec.completions")]
#[case::suspended("/spec/suspend", json!(true), "spec.suspend")]
#[case::grace_period("/spec/template/spec/terminationGracePeriodSeconds", json!(31), "spec.template.spec.terminationGracePeriodSeconds")]
#[case::pull_policy("/spec/template/spec/containers/0/imagePullPolicy", json!("Always"), "spec.template.spec.containers[name=main].imagePullPolicy")]
#[case::mode("/spec/template/spec/volumes/0/configMap/defaultMode", json!(256), "spec.template.spec.volumes[name=c].configMap.defaultMode")]
#[case::service_account("/spec/template/spec/serviceAccount", json!("other"), "spec.template.spec.serviceAccount")]
#[case::owner("/metadata/ownerReferences", json!([{"uid": "x"}]), "metadata.ownerReferences")]
#[case::label("/metadata/labels/mine", json!("x"), "metadata.labels")]
#[case::backoff("/spec/backoffLimit", json!(6), "spec.backoffLimit")]
fn what_is_no_default_is_a_difference(#[case] pointer: &str, #[case] value: Value, #[case] path: &str) {
    let mut actual = stored();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    actual.pointer_mut(parent).unwrap()[field] = value;
    let comparison = compare(&written(), &actual);
    let paths: Vec<String> =
        comparison.differences.iter().map(|difference| difference.path.to_string()).collect();
    assert_eq!(paths, [path]);
    assert!(comparison.diff.hunks.contains("+++ actual"));
    let whole = &comparison.diff.whole;
    assert_eq!(whole.matches("@@").count(), 2, "one hunk holds all: {whole}");
    assert!(whole.contains(" apiVersion: batch/v1\n") && whole.contains(" kind: Job\n"), "{whole}");
    assert!(!equal(&normalize(&written()), &actual));
}

#[rstest]
#[case("r/i", "Always")]
#[case("r:5000/i", "Always")]
#[case("r:5000/i:latest", "Always")]
#[case("i:1", "IfNotPresent")]
#[case("i@sha256:0", "IfNotPresent")]
fn the_default_pull_policy_follows_the_image(#[case] image: &str, #[case] policy: &str) {
    assert_eq!(super::defaults::pull_policy(image), policy);
}

#[test]
fn json_in_data_is_compared_as_text() {
    let golden = json!({"kind": "ConfigMap", "data": {"run.json": "{\"a\":1}"}});
    let actual = json!({"kind": "ConfigMap", "data": {"run.json": "{\"a\": 1}"}});
    assert_eq!(compare(&golden, &actual).differences.len(), 1);
}

#[test]
fn the_order_of_elements_is_a_difference() {
    let golden = json!({"spec": {"c": [{"name": "a"}, {"name": "b"}]}});
    let actual = json!({"spec": {"c": [{"name": "b"}, {"name": "a"}]}});
    let comparison = compare(&golden, &actual);
    assert_eq!(comparison.differences[0].actual, "in the order b, a");
}

#[test]
fn a_generated_selector_is_kept_if_it_was_written_by_hand() {
    let manual =
        job(&json!({"manualSelector": true, "selector": {"matchLabels": {"job-name": "x"}}}), &json!({}));
    assert_eq!(normalize(&manual)["spec"]["selector"]["matchLabels"]["job-name"], "x");
}

fn parse(text: &str) -> Node {
    let source = Source::new("golden.yaml", text);
    crate::yaml::parse_documents(&source).unwrap().remove(0)
}

#[test]
fn blessing_keeps_templates_that_still_hold_and_comments() {
    let existing = parse(
        "# The Job of a plain run.\n# Second line.\nmetadata:\n  name: ${{ case.a }}\nspec:\n  x: ${{ case.b }}\n",
    );
    let actual = json!({"metadata": {"name": "j"}, "spec": {"x": 2, "owner": "id u-1!", "ns": "space"}});
    let expand = |node: &Node| match node.as_str() {
        Some("${{ case.a }}") => Some(json!("j")),
        Some("${{ case.b }}") => Some(json!(1)),
        _ => None,
    };
    let substitutions = [
        ("u-1".to_owned(), "objects.run.metadata.uid".to_owned()),
        ("space".to_owned(), "${{ namespace }}".to_owned()),
    ];
    let text = bless(&actual, Some(&existing), &expand, &substitutions);
    let blessed = parse(&text);
    assert!(text.starts_with("# The Job of a plain run.\n# Second line.\n"), "{text}");
    assert_eq!(
        blessed.to_json(),
        json!({"metadata": {"name": "${{ case.a }}"}, "spec": {"ns": "${{ namespace }}", "owner": "id ${{ objects.run.metadata.uid }}!", "x": 2}})
    );
}

#[test]
fn substitutions_never_look_into_each_other() {
    let substitutions = [("run".to_owned(), "a.run".to_owned()), ("objects".to_owned(), "b".to_owned())];
    let text = bless(&json!({"v": "objects/run"}), None, &|_| None, &substitutions);
    assert_eq!(parse(&text).to_json(), json!({"v": "${{ b }}/${{ a.run }}"}));
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~]{0,12}"
            .prop_filter("templates are expanded", |text| !text.contains("${{"))
            .prop_map(Value::from),
        Just(json!(null)),
    ];
    let names = prop_oneof![
        "[a-z]{1,4}",
        Just("metadata".to_owned()),
        Just("spec".to_owned()),
        Just("labels".to_owned()),
        Just("template".to_owned()),
        Just("suspend".to_owned()),
        Just("resources".to_owned()),
        Just("uid".to_owned())
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::btree_map(names.clone(), inner.clone(), 0..4)
                .prop_map(|map| map.into_iter().collect()),
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
        ]
    })
}

fn jobs() -> impl Strategy<Value = Value> {
    (tree(), tree()).prop_map(|(metadata, spec)| json!({"kind": "Job", "metadata": metadata, "spec": spec}))
}

proptest! {
    #[test]
    fn normalizing_is_idempotent(object in jobs()) {
        let once = normalize(&object);
        prop_assert_eq!(normalize(&once), once);
    }

    #[test]
    fn a_golden_blessed_from_an_object_equals_it(object in jobs()) {
        let text = bless(&object, None, &|_| None, &[]);
        let golden = parse(&text).to_json();
        prop_assert_eq!(compare(&golden, &object).differences, Vec::new());
    }
}

#[test]
fn places_in_golden_files_need_no_source() {
    let source = Source::new("g.yaml", "");
    let node = Node::from_json(&json!({"a": 1}), &Location::start_of(&source));
    assert_eq!(bless(&json!({"a": 2}), Some(&node), &|_| None, &[]), "a: 2\n");
}
