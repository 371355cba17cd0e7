//! What `hallmark init` writes is described by the schemas beside it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{documents, each_definition, refusals, schemas, validator_of};

const TEMPLATE: &str = include_str!("../../src/cli/init/implementation.yaml");

fn hallmark(folder: &Path, arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_hallmark")).args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

/// The schema that an editor takes for a file, from its first line.
fn schema_of(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap();
    let first = text.lines().next().unwrap();
    let schema = first.strip_prefix("# yaml-language-server: $schema=").unwrap();
    serde_json::from_slice(&std::fs::read(file.parent().unwrap().join(schema)).unwrap()).unwrap()
}

#[test]
fn the_files_of_a_new_suite_name_their_schemas() {
    let folder = tempfile::tempdir().unwrap();
    hallmark(folder.path(), &["init", "mine"]);
    for (file, schema) in
        [("suite.yaml", "suite"), ("requirements.yaml", "catalogue"), ("a-job-makes-a-pod.yaml", "scenario")]
    {
        let file = folder.path().join("mine").join(file);
        assert_eq!(schema_of(&file), schemas()[schema], "{}", file.display());
        assert_eq!(refusals(&validator_of(schema), &documents(&file)[0]), Vec::<String>::new());
    }
}

/// The template, checked against a suite that names settings and one that names none.
#[test]
fn the_template_of_an_implementation_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    hallmark(folder.path(), &["init", "first"]);
    hallmark(folder.path(), &["init", "--implementation", "mine.yaml"]);
    let file = folder.path().join("mine.yaml");
    assert_eq!(schema_of(&file), schemas()["implementation"]);
    assert_eq!(refusals(&validator_of("implementation"), &documents(&file)[0]), Vec::<String>::new());
    let agents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for suite in [Path::new("first"), &agents] {
        let said =
            hallmark(folder.path(), &["lint", suite.to_str().unwrap(), "--implementation", "mine.yaml"]);
        assert!(said.contains("no problems in mine.yaml"), "{said}");
    }
}

/// The template without the marks of its examples, with one kind of install.
fn uncommented(kind: &str) -> Value {
    let line = |line: &str| match line.trim_start().strip_prefix('#') {
        Some(example) if !example.starts_with(' ') => line.replacen('#', "", 1),
        _ => line.to_owned(),
    };
    let text: Vec<_> = TEMPLATE.lines().map(line).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("implementation.yaml");
    std::fs::write(&file, text.join("\n")).unwrap();
    let mut document = documents(&file).remove(0);
    document["spec"]["install"].as_object_mut().unwrap().retain(|name, _| name == kind);
    document
}

#[test]
fn every_example_of_the_template_is_one() {
    for kind in ["command", "manifests", "chart"] {
        assert_eq!(
            refusals(&validator_of("implementation"), &uncommented(kind)),
            Vec::<String>::new(),
            "{kind}"
        );
    }
}

#[test]
fn the_template_shows_every_field() {
    let words: BTreeSet<&str> =
        TEMPLATE.split(|it: char| !it.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let schema = &schemas()["implementation"];
    let mut fields = BTreeSet::new();
    each_definition(schema, |_, definition| {
        let alternatives = definition.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        for part in alternatives.chain([definition]) {
            fields.extend(
                part.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name),
            );
        }
    });
    assert!(fields.len() > 30, "{fields:?}");
    let missing: Vec<_> = fields.iter().filter(|field| !words.contains(field.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
