//! What the controller asked of the API server, read from the server's audit log.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// One request of a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// When the API server received it.
    pub(crate) at: Timestamp,
    /// The Kubernetes verb, for example `patch` or `watch`.
    pub(crate) verb: String,
    /// `resource` or `resource/subresource`; the path for what is no resource.
    pub(crate) what: String,
    /// Name of the object, empty for requests about a collection.
    pub(crate) name: String,
    /// HTTP status code of the answer.
    pub(crate) code: u16,
    /// Which token was used: every process of the controller has one of its own.
    pub(crate) credential: String,
}

impl Request {
    /// Whether it asked for a change.
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// Whether it was about one object instead of a collection.
    pub(crate) fn is_about_one(&self) -> bool {
        !self.name.is_empty()
    }
}

/// How often what was asked: by verb and resource.
pub(crate) type Asked = BTreeMap<String, usize>;

/// The requests of all service accounts of a namespace so far, in the order of the log.
pub(super) fn read(log: &Path, namespace: &str) -> Result<Vec<Request>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("read {}", log.display()))?;
    // The last line may be half written; it belongs to a request that has just been answered.
    let complete = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
    parse(complete, &format!("system:serviceaccount:{namespace}:"))
}

fn parse(text: &str, users: &str) -> Result<Vec<Request>> {
    let mut seen = HashSet::new();
    let mut requests = Vec::new();
    for line in text.lines() {
        let event: Event = serde_json::from_str(line).with_context(|| format!("read audit event {line}"))?;
        // A watch is logged when it begins and when it ends.
        if event.user.username.starts_with(users) && seen.insert(event.audit_id.clone()) {
            requests.push(event.into());
        }
    }
    Ok(requests)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "auditID")]
    audit_id: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    request_received_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl From<Event> for Request {
    fn from(event: Event) -> Self {
        let ObjectRef { resource, subresource, name } = event.object_ref;
        let what = match (resource.as_str(), subresource.as_str()) {
            ("", _) => event.request_uri,
            (_, "") => resource,
            _ => format!("{resource}/{subresource}"),
        };
        let credential = event.user.extra.get("authentication.kubernetes.io/credential-id");
        Self {
            at: event.request_received_timestamp,
            verb: event.verb,
            what,
            name,
            code: event.response_status.code,
            credential: credential.and_then(|ids| ids.first()).cloned().unwrap_or_default(),
        }
    }
}
