//! What the controller asks the API server to write from the release of the hold on. The log of requests also
//! shows what the watches cannot: a write that leaves everything as it was makes no version.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};

use super::error::DrillError;
use crate::cluster::audit::MARK;
use crate::engine::{OwnCluster, request};
use crate::event::CaseId;
use crate::record::{Observation, Record, RecordWriter, Request, RequestHub};

/// How long the log may take to show a mark.
const MARKED: Duration = Duration::from_secs(10);

/// A write that the controller asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Plural of the kind.
    pub(super) resource: String,
    /// Name of the object.
    pub(super) name: String,
    /// Whether the API server did it. What it refuses, for example because somebody was faster, costs nothing.
    pub(super) accepted: bool,
    /// For people.
    pub(super) text: String,
}

impl Asked {
    /// The write, if it is one. Leases are renewed at all times.
    fn of(request: &Request) -> Option<Self> {
        let verbs = ["create", "update", "patch", "delete", "deletecollection"];
        let resource = request.text("resource");
        (verbs.contains(&request.text("verb")) && resource != "leases").then(|| Self {
            resource: resource.to_owned(),
            name: request.text("name").to_owned(),
            accepted: request.request.get("code").and_then(serde_json::Value::as_u64).is_some_and(is_success),
            text: request.describe(),
        })
    }
}

fn is_success(code: u64) -> bool {
    code < 300
}

/// The log of requests from some moment on.
pub(super) struct Requests {
    // Reads the log as long as it lives.
    _hub: RequestHub,
    record: Record,
    config_maps: Api<ConfigMap>,
}

impl Requests {
    /// Begins to read what the controller in `namespace` asks for.
    pub(super) async fn follow(cluster: &OwnCluster, namespace: &str) -> Result<Self, DrillError> {
        let log = cluster
            .audit_log()
            .ok_or_else(|| DrillError::Audit(std::io::Error::from(std::io::ErrorKind::NotFound)))?;
        let hub = RequestHub::start(log, MARK).await.map_err(DrillError::Audit)?;
        let id = CaseId { scenario: "drill".to_owned(), case: String::new() };
        let record = Record::new(id, RecordWriter::none());
        hub.route(namespace, namespace, &record);
        let client: Client = cluster.client().clone();
        Ok(Self { _hub: hub, record, config_maps: Api::namespaced(client, namespace) })
    }

    /// All writes so far, in their order.
    pub(super) async fn writes(&self) -> Result<Vec<Asked>, DrillError> {
        self.catch_up().await?;
        let written = |observation: &Observation| match observation {
            Observation::Request(request) => Asked::of(request),
            _ => None,
        };
        Ok(self.record.snapshot().iter().filter_map(|entry| written(&entry.observation)).collect())
    }

    /// Leaves a mark in the log and waits until it is read: so is all that was asked for before.
    async fn catch_up(&self) -> Result<(), DrillError> {
        let marks = || {
            let entries = self.record.snapshot();
            entries.iter().filter(|entry| matches!(entry.observation, Observation::RequestMark)).count()
        };
        let before = marks();
        let asked = request(|| async { self.config_maps.get_opt(MARK).await }).await;
        asked.map_err(|error| DrillError::Audit(std::io::Error::other(error.to_string())))?;
        let mut length = self.record.length();
        let marked = async { while marks() == before && length.changed().await.is_ok() {} };
        let late = |_elapsed| DrillError::Audit(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(MARKED, marked).await.map_err(late)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::a_status(json!({"verb": "patch", "resource": "runs", "subresource": "status", "name": "a", "code": 200}), Some(true))]
    #[case::too_late(json!({"verb": "update", "resource": "runs", "name": "a", "code": 409}), Some(false))]
    #[case::no_write(json!({"verb": "get", "resource": "runs", "name": "a", "code": 200}), None)]
    #[case::a_lease(json!({"verb": "update", "resource": "leases", "name": "a", "code": 200}), None)]
    fn a_write_counts_whatever_it_changes(#[case] request: Value, #[case] accepted: Option<bool>) {
        let request = Request { id: String::new(), request: Arc::new(request) };
        assert_eq!(Asked::of(&request).map(|asked| asked.accepted), accepted);
    }
}
