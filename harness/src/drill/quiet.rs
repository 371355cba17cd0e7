//! Whether the controller has come to rest: not by what changes, but by what it asks for.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::error::DrillError;
use crate::cluster::local::audit::MARK;
use crate::engine::{OwnCluster, request};
use crate::event::CaseId;
use crate::record::{Observation, Record, RecordWriter, RequestHub};

/// How long the log may take to show a mark.
const MARKED: Duration = Duration::from_secs(10);

/// What a controller in `namespace` writes within a window that begins now. Leases are renewed at all times.
pub(super) async fn writes_within(
    cluster: &OwnCluster,
    namespace: &str,
    window: Duration,
) -> Result<Vec<String>, DrillError> {
    let log = cluster
        .audit_log()
        .ok_or_else(|| DrillError::Audit(std::io::Error::from(std::io::ErrorKind::NotFound)))?;
    let requests = RequestHub::start(log, MARK).await.map_err(DrillError::Audit)?;
    let record =
        Record::new(CaseId { scenario: "drill".to_owned(), case: String::new() }, RecordWriter::none());
    requests.route(namespace, namespace, &record);
    tokio::time::sleep(window).await;
    let config_maps: Api<ConfigMap> = Api::namespaced(cluster.client().clone(), namespace);
    let asked = request(|| async { config_maps.get_opt(MARK).await }).await;
    asked.map_err(|error| DrillError::Audit(std::io::Error::other(error.to_string())))?;
    let mut length = record.length();
    let is_mark = |observation: &Observation| matches!(observation, Observation::RequestMark);
    let marked = async {
        while !record.snapshot().iter().any(|entry| is_mark(&entry.observation)) {
            if length.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(MARKED, marked)
        .await
        .map_err(|_elapsed| DrillError::Audit(std::io::Error::from(std::io::ErrorKind::TimedOut)))?;
    let written = |entry: &std::sync::Arc<crate::record::Entry>| match &entry.observation {
        Observation::Request(request)
            if matches!(
                request.text("verb"),
                "create" | "update" | "patch" | "delete" | "deletecollection"
            ) && request.text("resource") != "leases" =>
        {
            Some(request.describe())
        }
        _ => None,
    };
    Ok(record.snapshot().iter().filter_map(written).collect())
}
