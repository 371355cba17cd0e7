//! Clients, and waiting with them until a cluster can be worked with.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, GetParams, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::await_condition;
use kube::{Client, Config};
use tokio::time::Instant;

use super::ClusterError;

/// Pause between two questions for readiness. The API server offers nothing to wait on before it is ready.
const POLL: Duration = Duration::from_millis(20);

/// A client for the current context of the kubeconfig at `path`.
pub(super) async fn connect(path: &Path) -> Result<Client, ClusterError> {
    of(Kubeconfig::read_from(path)?).await
}

/// A client for the current context of a kubeconfig.
pub(super) async fn of(kubeconfig: Kubeconfig) -> Result<Client, ClusterError> {
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    // A retried write would be seen twice by nobody but its answer would be wrong; a 429 or 503 must
    // be visible to the one who asked.
    config.default_retry = false;
    Client::try_from(config).map_err(ClusterError::api("make a client"))
}

/// Waits until `/readyz` answers with status 200. Its body says "ok" many times also when it fails.
pub(super) async fn wait_ready(client: &Client, limit: Duration) -> Result<(), ClusterError> {
    let deadline = Instant::now() + limit;
    loop {
        let request = Request::new("").get("readyz", &GetParams::default()).map_err(|error| {
            ClusterError::api("ask whether it is ready")(kube::Error::BuildRequest(error))
        })?;
        let answer = tokio::time::timeout_at(deadline, client.request_text(request)).await;
        let last = match answer {
            Ok(Ok(_ready)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => "no answer".to_owned(),
        };
        if Instant::now() + POLL >= deadline {
            return Err(ClusterError::NotReady {
                what: "the API server was not ready".to_owned(),
                waited: limit,
                last,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until `namespace` has its `default` `ServiceAccount`, the proof that controllers act.
pub(super) async fn wait_service_account(
    client: &Client,
    namespace: &str,
    limit: Duration,
) -> Result<(), ClusterError> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let exists = await_condition(accounts, "default", |account: Option<&ServiceAccount>| account.is_some());
    let last = match tokio::time::timeout(limit, exists).await {
        Ok(Ok(_account)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_elapsed) => "it does not exist".to_owned(),
    };
    Err(ClusterError::NotReady {
        what: format!("the default ServiceAccount of namespace `{namespace}` was not created"),
        waited: limit,
        last,
    })
}

/// `gitVersion` of the API server.
pub(super) async fn server_version(client: &Client, limit: Duration) -> Result<String, ClusterError> {
    match tokio::time::timeout(limit, client.apiserver_version()).await {
        Ok(Ok(version)) => Ok(version.git_version),
        Ok(Err(error)) => Err(ClusterError::api("ask the API server for its version")(error)),
        Err(_elapsed) => Err(ClusterError::NotReady {
            what: "the API server did not tell its version".to_owned(),
            waited: limit,
            last: "no answer".to_owned(),
        }),
    }
}
