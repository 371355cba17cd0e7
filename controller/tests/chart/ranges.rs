//! `values.schema.json` takes what `values.yaml` documents: the defaults, their types, and numbers up to the bounds.
//!
//! The schema is written by hand; it says more than defaults can, such as patterns and what lists hold. These tests
//! hold the rest against `values.yaml`.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::values;

fn validator() -> Validator {
    jsonschema::validator_for(&crate::schema::schema()).unwrap()
}

/// The default values with another one for a key.
fn with(key: &str, value: &Value) -> Value {
    let mut data = values::data();
    *data.pointer_mut(&format!("/{}", key.replace('.', "/"))).unwrap() = value.clone();
    data
}

/// Whether a default is a whole number.
fn is_number(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

#[test]
fn the_defaults_are_accepted() {
    let errors: Vec<_> = validator()
        .iter_errors(&values::data())
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Keys that take a number and something else.
const OF_TWO_TYPES: [&str; 2] = ["podDisruptionBudget.maxUnavailable", "podDisruptionBudget.minAvailable"];

#[test]
fn a_key_takes_the_type_of_its_default_and_no_other() {
    let validator = validator();
    let samples = [json!(true), json!(1), json!(1.5), json!("no such word"), json!(["a"]), json!({"a": "b"})];
    let same_type = |left: &Value, right: &Value| {
        std::mem::discriminant(left) == std::mem::discriminant(right) && left.is_f64() == right.is_f64()
    };
    let mut judged = 0;
    for row in values::rows() {
        if row.default.is_null() || OF_TWO_TYPES.contains(&row.key.as_str()) {
            continue;
        }
        for sample in samples.iter().filter(|sample| !same_type(sample, &row.default)) {
            assert!(!validator.is_valid(&with(&row.key, sample)), "`{}` takes {sample}", row.key);
        }
        judged += 1;
    }
    assert!(judged > 100, "only {judged} keys were judged");
}

/// The bounds that a key has, by what `values.yaml` says of it.
fn documented(row: &values::Row) -> (i64, i64) {
    let (key, meaning) = (row.key.as_str(), row.meaning.as_str());
    let least = match meaning {
        _ if meaning.contains("0 to 50") => return (0, 50),
        _ if key.ends_with("port") || key.ends_with("Port") => return (1, 65_535),
        _ => i64::from(
            !NONE_ALLOWED.contains(&key)
                && !["0 means", "0 keeps", "0 sets"].iter().any(|it| meaning.contains(it)),
        ),
    };
    // Kubernetes counts pods with 32 bits; larger numbers of others would lose digits as JSON.
    let of_pods = ["plicaCount", "Replicas", "UtilizationPercentage"].iter().any(|it| key.ends_with(it));
    (least, if of_pods { i64::from(i32::MAX) } else { 9_007_199_254_740_991 })
}

/// Keys of times and sizes that may be nothing at all.
const NONE_ALLOWED: [&str; 6] = [
    "controller.jobMissingGraceSeconds",
    "controller.logRetentionSeconds",
    "controller.restoreHold.retentionGraceSeconds",
    "controller.webhook.queueSize",
    "controller.webhook.retry.baseDelaySeconds",
    "controller.webhook.retry.maxDelaySeconds",
];

#[test]
fn a_number_is_taken_up_to_its_bounds_and_refused_just_outside() {
    let validator = validator();
    let mut judged = 0;
    for row in values::rows().iter().filter(|row| is_number(&row.default)) {
        let (least, most) = documented(row);
        for (number, expected) in [(least, true), (least - 1, false), (most, true), (most + 1, false)] {
            let data = with(&row.key, &number.into());
            assert_eq!(validator.is_valid(&data), expected, "`{}`: {number}", row.key);
        }
        judged += 1;
    }
    assert!(judged > 30, "only {judged} numbers were judged");
}
