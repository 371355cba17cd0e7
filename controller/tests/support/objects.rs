//! The objects of a test: an Agent with its provider, and runs.

use std::ops::Range;

use agents_controller::api::{Agent, AgentProvider, AgentRun};
use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The Agent of all runs.
const AGENT: &str = "coder";
/// Runs that are created at the same time.
const CREATED_AT_ONCE: usize = 8;
/// How often a request is repeated that did not reach the API server, or that it was too busy for.
const ATTEMPTS: u32 = 200;

/// A run without its spec, as cheap to watch as its phase allows.
#[derive(Resource, Debug, Clone, Default, Serialize, Deserialize)]
#[resource(inherit = "AgentRun")]
pub(crate) struct RunView {
    /// Name and namespace.
    pub(crate) metadata: ObjectMeta,
    /// How far it is.
    #[serde(default)]
    pub(crate) status: RunViewStatus,
}

/// The part of the status that tells whether the run has ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RunViewStatus {
    /// Phase of the run.
    #[serde(default)]
    pub(crate) phase: Option<String>,
}

/// Whether a run in this phase has ended.
pub(crate) fn is_terminal(phase: Option<&str>) -> bool {
    matches!(phase, Some("Succeeded" | "Failed" | "Cancelled"))
}

/// Name of the run with this number; names and numbers have the same order.
pub(crate) fn run_name(number: usize) -> String {
    format!("run-{number:05}")
}

/// Creates what runs of this namespace refer to.
pub(super) async fn create_references(client: &Client, namespace: &str) -> Result<()> {
    let provider = json!({
        "metadata": {"name": "runner"},
        "spec": {"binary": "/runner", "argsTemplate": ["run", "{{ agentRun.name }}"]},
    });
    create::<AgentProvider>(client, namespace, provider).await?;
    let agent = json!({"metadata": {"name": AGENT}, "spec": {"providerRef": {"name": "runner"}}});
    create::<Agent>(client, namespace, agent).await
}

/// Creates a small run with the given name. One that is there already was created by an earlier attempt
/// whose answer was lost.
pub(crate) async fn create_run(client: &Client, namespace: &str, name: &str) -> Result<()> {
    create::<AgentRun>(client, namespace, run(name)).await
}

/// Creates small runs with these numbers, several at the same time.
pub(crate) async fn create_runs(client: &Client, namespace: &str, numbers: Range<usize>) -> Result<()> {
    let created = stream::iter(numbers)
        .map(|number| async move { create_run(client, namespace, &run_name(number)).await });
    created.buffer_unordered(CREATED_AT_ONCE).try_collect().await
}

/// Creates a small run with the given name and idempotency key.
pub(crate) async fn create_run_with_key(
    client: &Client,
    namespace: &str,
    name: &str,
    key: &str,
) -> Result<()> {
    let mut run = run(name);
    json_patch::merge(&mut run, &json!({"spec": {"idempotencyKey": key}}));
    create::<AgentRun>(client, namespace, run).await
}

fn run(name: &str) -> serde_json::Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "agentRef": {"name": AGENT},
            "implementation": {"inline": {"text": "Say hello."}},
            "runtime": {"type": "job"},
            "workload": {"image": "runner:1"},
        },
    })
}

async fn create<K>(client: &Client, namespace: &str, object: serde_json::Value) -> Result<()>
where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let object: K = serde_json::from_value(object).context("build an object")?;
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut pause = tokio::time::interval(super::LOOK_AGAIN);
    let mut attempt = 0;
    loop {
        pause.tick().await;
        attempt += 1;
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => return Ok(()),
            Err(kube::Error::Api(status)) if !matches!(status.code, 429 | 500..) => {
                return Err(kube::Error::Api(status)).with_context(|| format!("create a {}", K::kind(&())));
            }
            Err(error) if attempt == ATTEMPTS => {
                return Err(error).with_context(|| format!("create a {}", K::kind(&())));
            }
            Err(_trouble) => {}
        }
    }
}
