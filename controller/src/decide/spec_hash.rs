//! The hash that tells whether an accepted run was edited.

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::api::AgentRunSpec;

use super::text;

/// Lower-case hex SHA-256 over the fields that define what is executed.
///
/// Absent fields count as null, so that adding a field to the API does not change old hashes. Workload,
/// parameters and retention are left out: they may change, with effect on later Jobs only.
pub fn compute(spec: &AgentRunSpec) -> String {
    let mut secrets = text::entries(spec.secrets.as_ref());
    secrets.sort_unstable();
    let fields = [
        ("agentRef", json(&spec.agent_ref)),
        ("implementation", json(&spec.implementation)),
        ("implementationSpecRef", json(&spec.implementation_spec_ref)),
        ("memoryRef", json(&spec.memory_ref)),
        ("runtime", json(&spec.runtime)),
        ("secrets", json(&secrets)),
        ("systemPrompt", json(&spec.system_prompt)),
        ("systemPromptRef", json(&spec.system_prompt_ref)),
        ("vcsRef", json(&spec.vcs_ref)),
        ("workflow", json(&spec.workflow)),
    ];
    let object: Map<String, Value> = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    sha256_hex(canonical(Value::Object(object)).to_string().as_bytes())
}

/// Lower-case hex SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A value that cannot be written as JSON hashes as null; the API types have none.
fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Sorts the keys of all objects.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, canonical(value))).collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(
        json!({"agentRef": {"name": "demo"}, "implementation": {"inline": {"text": "hi"}}, "runtime": {"type": "job"}}),
        "9c3401a3ae06556b0e3ce6477855131b6d5a0b7b6513c16772a86de4f9b3ce7c"
    )]
    #[case(
        json!({
            "agentRef": {"name": "demo"}, "implementationSpecRef": {"name": "spec"},
            "runtime": {"type": "job", "config": {"ttlSecondsAfterFinished": 120}}, "secrets": ["b", "a"],
        }),
        "3fa942b3f91df044c28f964eec49fb10b614170aaca3b74d4bb8149ae9f16bb8"
    )]
    fn the_documented_vectors_hold(#[case] spec: Value, #[case] expected: &str) {
        assert_eq!(compute(&serde_json::from_value(spec).unwrap()), expected);
    }

    #[test]
    fn fields_that_may_change_are_not_hashed() {
        let base = json!({"agentRef": {"name": "a"}, "runtime": {"type": "job"}});
        let mut changed = base.clone();
        changed["parameters"] = json!({"k": "v"});
        changed["workload"] = json!({"image": "x"});
        changed["ttlSecondsAfterFinished"] = json!(5);
        changed["secrets"] = json!([" "]);
        let hash = |value: Value| compute(&serde_json::from_value(value).unwrap());
        assert_eq!(hash(base), hash(changed));
    }
}
