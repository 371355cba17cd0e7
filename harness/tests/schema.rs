//! The JSON Schema for editors agrees with what the harness reads.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::path::{Path, PathBuf};

use hallmark::scenario::schema::{scenario_schema, settings_schema};
use hallmark::scenario::suite::Suite;
use hallmark::subject::implementation::json_schema;
use hallmark::yaml::{Source, parse_documents};
use jsonschema::Validator;
use rstest::rstest;
use serde_json::Value;

fn validator() -> Validator {
    jsonschema::validator_for(&scenario_schema()).unwrap()
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

#[test]
fn every_implementation_file_and_the_names_of_settings_satisfy_their_schemas() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let implementation = jsonschema::validator_for(&json_schema()).unwrap();
    for file in ["controller/implementation.yaml", "controller/command-implementation.yaml"] {
        let document = documents(&root.join(file)).remove(0);
        assert_eq!(refusals(&implementation, &document), Vec::<String>::new(), "{file}");
    }
    let settings = jsonschema::validator_for(&settings_schema()).unwrap();
    let document = documents(&root.join("scenarios/settings.yaml")).remove(0);
    assert_eq!(refusals(&settings, &document), Vec::<String>::new());
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
