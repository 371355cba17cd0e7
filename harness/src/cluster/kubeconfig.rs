//! Kubeconfig files: the user's, of which one named context is used, and the ones that are written.
//!
//! The harness never takes a current context by itself: somebody's shell may point at production.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, ListParams};
use kube::config::Kubeconfig;
use tempfile::TempDir;

use super::info::{Backend, ClusterInfo};
use super::{ClusterError, client};
use crate::scratch::{self, Scratch};

/// How long somebody else's cluster may take to answer.
const ANSWER: Duration = Duration::from_secs(15);

/// The cluster of a named context.
#[derive(Debug)]
pub struct AttachedCluster {
    info: ClusterInfo,
    path: PathBuf,
    /// Removed with the handle: the copy holds credentials.
    _dir: TempDir,
}

impl AttachedCluster {
    /// What is known about it.
    pub fn info(&self) -> &ClusterInfo {
        &self.info
    }

    /// A kubeconfig with nothing but the named context.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.path
    }
}

/// Reads the user's kubeconfig (`KUBECONFIG`, else `~/.kube/config`) and reaches the cluster of `context`.
pub async fn attach(context: Option<&str>) -> Result<AttachedCluster, ClusterError> {
    let all = Kubeconfig::read()?;
    let Some(context) = context else { return Err(ClusterError::NoContext { known: names(&all) }) };
    let minimal = minimal(&all, context)?;
    let dir = scratch::folder(Scratch::Kubeconfig)
        .map_err(ClusterError::io("create a folder in", std::env::temp_dir()))?;
    let path = dir.path().join("kubeconfig");
    write(&minimal, &path)?;
    let client = client::connect(&path).await?;
    let kubernetes_version = client::server_version(&client, ANSWER).await?;
    let info = ClusterInfo {
        backend: Backend::Kubeconfig,
        distribution: format!("cluster of context {context}"),
        kubernetes_version,
        node: has_node(&client).await,
        disposable: false,
    };
    Ok(AttachedCluster { info, path, _dir: dir })
}

/// A client for a context of the kubeconfig at `file`, by default its current one; without a file for the
/// named context of the user's kubeconfig.
pub async fn client(file: Option<&Path>, context: Option<&str>) -> Result<Client, ClusterError> {
    let kubeconfig = match (file, context) {
        (Some(file), None) => Kubeconfig::read_from(file)?,
        (Some(file), Some(context)) => minimal(&Kubeconfig::read_from(file)?, context)?,
        (None, Some(context)) => minimal(&Kubeconfig::read()?, context)?,
        (None, None) => return Err(ClusterError::NoContext { known: names(&Kubeconfig::read()?) }),
    };
    client::of(kubeconfig).await
}

/// Whether there is a node; false also if the user may not know.
async fn has_node(client: &Client) -> bool {
    let nodes: Api<Node> = Api::all(client.clone());
    let one = ListParams::default().limit(1);
    let answer = tokio::time::timeout(ANSWER, nodes.list_metadata(&one)).await;
    answer.is_ok_and(|list| list.is_ok_and(|list| !list.items.is_empty()))
}

fn names(kubeconfig: &Kubeconfig) -> String {
    let names: Vec<_> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The part of `all` that `context` needs, with `context` as the current one.
fn minimal(all: &Kubeconfig, context: &str) -> Result<Kubeconfig, ClusterError> {
    let part = || {
        let named = all.contexts.iter().find(|candidate| candidate.name == context)?;
        let inner = named.context.as_ref()?;
        let cluster = all.clusters.iter().find(|cluster| cluster.name == inner.cluster)?;
        let user = inner.user.as_ref();
        let auth_infos: Vec<_> =
            all.auth_infos.iter().filter(|info| Some(&info.name) == user).cloned().collect();
        if user.is_some() && auth_infos.is_empty() {
            return None;
        }
        Some(Kubeconfig {
            api_version: Some("v1".to_owned()),
            kind: Some("Config".to_owned()),
            current_context: Some(context.to_owned()),
            contexts: vec![named.clone()],
            clusters: vec![cluster.clone()],
            auth_infos,
            ..Kubeconfig::default()
        })
    };
    part().ok_or_else(|| ClusterError::UnknownContext { context: context.to_owned(), known: names(all) })
}

/// Writes `kubeconfig` to a new file that only the user can read. JSON is YAML.
pub(super) fn write(kubeconfig: &Kubeconfig, path: &Path) -> Result<(), ClusterError> {
    let text = serde_json::to_vec_pretty(kubeconfig).map_err(ClusterError::RenderKubeconfig)?;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(&text))
        .map_err(ClusterError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"{
        "current-context": "production",
        "clusters": [{"name": "p", "cluster": {"server": "https://p"}}, {"name": "t", "cluster": {"server": "https://t"}}],
        "users": [{"name": "root", "user": {"token": "secret"}}, {"name": "me", "user": {"token": "mine"}}],
        "contexts": [
            {"name": "production", "context": {"cluster": "p", "user": "root"}},
            {"name": "test", "context": {"cluster": "t", "user": "me"}},
            {"name": "broken", "context": {"cluster": "t", "user": "nobody"}}
        ]
    }"#;

    fn two() -> Kubeconfig {
        serde_json::from_str(TWO).unwrap()
    }

    #[test]
    fn only_the_named_context_is_written_and_its_secrets_survive() {
        let text = serde_json::to_string(&minimal(&two(), "test").unwrap()).unwrap();
        assert!(text.contains(r#""current-context":"test""#), "{text}");
        assert!(text.contains("https://t") && text.contains("mine"), "{text}");
        assert!(!text.contains("https://p") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn unknown_and_incomplete_contexts_are_refused_and_the_known_ones_named() {
        for context in ["other", "broken"] {
            let error = minimal(&two(), context).unwrap_err().to_string();
            assert!(error.contains(context) && error.contains("production, test, broken"), "{error}");
        }
    }
}
