//! Whether an `ImplementationSpec` can be used: it has a text, fits its limits, and its contract is sound.
//!
//! The schema has the same limits; they are checked again for objects that are older than it.

use std::collections::BTreeMap;

use crate::api::ImplementationSpec;

use super::super::contract;
use super::super::status::reason;
use super::super::text::non_blank;
use super::{Invalid, Verdict};

const TEXT: usize = 131_072;
const SUMMARY: usize = 256;
const DESCRIPTION: usize = 131_072;
const ACCEPTANCE_CRITERIA: usize = 50;
const REQUIRED_KEYS: usize = 50;
const MAPPINGS: usize = 100;
const MAPPED_KEY: usize = 256;

/// The verdict over an implementation.
pub fn check(implementation: &ImplementationSpec) -> Verdict {
    let spec = &implementation.spec;
    if non_blank(&spec.text).is_none() {
        return Err(Invalid::new(reason::MISSING_TEXT, "spec.text is blank"));
    }
    within(Some(&spec.text), TEXT, "spec.text", reason::TEXT_TOO_LARGE)?;
    within(spec.summary.as_ref(), SUMMARY, "spec.summary", reason::SUMMARY_TOO_LONG)?;
    within(spec.description.as_ref(), DESCRIPTION, "spec.description", reason::DESCRIPTION_TOO_LARGE)?;
    let criteria = spec.acceptance_criteria.as_ref().map_or(0, Vec::len);
    if criteria > ACCEPTANCE_CRITERIA {
        let message =
            format!("spec.acceptanceCriteria has {criteria} entries, more than {ACCEPTANCE_CRITERIA}");
        return Err(Invalid::new(reason::ACCEPTANCE_CRITERIA_TOO_LONG, message));
    }
    contract(implementation).map_err(|message| Invalid::new(reason::INVALID_CONTRACT, message))
}

fn contract(implementation: &ImplementationSpec) -> Result<(), String> {
    if let Some(contract) = &implementation.spec.contract {
        let keys = contract.required_keys.as_ref().map_or(0, Vec::len);
        let mappings = contract.mappings.as_deref().unwrap_or_default();
        if keys > REQUIRED_KEYS {
            return Err(format!("requiredKeys has {keys} entries, more than {REQUIRED_KEYS}"));
        }
        if mappings.len() > MAPPINGS {
            return Err(format!("mappings has {} entries, more than {MAPPINGS}", mappings.len()));
        }
        let mut sides = mappings.iter().flat_map(|mapping| [&mapping.from, &mapping.to]);
        if sides.any(|side| side.chars().count() > MAPPED_KEY) {
            return Err(format!("mappings has a key of more than {MAPPED_KEY} characters"));
        }
    }
    // Which keys are missing depends on a run; here only the contract itself matters.
    contract::check(&implementation.spec, &BTreeMap::new()).map(|_| ())
}

fn within(text: Option<&String>, limit: usize, field: &str, reason: &'static str) -> Verdict {
    let length = text.map_or(0, |text| text.chars().count());
    if length <= limit {
        return Ok(());
    }
    Err(Invalid::new(reason, format!("{field} has {length} characters, more than {limit}")))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn long(length: usize) -> String {
        "ä".repeat(length)
    }

    #[rstest]
    #[case(json!({"text": "do"}), None)]
    #[case(json!({"text": long(131_072)}), None)]
    #[case(json!({"text": "do", "summary": long(256), "description": long(131_072)}), None)]
    #[case(json!({"text": " "}), Some(reason::MISSING_TEXT))]
    #[case(json!({"text": long(131_073)}), Some(reason::TEXT_TOO_LARGE))]
    #[case(json!({"text": "do", "summary": long(257)}), Some(reason::SUMMARY_TOO_LONG))]
    #[case(json!({"text": "do", "description": long(131_073)}), Some(reason::DESCRIPTION_TOO_LARGE))]
    #[case(json!({"text": "do", "acceptanceCriteria": vec!["x"; 50]}), None)]
    #[case(json!({"text": "do", "acceptanceCriteria": vec!["x"; 51]}), Some(reason::ACCEPTANCE_CRITERIA_TOO_LONG))]
    #[case(json!({"text": "do", "contract": {"requiredKeys": ["a"]}}), None)]
    #[case(json!({"text": "do", "contract": {"requiredKeys": [" "]}}), Some(reason::INVALID_CONTRACT))]
    #[case(json!({"text": "do", "contract": {"requiredKeys": vec!["k"; 51]}}), Some(reason::INVALID_CONTRACT))]
    #[case(json!({"text": "do", "contract": {"mappings": [{"from": "a", "to": ""}]}}), Some(reason::INVALID_CONTRACT))]
    #[case(json!({"text": "do", "contract": {"mappings": [{"from": "a", "to": long(257)}]}}), Some(reason::INVALID_CONTRACT))]
    #[case(json!({"text": "do", "contract": {"mappings": vec![json!({"from": "a", "to": "b"}); 101]}}), Some(reason::INVALID_CONTRACT))]
    fn an_implementation_has_a_text_fits_and_has_a_sound_contract(
        #[case] spec: Value,
        #[case] expected: Option<&str>,
    ) {
        let implementation: ImplementationSpec =
            serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        assert_eq!(check(&implementation).err().map(|invalid| invalid.reason), expected);
    }
}
