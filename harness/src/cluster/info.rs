//! What is known about a cluster.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way a cluster came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Backend {
    /// Child processes of the harness, without a node.
    Local,
    /// A node in a container.
    K3s,
    /// Somebody else's cluster.
    Kubeconfig,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::K3s => "k3s",
            Self::Kubeconfig => "kubeconfig",
        })
    }
}

/// Facts about a running cluster, for planning and for reports.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterInfo {
    /// Which way it came to be.
    pub backend: Backend,
    /// What it really is, for people: `upstream Kubernetes processes`, `k3s rancher/k3s:…`, `upstream
    /// Kubernetes with containerd (node image …)`.
    pub distribution: String,
    /// `gitVersion` of the API server, for example `v1.35.4`.
    pub kubernetes_version: String,
    /// Whether pods really run.
    pub node: bool,
    /// Whether its datastore may be lost.
    pub disposable: bool,
}

/// A minor version of Kubernetes that the `local` backend can build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KubernetesVersion {
    /// 1.34.
    V1_34,
    /// 1.35, what the deployed system runs.
    #[default]
    V1_35,
    /// 1.36.
    V1_36,
}

impl KubernetesVersion {
    /// The full version that is built, for example `v1.35.4`.
    pub fn full(self) -> &'static str {
        match self {
            Self::V1_34 => "v1.34.4",
            Self::V1_35 => "v1.35.4",
            Self::V1_36 => "v1.36.3",
        }
    }
}

/// A version of Kubernetes that cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("unknown Kubernetes version `{0}`; known are 1.34, 1.35 and 1.36")]
pub struct UnknownVersion(String);

impl FromStr for KubernetesVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        match text.trim_start_matches('v') {
            "1.34" | "1.34.4" => Ok(Self::V1_34),
            "1.35" | "1.35.4" => Ok(Self::V1_35),
            "1.36" | "1.36.3" => Ok(Self::V1_36),
            _ => Err(UnknownVersion(text.to_owned())),
        }
    }
}
