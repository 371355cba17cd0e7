//! The contract between a run and its implementation: which parameters must be given, under which names.

use std::collections::BTreeMap;

use crate::api::{ContractStatus, ImplementationSpecSpec};

use super::text::{given, non_blank};

/// Further names under which users give well-known parameters: what they write, what is meant.
const ALIASES: [(&str, &str); 17] = [
    ("repo", "repository"),
    ("issueRepository", "repository"),
    ("issue", "issueNumber"),
    ("issueId", "issueNumber"),
    ("issue_id", "issueNumber"),
    ("issue_number", "issueNumber"),
    ("title", "issueTitle"),
    ("body", "issueBody"),
    ("url", "issueUrl"),
    ("baseBranch", "base"),
    ("base_ref", "base"),
    ("baseRef", "base"),
    ("headBranch", "head"),
    ("head_ref", "head"),
    ("headRef", "head"),
    ("workflowStage", "stage"),
    ("codexStage", "stage"),
];

/// Everything known about a run under its proper name; values are never blank.
pub type Metadata = BTreeMap<String, String>;

/// Parameters under all their names, completed from the implementation. Nothing is overwritten.
pub fn metadata(parameters: &BTreeMap<String, String>, implementation: &ImplementationSpecSpec) -> Metadata {
    let mut known: Metadata = parameters
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), non_blank(value)?.to_owned())))
        .collect();
    for (from, to) in ALIASES {
        copy(&mut known, from, to);
    }
    let mappings = implementation.contract.iter().filter_map(|contract| contract.mappings.as_ref()).flatten();
    for mapping in mappings {
        copy(&mut known, mapping.from.trim(), mapping.to.trim());
    }
    complete(&mut known, "issueTitle", given(implementation.summary.as_ref()));
    complete(&mut known, "issueBody", non_blank(&implementation.text));
    complete(&mut known, "prompt", non_blank(&implementation.text));
    if let Some(source) = &implementation.source {
        complete(&mut known, "issueUrl", given(source.url.as_ref()));
        let issue = given(source.external_id.as_ref()).filter(|_| source.provider == "github");
        if let Some((repository, number)) = issue.and_then(|id| id.split_once('#')) {
            complete(&mut known, "repository", non_blank(repository));
            complete(&mut known, "issueNumber", non_blank(number));
        }
    }
    known
}

/// Required and missing keys, or `None` without a contract. The error names what is wrong with it.
pub fn check(
    implementation: &ImplementationSpecSpec,
    metadata: &Metadata,
) -> Result<Option<ContractStatus>, String> {
    let Some(contract) = &implementation.contract else { return Ok(None) };
    let blank = |text: &str| text.trim().is_empty();
    let broken =
        contract.mappings.iter().flatten().find(|mapping| blank(&mapping.from) || blank(&mapping.to));
    if let Some(broken) = broken {
        return Err(format!("mapping from {:?} to {:?} has a blank side", broken.from, broken.to));
    }
    let required: Vec<String> =
        contract.required_keys.iter().flatten().map(|key| key.trim().to_owned()).collect();
    if required.iter().any(String::is_empty) {
        return Err("requiredKeys has a blank entry".to_owned());
    }
    let missing = required.iter().filter(|key| !metadata.contains_key(*key)).cloned().collect();
    Ok(Some(ContractStatus { required_keys: required, missing_keys: missing, ..ContractStatus::default() }))
}

/// The contract of a run whose work has several: what any of them requires, and what any of them lacks.
pub fn merged<'a>(contracts: impl IntoIterator<Item = &'a ContractStatus>) -> Option<ContractStatus> {
    contracts.into_iter().fold(None, |merged, contract| {
        let mut merged: ContractStatus = merged.unwrap_or_default();
        add(&mut merged.required_keys, &contract.required_keys);
        add(&mut merged.missing_keys, &contract.missing_keys);
        Some(merged)
    })
}

fn add(keys: &mut Vec<String>, more: &[String]) {
    for key in more {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
}

fn copy(known: &mut Metadata, from: &str, to: &str) {
    let value = known.get(from).cloned();
    complete(known, to, value.as_deref());
}

fn complete(known: &mut Metadata, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        known.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn missing(parameters: Value, implementation: Value) -> Vec<String> {
        let parameters = serde_json::from_value(parameters).unwrap();
        let implementation: ImplementationSpecSpec = serde_json::from_value(implementation).unwrap();
        check(&implementation, &metadata(&parameters, &implementation)).unwrap().unwrap().missing_keys
    }

    #[rstest]
    #[case(json!({"repo": "a/b"}), json!({"requiredKeys": ["repository"]}), &[])]
    #[case(json!({"repository": " "}), json!({"requiredKeys": ["repository"]}), &["repository"])]
    #[case(json!({"ticket": "7"}), json!({"requiredKeys": ["issueNumber"], "mappings": [{"from": "ticket", "to": "issueNumber"}]}), &[])]
    #[case(json!({}), json!({"requiredKeys": ["prompt", "issueBody", "issueTitle"]}), &["issueTitle"])]
    fn required_keys_need_a_value_under_some_name(
        #[case] parameters: Value,
        #[case] contract: Value,
        #[case] expected: &[&str],
    ) {
        assert_eq!(missing(parameters, json!({"text": "do", "contract": contract})), expected);
    }

    #[test]
    fn the_contract_of_a_run_is_that_of_all_its_work() {
        let contract = |required: &[&str], missing: &[&str]| ContractStatus {
            required_keys: required.iter().map(|key| (*key).to_owned()).collect(),
            missing_keys: missing.iter().map(|key| (*key).to_owned()).collect(),
            ..ContractStatus::default()
        };
        let contracts = [contract(&["base", "head"], &[]), contract(&["head", "stage"], &["stage"])];
        assert_eq!(merged(&contracts), Some(contract(&["base", "head", "stage"], &["stage"])));
        assert_eq!(merged(&[]), None);
    }

    #[test]
    fn a_github_source_gives_repository_and_issue_number_without_overwriting() {
        let implementation: ImplementationSpecSpec = serde_json::from_value(json!({
            "text": "do", "source": {"provider": "github", "externalId": "owner/name#7"},
        }))
        .unwrap();
        let known = metadata(&BTreeMap::from([("issue".to_owned(), "9".to_owned())]), &implementation);
        assert_eq!(known["repository"], "owner/name");
        assert_eq!(known["issueNumber"], "9");
    }
}
