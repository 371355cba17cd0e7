//! The JSON Schemas for editors agree with what the harness reads and writes, and the documents with them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests, too")]

mod init;
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hallmark::record::record_schema;
use hallmark::report::cases_schema;
use hallmark::scenario::schema::{catalogue_schema, scenario_schema, settings_schema, suite_schema};
use hallmark::scenario::suite::Suite;
use hallmark::subject::implementation::json_schema;
use hallmark::yaml::{Source, parse_documents};
use jsonschema::Validator;
use rstest::rstest;
use serde_json::Value;

/// All schemas, by the words that `hallmark schema` knows them by.
fn schemas() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("scenario", scenario_schema()),
        ("suite", suite_schema()),
        ("catalogue", catalogue_schema()),
        ("settings", settings_schema()),
        ("implementation", json_schema()),
        ("record", record_schema()),
        ("cases", cases_schema()),
    ])
}

/// Visits the definitions of a schema with their names; it is one of them itself, by its title.
fn each_definition<'a>(schema: &'a Value, mut visit: impl FnMut(&'a str, &'a Value)) {
    visit(schema["title"].as_str().unwrap(), schema);
    for (name, definition) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
        visit(name, definition);
    }
}

fn validator_of(schema: &str) -> Validator {
    jsonschema::validator_for(&schemas()[schema]).unwrap()
}

fn validator() -> Validator {
    validator_of("scenario")
}

/// Visits each property in a schema that has no description, with its name.
fn undescribed(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(keywords) => {
            let properties = keywords.get("properties").and_then(Value::as_object).into_iter().flatten();
            found.extend(
                properties
                    .filter(|(_, schema)| schema.get("description").is_none())
                    .map(|(name, _)| name.clone()),
            );
            keywords.values().for_each(|part| undescribed(part, found));
        }
        Value::Array(parts) => parts.iter().for_each(|part| undescribed(part, found)),
        _ => {}
    }
}

/// What the schema refuses of an instance, with the places.
fn refusals(validator: &Validator, instance: &Value) -> Vec<String> {
    validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    parse_documents(&Source::new(path, text)).unwrap().iter().map(hallmark::yaml::Node::to_json).collect()
}

/// The files of the suite's scenarios, each once.
fn scenario_files() -> Vec<PathBuf> {
    let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).unwrap();
    let mut files: Vec<PathBuf> = suite.cases().iter().map(|case| case.file.clone()).collect();
    files.dedup();
    files
}

#[test]
fn every_scenario_of_the_suite_satisfies_the_schema() {
    let validator = validator();
    let files = scenario_files();
    assert!(files.len() > 1);
    let refused: Vec<String> = files
        .iter()
        .flat_map(|file| documents(file).into_iter().map(move |document| (file, document)))
        .flat_map(|(file, document)| {
            refusals(&validator, &document).into_iter().map(move |text| format!("{}{text}", file.display()))
        })
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[rstest]
#[case::misspelled_step("/spec/steps/0", r#"{"rendr": {}}"#)]
#[case::unknown_field_of_a_step("/spec/steps/0", r#"{"render": {"valeus": {}}}"#)]
#[case::step_of_two_actions("/spec/steps/0", r#"{"render": {}, "fence": {}}"#)]
#[case::word_that_is_no_step("/spec/steps/0", r#""restrat""#)]
#[case::wrong_type("/spec/expect/0", r#"{"exactly": {"job": {}, "count": "several"}}"#)]
#[case::word_that_is_no_expression(
    "/spec/steps/0",
    r#"{"finish": {"job": {"of": "run"}, "outcome": "case.outcome"}}"#
)]
#[case::unknown_subject("/spec/given/subject", r#""shred""#)]
fn a_mistake_is_refused(#[case] place: &str, #[case] mistake: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites/planted/claim-that-holds.yaml");
    let mut document = documents(&path).remove(0);
    let validator = validator();
    assert_eq!(refusals(&validator, &document), Vec::<String>::new());
    *document.pointer_mut(place).unwrap() = serde_json::from_str(mistake).unwrap();
    assert_ne!(refusals(&validator, &document), Vec::<String>::new());
}

#[rstest]
#[case("suite", "scenarios/suite.yaml")]
#[case("suite", "scenarios/kubernetes-jobs/suite.yaml")]
#[case("catalogue", "scenarios/requirements.yaml")]
#[case("catalogue", "scenarios/kubernetes-jobs/requirements.yaml")]
#[case("settings", "scenarios/settings.yaml")]
#[case("implementation", "controller/implementation.yaml")]
#[case("implementation", "controller/command-implementation.yaml")]
fn every_other_document_satisfies_its_schema(#[case] schema: &str, #[case] file: &str) {
    let document = documents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).remove(0);
    assert_eq!(refusals(&validator_of(schema), &document), Vec::<String>::new());
}

#[test]
fn every_property_of_every_schema_is_described() {
    for (name, mut schema) in schemas() {
        // The fields of a duration say enough: seconds and nanoseconds.
        schema.pointer_mut("/$defs").and_then(Value::as_object_mut).map(|all| all.remove("Duration"));
        let mut found = Vec::new();
        undescribed(&schema, &mut found);
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

#[rstest]
#[case::no_way_to_install("/spec/install", r"{}")]
#[case::two_ways_to_install("/spec/install", r#"{"command": {"run": ["a"]}, "manifests": {"files": ["a"]}}"#)]
#[case::unknown_way("/spec/install", r#"{"operator": {}}"#)]
#[case::misspelled("/spec/install/command/accuont", r#""me""#)]
fn a_mistake_in_an_implementation_file_is_refused(#[case] place: &str, #[case] mistake: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/command-implementation.yaml");
    let mut document = documents(&path).remove(0);
    let (parent, key) = place.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[key] = serde_json::from_str(mistake).unwrap();
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    assert_ne!(refusals(&validator, &document), Vec::<String>::new());
}
