//! A kubeconfig with which a process is the `ServiceAccount` of its pod template, so that RBAC is real.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use kube::config::{Cluster, Kubeconfig};
use serde_json::{Value, json};

use super::call::request;
use super::context::SubjectContext;
use super::error::SubjectError;

/// How long a `ServiceAccount` may take to appear; `default` is made by a controller after the namespace.
const ACCOUNT: Duration = Duration::from_secs(20);
/// How often it is looked for meanwhile.
const PAUSE: ConstantBuilder =
    ConstantBuilder::new().with_delay(Duration::from_millis(50)).without_max_times();
/// Lifetime of the token in seconds: longer than any run, as nothing renews it.
const LIFETIME: i64 = 24 * 3600;

/// Writes `folder/kubeconfig` for a `ServiceAccount`, or for the harness' own user, and returns its path.
pub(super) async fn write_kubeconfig(
    context: &SubjectContext,
    namespace: &str,
    account: Option<&str>,
    folder: &Path,
) -> Result<PathBuf, SubjectError> {
    let mut cluster = cluster_of(&context.kubeconfig_path)?;
    if let Some(route) = &context.route {
        cluster.server = Some(route.server.clone());
        let path = folder.join("api-server.crt");
        std::fs::write(&path, &route.authority).map_err(|source| SubjectError::File {
            action: "write",
            path: path.clone(),
            source,
        })?;
        cluster.certificate_authority = Some(path.display().to_string());
        cluster.certificate_authority_data = None;
    }
    let user = match account {
        Some(account) => json!({"token": token(context, namespace, account).await?}),
        None => administrator(&context.kubeconfig_path)?,
    };
    let account = account.unwrap_or("administrator");
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": account, "user": user}],
        "contexts": [{"name": "subject", "context": {"cluster": "cluster", "user": account, "namespace": namespace}}],
        "current-context": "subject",
    });
    let path = folder.join("kubeconfig");
    let write = || {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(document.to_string().as_bytes())
    };
    write().map_err(|source| SubjectError::File { action: "write", path: path.clone(), source })?;
    Ok(path)
}

async fn token(context: &SubjectContext, namespace: &str, account: &str) -> Result<String, SubjectError> {
    let api: Api<ServiceAccount> = Api::namespaced(context.client.clone(), namespace);
    let wanted = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(LIFETIME), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    let action = format!("request a token of ServiceAccount `{namespace}/{account}`");
    let parameters = PostParams::default();
    let ask = || request(&action, api.create_token_request(account, &parameters, &wanted));
    let answer = tokio::time::timeout(ACCOUNT, ask.retry(PAUSE).when(is_missing)).await;
    let answer = answer.unwrap_or_else(|_elapsed| {
        Err(SubjectError::Deadline {
            action: format!("wait for ServiceAccount `{namespace}/{account}`"),
            within: ACCOUNT,
            last_seen: "it does not exist".to_owned(),
        })
    })?;
    answer.status.map(|status| status.token).ok_or_else(|| SubjectError::Deadline {
        action,
        within: ACCOUNT,
        last_seen: "the answer holds no token".to_owned(),
    })
}

fn is_missing(error: &SubjectError) -> bool {
    let SubjectError::Api { source, .. } = error else { return false };
    matches!(&**source, kube::Error::Api(status) if status.code == 404)
}

/// The credentials of the harness, with paths that hold in any folder.
fn administrator(path: &Path) -> Result<Value, SubjectError> {
    let unusable = |message: String| SubjectError::Kubeconfig { path: path.to_owned(), message };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(error.to_string()))?;
    let current = kubeconfig.current_context.as_deref().unwrap_or_default();
    let named = kubeconfig.contexts.iter().find(|context| context.name == current);
    let user = named.and_then(|context| context.context.as_ref()?.user.as_deref());
    let user = kubeconfig.auth_infos.iter().find(|candidate| Some(candidate.name.as_str()) == user);
    let user = user.and_then(|user| user.auth_info.as_ref());
    let user = user.ok_or_else(|| unusable(format!("its current context `{current}` names no user")))?;
    serde_json::to_value(user).map_err(|error| unusable(error.to_string()))
}

/// Address and certificate of the API server, without any credentials.
fn cluster_of(path: &Path) -> Result<Cluster, SubjectError> {
    let unusable = |message: String| SubjectError::Kubeconfig { path: path.to_owned(), message };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(error.to_string()))?;
    let current = kubeconfig.current_context.as_deref().unwrap_or_default();
    let named = kubeconfig.contexts.iter().find(|context| context.name == current);
    let cluster = named.and_then(|context| context.context.as_ref()).map(|context| context.cluster.as_str());
    kubeconfig
        .clusters
        .iter()
        .find(|candidate| Some(candidate.name.as_str()) == cluster)
        .and_then(|candidate| candidate.cluster.clone())
        .ok_or_else(|| unusable(format!("its current context `{current}` names no cluster")))
}
