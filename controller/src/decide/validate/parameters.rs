//! Parameters: strings, not too many and not too long.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::status::reason;
use super::Refusal;

/// Most parameters a run may have.
const ENTRIES: usize = 100;
/// Longest value, in bytes.
const VALUE_BYTES: usize = 2048;

/// The parameters as texts, if there are not too many and none is too long.
pub fn check(given: Option<&BTreeMap<String, Value>>) -> Result<BTreeMap<String, String>, Refusal> {
    let count = given.map_or(0, BTreeMap::len);
    if count > ENTRIES {
        let message = format!("{count} parameters are given, {ENTRIES} are allowed");
        return Err(Refusal::invalid(reason::PARAMETERS_TOO_LARGE, message));
    }
    given.into_iter().flatten().map(|(key, value)| Ok((key.clone(), text(key, value)?.to_owned()))).collect()
}

fn text<'a>(key: &str, value: &'a Value) -> Result<&'a str, Refusal> {
    let Value::String(text) = value else {
        let message = format!("parameter {key:?} is {value}, not a string");
        return Err(Refusal::invalid(reason::PARAMETER_NOT_STRING, message));
    };
    if text.len() > VALUE_BYTES {
        let message = format!("parameter {key:?} has {} bytes, {VALUE_BYTES} are allowed", text.len());
        return Err(Refusal::invalid(reason::PARAMETER_VALUE_TOO_LARGE, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"a": "b"}), None)]
    #[case(json!({"a": 1}), Some(reason::PARAMETER_NOT_STRING))]
    #[case(json!({"a": "x".repeat(2048)}), None)]
    #[case(json!({"a": "x".repeat(2049)}), Some(reason::PARAMETER_VALUE_TOO_LARGE))]
    fn values_are_strings_of_bounded_size(#[case] given: Value, #[case] expected: Option<&str>) {
        let given = serde_json::from_value(given).unwrap();
        assert_eq!(check(Some(&given)).err().map(|refusal| refusal.reason), expected);
    }
}
