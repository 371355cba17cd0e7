//! Histories, claims and bindings for tests, in few words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::record::{Change, Entry, ObjectVersion, Observation, Request};
use crate::scenario::assertion::{Assertion, Bindings, BoundObject, Claim, Condition, Operator, Target};
use crate::scenario::expression::Expression;
use crate::yaml::{Location, Node, Source};

/// A history under construction; every entry comes 100 ms after the one before.
#[derive(Default)]
pub(super) struct History(pub(super) Vec<Arc<Entry>>);

impl History {
    pub(super) fn push(mut self, observation: Observation) -> Self {
        let sequence = u64::try_from(self.0.len()).unwrap();
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(i64::try_from(sequence).unwrap() * 100);
        self.0.push(Arc::new(Entry { sequence, at, observation }));
        self
    }

    /// A version; `name` tells kind, name and uid apart: `Job/a#u1`, the uid being optional.
    pub(super) fn version(self, change: Change, name: &str, resource_version: u64, rest: &Value) -> Self {
        let (name, uid) = name.split_once('#').unwrap_or((name, name));
        let (kind, name) = name.split_once('/').unwrap();
        let mut object = json!({
            "kind": kind,
            "metadata": {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": resource_version.to_string()},
        });
        json_patch::merge(&mut object, rest);
        self.push(Observation::Object(ObjectVersion {
            change,
            api_version: "v1".into(),
            kind: kind.into(),
            namespace: object["metadata"]["namespace"].as_str().unwrap().into(),
            name: name.into(),
            uid: uid.into(),
            resource_version,
            object: Arc::new(object),
        }))
    }

    pub(super) fn added(self, name: &str, resource_version: u64, rest: &Value) -> Self {
        self.version(Change::Added, name, resource_version, rest)
    }

    pub(super) fn modified(self, name: &str, resource_version: u64, rest: &Value) -> Self {
        self.version(Change::Modified, name, resource_version, rest)
    }

    pub(super) fn deleted(self, name: &str, resource_version: u64, rest: &Value) -> Self {
        self.version(Change::Deleted, name, resource_version, rest)
    }

    /// A request of the subject.
    pub(super) fn request(self, id: &str, request: &Value) -> Self {
        let request = Arc::new(request.clone());
        self.push(Observation::Request(Request { id: id.to_owned(), request }))
    }

    /// A line of the controller's log.
    pub(super) fn log(self, line: &str) -> Self {
        self.push(Observation::Log { line: line.into() })
    }

    pub(super) fn gap(self, kind: &str) -> Self {
        self.push(Observation::Gap { kind: kind.into(), reason: "too old".into() })
    }
}

/// `status: {phase: ..}`.
pub(super) fn phase(phase: &str) -> Value {
    json!({"status": {"phase": phase}})
}

/// A controller owner reference, and `rest`.
pub(super) fn owned_by(uid: &str, rest: &Value) -> Value {
    let mut object = json!({"metadata": {"ownerReferences": [{"uid": uid, "controller": true}]}});
    json_patch::merge(&mut object, rest);
    object
}

/// The alias `run` for `Run/r`, in namespace `ns`.
pub(super) fn bindings() -> Bindings {
    let run = BoundObject {
        api_version: "v1".into(),
        kind: "Run".into(),
        namespace: "ns".into(),
        name: "r".into(),
        uid: "Run/r".into(),
        latest: Arc::new(json!({"metadata": {"uid": "Run/r"}, "spec": {"ttl": 5}})),
    };
    Bindings {
        namespace: "ns".into(),
        case: json!({"expected": 30}),
        objects: BTreeMap::from([("run".into(), run)]),
        rendered: BTreeMap::from([(
            "chart".into(),
            Arc::new(vec![json!({"kind": "Service", "metadata": {"name": "s"}, "spec": {"port": 80}})]),
        )]),
    }
}

fn location() -> Location {
    Location::start_of(&Source::new("scenario.yaml", "- the assertion\n"))
}

pub(super) fn object(alias: &str) -> Target {
    Target::Object { alias: alias.into() }
}

pub(super) fn jobs() -> Target {
    resources(None, &[])
}

pub(super) fn resources(of: Option<&str>, labels: &[(&str, &str)]) -> Target {
    Target::Resources {
        api_version: "v1".into(),
        kind: "Job".into(),
        name: None,
        labels: labels.iter().map(|&(key, value)| (key.into(), value.into())).collect(),
        of: of.map(str::to_owned),
    }
}

pub(super) fn claim(target: Target, condition: Condition) -> Claim {
    Claim { target, condition, location: location() }
}

pub(super) fn matches(target: Target, expected: &Value) -> Claim {
    let matches = Some(Node::from_json(expected, &location()));
    claim(target, Condition { matches, ..Condition::default() })
}

pub(super) fn cel(target: Target, text: &str) -> Claim {
    let expression = Expression::compile(text, &location()).unwrap();
    claim(target, Condition { cel: Some(Arc::new(expression)), ..Condition::default() })
}

pub(super) fn exists(target: Target, exists: bool) -> Claim {
    claim(target, Condition { exists: Some(exists), ..Condition::default() })
}

pub(super) fn assertion(operator: Operator) -> Assertion {
    Assertion { operator, location: location(), standing: None }
}

pub(super) fn eventually(claim: Claim) -> Assertion {
    assertion(Operator::Eventually { claim, within: Duration::from_secs(5) })
}
