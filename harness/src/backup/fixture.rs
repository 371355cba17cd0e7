//! A small archive for tests.

use serde_json::{Value, json};

use super::kind::{Kind, Role};
use super::manifest::{Created, Listing, Method, Scope};
use super::portable::Strip;
use super::take::{Collected, ConfigMaps, KindList, assemble};

/// The line of the digest file of these bytes.
pub(crate) fn line(bytes: &[u8]) -> String {
    format!("{}  a.tar.zst\n", super::digest(bytes))
}

/// The bytes of a sound archive.
pub(crate) fn archive() -> Vec<u8> {
    assemble(&collected()).unwrap().bytes
}

/// A definition of a kind with status.
pub(super) fn definition(kind: &str, plural: &str) -> Value {
    json!({
        "metadata": {"name": format!("{plural}.example.dev"), "uid": format!("u-{plural}"), "generation": 1},
        "spec": {
            "group": "example.dev", "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}}],
        },
        "status": {"storedVersions": ["v1"]},
    })
}

/// A run of namespace `team` in a phase.
pub(super) fn run(name: &str, phase: &str) -> Value {
    let mut status = json!({"phase": phase, "observedGeneration": 2, "finishedAt": "2026-01-02T00:00:00Z"});
    if phase == "Running" {
        status["runtimeRef"] = json!({"name": format!("{name}-job")});
    }
    json!({
        "metadata": {
            "name": name, "namespace": "team", "uid": format!("u-{name}"), "generation": 2,
            "resourceVersion": "12", "creationTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["example.dev/cleanup"],
        },
        "spec": {"agentRef": {"name": "agent"}, "secrets": ["token"]},
        "status": status,
    })
}

/// What a backup reads.
pub(super) fn collected() -> Collected {
    let definitions = [("Agent", "agents"), ("Run", "runs")];
    let last = vec!["runs".to_owned()];
    let defined: Vec<Value> =
        definitions.into_iter().map(|(kind, plural)| definition(kind, plural)).collect();
    let kinds: Vec<Kind> = defined.iter().filter_map(|it| Kind::of_definition(it, &last)).collect();
    let agent = json!({
        "metadata": {"name": "agent", "namespace": "team", "uid": "u-agent", "generation": 1},
        "spec": {"systemPromptRef": {"kind": "ConfigMap", "name": "prompt", "key": "text"}},
        "status": {"phase": ""},
    });
    let map = |name: &str| {
        let metadata = json!({"name": name, "namespace": "team", "uid": format!("u-{name}")});
        json!({"metadata": metadata, "data": {"text": "be brief"}})
    };
    let runs = ["Succeeded", "Failed", "Running", "Pending"].map(|phase| run(&phase.to_lowercase(), phase));
    let namespace = json!({"metadata": {"name": "team", "uid": "u-team", "labels": {"a": "b"}}});
    let listed =
        |kind: Kind, items: Vec<Value>| KindList { kind, resource_versions: vec!["12".to_owned()], items };
    let items = |kind: &Kind| if kind.role == Role::Run { runs.to_vec() } else { vec![agent.clone()] };
    let mut lists = vec![
        listed(Kind::definition(), defined),
        listed(Kind::namespace(), vec![namespace]),
        listed(Kind::config_map(), vec![map("prompt"), map("unrelated")]),
    ];
    lists.extend(kinds.into_iter().map(|kind| {
        let items = items(&kind);
        listed(kind, items)
    }));
    let time = jiff::Timestamp::UNIX_EPOCH;
    Collected {
        scope: Scope { groups: vec!["example.dev".to_owned()], namespaces: Vec::new(), last },
        config_maps: ConfigMaps::Referenced,
        strip: Strip::default(),
        listing: Listing { method: Method::Exact, revision: Some("12".to_owned()), attempts: 1 },
        kubernetes: "v1.35.4".to_owned(),
        created: Created { started: time, finished: time },
        lists,
        jobs: Ok(vec![json!({
            "metadata": {
                "name": "running-job", "namespace": "team", "uid": "u-job",
                "ownerReferences": [{"apiVersion": "example.dev/v1", "kind": "Run", "name": "running", "uid": "u-running"}],
            },
            "spec": {"parallelism": 1}, "status": {"active": 1},
        })]),
        idempotency_store: None,
    }
}
