//! A run that takes longer than it may: it ends by itself, says what it did not do, and leaves nothing.

use std::fs;
use std::process::Command;

use hallmark::yaml::{Source, parse_documents};
use serde_json::{Value, json};

const FILES: [(&str, &str); 5] = [
    (
        "suite.yaml",
        "apiVersion: hallmark.dev/v1alpha1
kind: Suite
metadata: {name: slow}
spec: {requirements: requirements.yaml}
",
    ),
    (
        "requirements.yaml",
        "apiVersion: hallmark.dev/v1alpha1
kind: Requirements
requirements:
  - {id: MET-01, statement: The settings are there., level: MUST, feature: core, source: D}
  - {id: OPEN-01, statement: Somebody adds a key to the settings., level: SHOULD, feature: core, source: D}
",
    ),
    ("settings.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}"),
    (
        "quick.yaml",
        "apiVersion: hallmark.dev/v1alpha1
kind: Scenario
metadata: {name: quick}
spec:
  requirements: [MET-01]
  summary: What decides about conformance is met at once. Its turn comes first because it might take the longest.
  timeout: 600s
  given: {subject: none, objects: [settings.yaml]}
  steps:
    - eventually: {object: settings, matches: {metadata: {name: settings}}, within: 510s}
",
    ),
    (
        "slow.yaml",
        "apiVersion: hallmark.dev/v1alpha1
kind: Scenario
metadata: {name: slow}
spec:
  requirements: [OPEN-01]
  summary: Nobody adds the key, and the time of the claim is long.
  timeout: 600s
  given: {subject: none, objects: [settings.yaml]}
  cases: [{name: first}, {name: second}]
  steps:
    - eventually: {object: settings, matches: {data: {added: later}}, within: 500s}
",
    ),
];

#[test]
fn what_has_no_verdict_at_the_deadline_is_inconclusive_and_everything_is_cleaned_up() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["suite", "tmp"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    for (name, text) in FILES {
        fs::write(folder.path().join("suite").join(name), text).unwrap();
    }
    let hallmark = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
        command.args(arguments).current_dir(folder.path()).env("TMPDIR", folder.path().join("tmp"));
        command.output().unwrap()
    };
    // What is built once per machine is not to meet the deadline.
    assert!(hallmark(&["cluster", "binaries"]).status.success());
    let arguments = ["run", "suite", "--cluster", "local", "--jobs", "1", "--deadline", "40s"];
    let output = hallmark(&[&arguments[..], &["--report-dir", "reports"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    let text = fs::read_to_string(folder.path().join("reports/report.yaml")).unwrap();
    let report = parse_documents(&Source::new("report.yaml", text)).unwrap()[0].to_json();
    assert_eq!((&report["result"], &report["interrupted"]), (&json!("inconclusive"), &json!(true)));
    let cases: Vec<(&Value, &Value)> =
        report["cases"].as_array().unwrap().iter().map(|case| (&case["name"], &case["reason"])).collect();
    let expected = [
        (&json!("quick"), &Value::Null),
        (&json!("slow/first"), &json!("cut short: deadline of 40s passed")),
        (&json!("slow/second"), &json!("not run: deadline of 40s passed")),
    ];
    assert_eq!(cases, expected, "{said}");
    let left: Vec<_> = fs::read_dir(folder.path().join("tmp")).unwrap().map(Result::unwrap).collect();
    assert!(left.is_empty(), "{left:?}");
}
