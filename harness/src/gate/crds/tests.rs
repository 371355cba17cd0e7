use rstest::rstest;

use super::compare;
use crate::yaml::{Node, Source, parse_documents};

const CRD: &str = "\
kind: CustomResourceDefinition
metadata: {name: runs.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Run, plural: runs, singular: run, listKind: RunList, shortNames: [r]}
  versions:
  - name: v1
    served: true
    storage: true
    selectableFields: [{jsonPath: .spec.image}]
    subresources: {status: {}, scale: {specReplicasPath: .spec.n, statusReplicasPath: .status.n}}
    additionalPrinterColumns: [{name: Phase, type: string, jsonPath: .status.phase}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              image: {type: string, maxLength: 100}
  - name: v1alpha1
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object}}
";

fn parse(path: &str, text: &str) -> Vec<Node> {
    parse_documents(&Source::new(path, text)).expect("parses")
}

fn found(new: &str) -> Vec<(&'static str, String)> {
    let found = compare(&parse("old.yaml", CRD), &parse("new.yaml", new));
    found.into_iter().map(|finding| (finding.rule.id, finding.subject)).collect()
}

#[rstest]
#[case::scope("scope: Namespaced", "scope: Cluster", "CRD-SCOPE-CHANGED", "")]
#[case::kind("kind: Run,", "kind: Runner,", "CRD-NAMES-CHANGED", "")]
#[case::short_names("shortNames: [r]", "shortNames: [rr]", "CRD-SHORT-NAMES-CHANGED", "")]
#[case::group("runs.example.org", "runs.example.com", "CRD-GROUP-CHANGED", "")]
#[case::not_served(
    "served: true\n    storage: true",
    "served: false\n    storage: true",
    "CRD-VERSION-NOT-SERVED",
    "v1"
)]
#[case::deprecated(
    "- name: v1alpha1\n",
    "- name: v1alpha1\n    deprecated: true\n",
    "CRD-VERSION-DEPRECATED",
    "v1alpha1"
)]
#[case::status("status: {}, ", "", "CRD-SUBRESOURCE-REMOVED", "v1")]
#[case::scale(".spec.n", ".spec.m", "CRD-SUBRESOURCE-REMOVED", "v1")]
#[case::selectable("[{jsonPath: .spec.image}]", "[]", "CRD-SELECTABLE-FIELD-REMOVED", "v1")]
#[case::columns("name: Phase", "name: State", "CRD-COLUMNS-CHANGED", "v1")]
#[case::field(
    "image: {type: string, maxLength: 100}",
    "picture: {type: string}",
    "CRD-FIELD-REMOVED",
    "v1 spec.image"
)]
#[case::bound("maxLength: 100", "maxLength: 99", "CRD-BOUND-NARROWED", "v1 spec.image")]
#[case::required(
    "spec:\n            type: object\n",
    "spec:\n            required: [image]\n            type: object\n",
    "CRD-NEWLY-REQUIRED",
    "v1 spec.image"
)]
fn a_change_has_its_rule_and_its_subject(
    #[case] old: &str,
    #[case] new: &str,
    #[case] id: &str,
    #[case] subject: &str,
) {
    assert!(CRD.contains(old), "the case changes something");
    let subject = format!("runs.example.org {subject}");
    let found = found(&CRD.replace(old, new));
    assert_eq!(found[0], (id, subject.trim_end().to_owned()), "{found:?}");
}

#[test]
fn a_version_that_is_gone_and_one_that_is_new() {
    assert_eq!(
        found(&CRD.replace("v1alpha1", "v1beta1")),
        [
            ("CRD-VERSION-REMOVED", "runs.example.org v1alpha1".to_owned()),
            ("CRD-VERSION-ADDED", "runs.example.org v1beta1".to_owned())
        ]
    );
}

#[test]
fn a_definition_that_is_gone_and_one_that_is_new() {
    let ids = |old: &[Node], new: &[Node]| -> Vec<&str> {
        compare(old, new).iter().map(|finding| finding.rule.id).collect()
    };
    let crd = parse("old.yaml", CRD);
    assert_eq!(ids(&crd, &[]), ["CRD-REMOVED"]);
    assert_eq!(ids(&[], &crd), ["CRD-ADDED"]);
}

#[rstest]
#[case::schemas_differ(false, "None", "CRD-STORAGE-CHANGED")]
#[case::a_webhook_converts(false, "Webhook", "CRD-STORAGE-MIGRATES")]
#[case::schemas_are_equal(true, "None", "CRD-STORAGE-MIGRATES")]
fn the_stored_version_may_change_where_objects_are_converted(
    #[case] equal: bool,
    #[case] strategy: &str,
    #[case] id: &str,
) {
    let mut old = CRD.to_owned();
    if equal {
        let (before, schema) = old.split_once("    schema:\n").expect("a schema");
        let schema = schema.split("  - name: v1alpha1").next().unwrap_or_default();
        old = format!(
            "{before}    schema:\n{schema}  - name: v1alpha1\n    served: true\n    storage: false\n    schema:\n{schema}"
        );
    }
    let new = old
        .replace("storage: true", "storage: no-longer")
        .replace("storage: false", "storage: true")
        .replace("no-longer", "false")
        .replace("  scope:", &format!("  conversion: {{strategy: {strategy}}}\n  scope:"));
    let found = compare(&parse("old.yaml", &old), &parse("new.yaml", &new));
    let ids: Vec<&str> = found.iter().map(|finding| finding.rule.id).collect();
    assert!(ids.contains(&id), "{ids:?}");
}

#[test]
fn order_and_formatting_are_no_change() {
    let parsed = parse("old.yaml", CRD);
    let text = crate::yaml::to_yaml(&sorted(&parsed[0].to_json()));
    assert_eq!(compare(&parsed, &parse("new.yaml", &text)), []);
}

/// The same value with its keys and its versions the other way round.
fn sorted(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            map.iter().rev().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        serde_json::Value::Array(items) => items.iter().rev().map(sorted).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_finding_points_at_the_line() {
    let found =
        compare(&parse("old.yaml", CRD), &parse("new.yaml", &CRD.replace("maxLength: 100", "maxLength: 9")));
    let line = CRD.lines().position(|line| line.contains("maxLength")).expect("a line") + 1;
    assert_eq!(found[0].place, format!("new.yaml:{line}"));
    assert_eq!(found[0].what, "maxLength 100 became 9");
}
