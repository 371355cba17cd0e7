//! The values of a record: object versions, requests, faults, steps, answers, log lines, subject events and
//! gaps.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::assertion::BoundObject;

/// What a gap in the log of the subject is one of.
pub const LOG: &str = "log";

/// One thing that was observed, and when.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Place in the record of this scenario, counted from 0 without holes.
    pub sequence: u64,
    /// When the harness received it.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What it was.
    pub observation: Observation,
}

/// What was observed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Observation {
    /// The case began.
    CaseStarted {
        /// Its namespace; empty if it needs none.
        namespace: String,
    },
    /// The case ended.
    CaseFinished {
        /// How.
        end: End,
        /// Whether its claims alone decided: every one held, or one that was judged on the record did not.
        by_claims: bool,
    },
    /// From now on an alias of the scenario stands for this object.
    Bound {
        /// The alias.
        alias: String,
        /// The object as the API server answered.
        object: BoundObject,
    },
    /// A step of the scenario wrote this version of an object that it had not created then.
    Written {
        /// `metadata.uid`.
        uid: String,
        /// The version.
        resource_version: u64,
        /// Whether the step was a restore.
        #[serde(default)]
        restored: bool,
    },
    /// The chart was rendered.
    Rendered {
        /// The name of the rendering in the scenario.
        alias: String,
        /// The objects.
        objects: Arc<Vec<serde_json::Value>>,
    },
    /// A watch delivered a version of an object.
    Object(ObjectVersion),
    /// The API server answered a request of the subject, or began to answer a watch.
    Request(Request),
    /// Every request that was answered before the engine asked for this mark stands before it.
    RequestMark,
    /// The subject answered a question over HTTP.
    Answer {
        /// What was asked: the path, and of which replica.
        question: String,
        /// Status code.
        status: u16,
        /// The body, invalid UTF-8 replaced.
        body: String,
    },
    /// The engine began a step.
    StepStarted {
        /// Index of the step in its scenario.
        index: usize,
        /// The step in a few words.
        summary: String,
        /// Whether it is a claim about the record; all others act.
        assertion: bool,
        /// Hex SHA-256 of all that it does; none for a claim.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        digest: String,
    },
    /// The engine ended a step.
    StepFinished {
        /// Index of the step in its scenario.
        index: usize,
        /// Whether it did what was asked.
        ok: bool,
        /// How many entries a claim was judged on in the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        judged: Option<u64>,
    },
    /// The subject wrote a line to its log.
    Log {
        /// The line without its line break, a text.
        line: serde_json::Value,
    },
    /// The subject was started, became ready, was stopped, killed, or ended by itself.
    Subject {
        /// What happened, in words for people.
        what: String,
        /// Whether nobody asked for it: a crash.
        unexpected: bool,
    },
    /// The harness did something to a request of the subject, or to its watches.
    Fault {
        /// What, in words for people.
        what: String,
    },
    /// A write of the subject arrived at the fault proxy and was done with.
    Write {
        /// Which of the subject's writes it is, counted from 1 since the proxy began to count.
        number: u64,
        /// What was asked: verb, resource and name.
        request: String,
        /// Status code of the answer; none where the subject got no answer.
        status: Option<u16>,
    },
    /// The steps are done, and from now on nothing happens to requests of the subject.
    FaultsOver {
        /// How many writes of the subject had arrived at the fault proxy by then.
        writes: u64,
    },
    /// A watch was interrupted; versions between the last one and the next one may be missing.
    Gap {
        /// `apiVersion/Kind` of the watch; `log` where the log of a container broke off.
        kind: String,
        /// Why.
        reason: String,
    },
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// Every claim held.
    Passed,
    /// A claim did not hold, or the cluster or the subject refused a step.
    Failed {
        /// What was claimed.
        claim: String,
        /// The object it was about.
        object: String,
        /// How near it came, or what was refused.
        reason: String,
    },
    /// Nothing is known about the implementation.
    Inconclusive {
        /// What went wrong.
        reason: String,
    },
}

impl End {
    /// The word for it in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::Inconclusive { .. } => "inconclusive",
        }
    }
}

/// One request of the subject, as the audit log of the API server tells it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The API server's own name of the request.
    pub id: String,
    /// What claims look at: `verb`, `user`, `group`, `resource`, `subresource`, `namespace`, `name`, `code`,
    /// `path`; what the request does not have is absent.
    pub request: Arc<serde_json::Value>,
}

impl Request {
    /// A text field; empty if the request does not have it.
    pub fn text(&self, field: &str) -> &str {
        self.request.get(field).and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    /// The resource with its subresource: `agentruns/status`.
    pub fn resource(&self) -> String {
        match self.text("subresource") {
            "" => self.text("resource").to_owned(),
            subresource => format!("{}/{subresource}", self.text("resource")),
        }
    }

    /// `patch agentruns/status ns/demo`, for people.
    pub fn describe(&self) -> String {
        let resource = self.resource();
        if resource.is_empty() {
            return format!("{} {}", self.text("verb"), self.text("path"));
        }
        format!("{} {resource} {}/{}", self.text("verb"), self.text("namespace"), self.text("name"))
    }
}

/// How an object changed with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It was not there before.
    Added,
    /// It was there and differs now.
    Modified,
    /// It is gone; the version holds its last state.
    Deleted,
}

/// One version of one object, as the API server sent it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectVersion {
    /// How it came to be.
    pub change: Change,
    /// `apiVersion`, for example `batch/v1`.
    pub api_version: String,
    /// `kind`, for example `Job`.
    pub kind: String,
    /// Namespace; empty for objects of the cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion` as the number it is on every API server backed by one datastore; it
    /// orders versions of different kinds, which arrive on different watches.
    pub resource_version: u64,
    /// The whole object, `managedFields` included.
    pub object: Arc<serde_json::Value>,
}

impl ObjectVersion {
    /// The uid in the owner reference that has `controller: true`, if there is one.
    pub fn controller_uid(&self) -> Option<&str> {
        self.object
            .pointer("/metadata/ownerReferences")?
            .as_array()?
            .iter()
            .find(|reference| reference.get("controller").and_then(serde_json::Value::as_bool) == Some(true))?
            .get("uid")?
            .as_str()
    }

    /// `Kind namespace/name`, for people.
    pub fn describe(&self) -> String {
        if self.namespace.is_empty() {
            format!("{} {}", self.kind, self.name)
        } else {
            format!("{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}
