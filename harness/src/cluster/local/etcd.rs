//! Questions to etcd itself, by the JSON that it speaks beside gRPC.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio_util::bytes::Bytes;

use crate::cluster::ClusterError;

/// How long an etcd that was just started may take until it answers.
const READY: Duration = Duration::from_secs(30);
/// How long an answer may take after that.
const ANSWER: Duration = Duration::from_secs(10);
/// Pause between two questions whether it answers: nothing tells when.
const POLL: Duration = Duration::from_millis(20);
/// The key `hallmark` in base64, as keys and values are written here. Kubernetes has no key of this name.
const KEY: &str = "aGFsbG1hcms=";

/// A way to etcd.
#[derive(Debug)]
pub(super) struct Etcd {
    client: Client<HttpConnector, Full<Bytes>>,
    address: String,
}

impl Etcd {
    pub(super) fn at(port: u16) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, address: format!("http://127.0.0.1:{port}/v3/kv") }
    }

    /// Waits until it answers; the revision that it is at.
    pub(super) async fn revision(&self) -> Result<u64, ClusterError> {
        let deadline = tokio::time::Instant::now() + READY;
        loop {
            match self.ask("tell its revision", "range", &json!({"key": KEY})).await {
                Ok(revision) => return Ok(revision),
                Err(error) if tokio::time::Instant::now() >= deadline => return Err(error),
                Err(_not_ready) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Raises the revision to this one, a write at a time, and forgets all that came before, so that whoever watches
    /// from an earlier one must list anew. `etcdutl snapshot restore --bump-revision --mark-compacted` does the same.
    pub(super) async fn raise(&self, to: u64) -> Result<(), ClusterError> {
        let mut revision = self.revision().await?;
        while revision < to {
            revision = self.ask("write", "put", &json!({"key": KEY, "value": KEY})).await?;
        }
        self.ask("compact", "compaction", &json!({"revision": revision.to_string()})).await?;
        Ok(())
    }

    /// Asks for something and returns the revision of the answer.
    async fn ask(&self, action: &'static str, what: &str, question: &Value) -> Result<u64, ClusterError> {
        let failed = |reason: String| ClusterError::Datastore { action, reason };
        let request = Request::post(format!("{}/{what}", self.address))
            .body(Full::from(question.to_string()))
            .map_err(|error| failed(error.to_string()))?;
        let answer = async {
            let answer = self.client.request(request).await.map_err(|error| failed(error.to_string()))?;
            answer.into_body().collect().await.map_err(|error| failed(error.to_string()))
        };
        let answer = tokio::time::timeout(ANSWER, answer).await;
        let bytes = answer.map_err(|_elapsed| failed("no answer".to_owned()))??.to_bytes();
        let revision = serde_json::from_slice::<Value>(&bytes).ok().and_then(|answer| {
            // 64-bit numbers are texts in the JSON of protocol buffers.
            answer.pointer("/header/revision")?.as_str()?.parse().ok()
        });
        revision.ok_or_else(|| failed(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
