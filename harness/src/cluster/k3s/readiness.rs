//! When a node is ready: what is waited for, in order, and how it was seen last.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config};
use testcontainers::ContainerAsync;

use super::image::{API_PORT, K3sImage, KUBECONFIG_PATH, NODE_NAME};
use super::{K3sError, kubeconfig};
use crate::event::EventSink;

/// How often a question is repeated that cannot be watched: the node serves no API yet.
const REPEAT: Duration = Duration::from_millis(100);

/// What is waited for at the moment; shared with whoever watches the clock.
pub(super) struct Stage<'a> {
    events: &'a EventSink,
    phase: &'a str,
    state: Mutex<(&'static str, String)>,
}

impl<'a> Stage<'a> {
    /// Nothing is waited for yet.
    pub(super) fn new(events: &'a EventSink, phase: &'a str) -> Self {
        Self { events, phase, state: Mutex::new(("the container", String::new())) }
    }

    fn enter(&self, what: &'static str) {
        self.events.progress(self.phase, format!("waiting for {what}"));
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (what, "nothing seen yet".to_owned());
    }

    fn saw(&self, last: impl Into<String>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = last.into();
    }

    /// What is waited for and how it was seen last, for a message.
    pub(super) fn describe(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        format!("waiting for {} ({})", state.0, state.1)
    }
}

/// What is known of a node that became ready.
pub(super) struct Ready {
    /// The kubeconfig for this machine.
    pub(super) kubeconfig: Kubeconfig,
    /// `gitVersion` of the API server.
    pub(super) kubernetes_version: String,
}

/// Waits without a deadline of its own until the API server answers, the node is Ready and pods can be
/// created in the namespace `default`.
pub(super) async fn wait(
    container: &ContainerAsync<K3sImage>,
    image: &str,
    stage: &Stage<'_>,
) -> Result<Ready, K3sError> {
    let unusable = |source| K3sError::Kubeconfig { image: image.to_owned(), source };
    let repeatedly = ConstantBuilder::default().with_delay(REPEAT).without_max_times();

    stage.enter("its API port");
    let port = (|| container.get_host_port_ipv4(API_PORT))
        .retry(repeatedly)
        .notify(|error, _| stage.saw(error.to_string()))
        .await
        .map_err(|source| K3sError::Port { image: image.to_owned(), source: Box::new(source) })?;

    stage.enter("its kubeconfig");
    let mut kubeconfig = (|| read_kubeconfig(container))
        .retry(repeatedly)
        .notify(|error, _| stage.saw(error))
        .await
        .map_err(|last| K3sError::CopyKubeconfig { image: image.to_owned(), last })?;
    kubeconfig::point_to_port(&mut kubeconfig, port);
    let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &KubeConfigOptions::default())
        .await
        .map_err(unusable)?;
    let client = Client::try_from(config)
        .map_err(|source| K3sError::Api { action: "make a client", source: Box::new(source) })?;

    stage.enter("/readyz of the API server");
    (|| ask_readyz(&client))
        .retry(repeatedly)
        .notify(|error, _| stage.saw(error.to_string()))
        .await
        .map_err(|source| K3sError::Api { action: "ask for /readyz", source: Box::new(source) })?;
    let version = client
        .apiserver_version()
        .await
        .map_err(|source| K3sError::Api { action: "ask for the version", source: Box::new(source) })?;

    stage.enter("the node to be Ready");
    await_condition(Api::<Node>::all(client.clone()), NODE_NAME, |node: Option<&Node>| {
        let readiness = node_readiness(node);
        let ready = readiness.is_ok();
        stage.saw(readiness.err().unwrap_or_default());
        ready
    })
    .await
    .map_err(|source| K3sError::Watch { object: "the node", source: Box::new(source) })?;

    stage.enter("the default ServiceAccount");
    let accounts = Api::<ServiceAccount>::namespaced(client, "default");
    await_condition(accounts, "default", |account: Option<&ServiceAccount>| account.is_some())
        .await
        .map_err(|source| K3sError::Watch {
            object: "the default ServiceAccount",
            source: Box::new(source),
        })?;

    Ok(Ready { kubeconfig, kubernetes_version: version.git_version })
}

/// The node writes the file while it starts: a missing or half-written one is only not there yet.
async fn read_kubeconfig(container: &ContainerAsync<K3sImage>) -> Result<Kubeconfig, String> {
    let bytes =
        container.copy_file_from(KUBECONFIG_PATH, Vec::new()).await.map_err(|error| error.to_string())?;
    let kubeconfig =
        Kubeconfig::from_yaml(&String::from_utf8_lossy(&bytes)).map_err(|error| error.to_string())?;
    if kubeconfig.clusters.is_empty() { Err("no cluster in it".to_owned()) } else { Ok(kubeconfig) }
}

async fn ask_readyz(client: &Client) -> Result<String, kube::Error> {
    let request = http::Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}

/// Whether the node is Ready, or else how it was seen.
fn node_readiness(node: Option<&Node>) -> Result<(), String> {
    let node = node.ok_or("not registered")?;
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ready =
        conditions.iter().find(|condition| condition.type_ == "Ready").ok_or("without condition Ready")?;
    if ready.status == "True" {
        Ok(())
    } else {
        Err(ready.message.clone().unwrap_or_else(|| format!("Ready is {}", ready.status)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(status: &serde_json::Value) -> Node {
        serde_json::from_value(json!({"metadata": {"name": "n"}, "status": status})).unwrap()
    }

    #[test]
    fn only_the_condition_ready_with_status_true_makes_a_node_ready() {
        let condition = |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status, "message": "m"}]});
        assert_eq!(node_readiness(Some(&node(&condition("Ready", "True")))), Ok(()));
        assert_eq!(node_readiness(Some(&node(&condition("Ready", "False")))), Err("m".to_owned()));
        assert_eq!(node_readiness(Some(&node(&condition("Ready", "Unknown")))), Err("m".to_owned()));
        assert!(node_readiness(Some(&node(&condition("DiskPressure", "True")))).is_err());
        assert!(node_readiness(Some(&node(&json!({})))).is_err());
        assert!(node_readiness(None).is_err());
    }
}
