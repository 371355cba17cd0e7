//! What is written is what the schema says, from which `docs/record.md` is made.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::event::Verdict;
use crate::record::{Change, End, ObjectVersion, Request};
use crate::report::fixture;
use crate::scenario::assertion::BoundObject;

/// Every kind of observation.
fn observations() -> Vec<Observation> {
    let text = |text: &str| text.to_owned();
    let object = Arc::new(json!({"metadata": {"name": "n"}}));
    vec![
        Observation::CaseStarted { namespace: text("ns") },
        Observation::Bound {
            alias: text("run"),
            object: BoundObject {
                api_version: text("v1"),
                kind: text("Run"),
                namespace: text("ns"),
                name: text("n"),
                uid: text("u"),
                latest: Arc::clone(&object),
            },
        },
        Observation::Written { uid: text("u"), resource_version: 7, restored: true },
        Observation::Rendered { alias: text("chart"), objects: Arc::new(vec![json!({})]) },
        Observation::Object(ObjectVersion {
            change: Change::Added,
            api_version: text("v1"),
            kind: text("Run"),
            namespace: text("ns"),
            name: text("n"),
            uid: text("u"),
            resource_version: 7,
            object,
        }),
        Observation::Request(Request { id: text("1"), request: Arc::new(json!({"verb": "get"})) }),
        Observation::RequestMark,
        Observation::Answer { question: text("/readyz"), status: 200, body: text("ok") },
        Observation::StepStarted {
            index: 0,
            summary: text("fence"),
            assertion: false,
            digest: String::new(),
        },
        Observation::StepFinished { index: 0, ok: true, judged: None },
        Observation::StepFinished { index: 1, ok: true, judged: Some(4) },
        Observation::Log { line: "text".into() },
        Observation::Subject { what: text("started"), unexpected: false },
        Observation::Fault { what: text("cut") },
        Observation::Write { number: 1, request: text("create jobs"), status: None },
        Observation::FaultsOver { writes: 1 },
        Observation::Gap { kind: text("v1/Run"), reason: text("410") },
        Observation::CaseFinished { end: End::Passed, by_claims: true },
        Observation::CaseFinished {
            end: End::Failed { claim: text("c"), object: text("o"), reason: text("r") },
            by_claims: true,
        },
        Observation::CaseFinished { end: End::Inconclusive { reason: text("r") }, by_claims: false },
    ]
}

fn written() -> Vec<Value> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("events.ndjson");
    let run =
        fixture::Run::of([fixture::passed(), fixture::failed(), fixture::inconclusive(), fixture::skipped()]);
    let (info, results) = run.told();
    let writer = RecordWriter::create(&path, &info).expect("file");
    let record = Record::new(CaseId { scenario: "s".to_owned(), case: "c".to_owned() }, writer.clone());
    for observation in observations() {
        record.append(observation);
    }
    for result in &results {
        writer.result(result);
    }
    assert!(results.iter().any(|result| matches!(result.verdict, Verdict::Skipped { .. })));
    writer.finish(RunEnd { elapsed: Duration::from_secs(1), interrupted: false }).expect("written");
    let text = std::fs::read_to_string(&path).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Keys that the schema does not know, anywhere but in objects of a cluster.
fn strict(schema: &mut Value) {
    if let Value::Object(keywords) = schema {
        if keywords.contains_key("properties") {
            keywords.insert("additionalProperties".to_owned(), false.into());
        }
        keywords.values_mut().for_each(strict);
    } else if let Value::Array(parts) = schema {
        parts.iter_mut().for_each(strict);
    }
}

#[test]
fn every_line_of_a_record_is_described_with_all_of_its_keys() {
    let mut schema = record_schema();
    strict(&mut schema);
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for line in written() {
        let errors: Vec<_> = validator.iter_errors(&line).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    }
    assert!(!validator.is_valid(&json!({"end": {"elapsed": {"secs": 1, "nanos": 0}}})));
}

#[test]
fn every_observation_of_the_schema_was_written_here() {
    let schema = record_schema();
    let alternatives = schema["$defs"]["Observation"]["oneOf"].as_array().expect("alternatives");
    let described = alternatives.iter().map(|alternative| {
        let word = alternative["const"].as_str();
        word.or_else(|| alternative["required"][0].as_str()).expect("a key").to_owned()
    });
    let written = observations().into_iter().map(|observation| {
        let value = serde_json::to_value(observation).expect("JSON");
        value.as_str().map_or_else(
            || value.as_object().expect("a mapping").keys().next().cloned(),
            |it| Some(it.to_owned()),
        )
    });
    let written: BTreeSet<String> = written.map(|name| name.expect("a key")).collect();
    assert_eq!(described.collect::<BTreeSet<_>>(), written);
}
