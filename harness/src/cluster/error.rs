//! Why there is no cluster.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::k3s::K3sError;
use super::process::{Exit, SpawnError};
use super::provision::ProvisionError;

/// A cluster that cannot be started, reached or stopped. Messages read after "failed to get a cluster: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The binaries of the `local` backend are missing and cannot be built.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// A component's process was not started.
    #[error("start {component}")]
    Spawn {
        /// Name of the component, for example `kube-apiserver`.
        component: &'static str,
        /// Why.
        #[source]
        source: SpawnError,
    },
    /// A component's process ended while it was needed.
    #[error("{component} {exit}; the end of its log:\n{log}")]
    Ended {
        /// Name of the component.
        component: &'static str,
        /// How it ended.
        exit: Exit,
        /// Last lines of its log.
        log: String,
    },
    /// A component could not write its data.
    #[error("{component} ended, because the disk of `{}` is full: free a few hundred megabytes, or set TMPDIR to a folder on another disk", .folder.display())]
    DiskFull {
        /// Name of the component.
        component: &'static str,
        /// Folder of the cluster's state.
        folder: PathBuf,
    },
    /// Something did not become true in time.
    #[error("{what} within {waited:?}; last seen: {last}")]
    NotReady {
        /// What was waited for, negated: `the API server was not ready`.
        what: String,
        /// How long.
        waited: Duration,
        /// The last known state.
        last: String,
    },
    /// Another process took the chosen ports, several times in a row.
    #[error("ports on 127.0.0.1 were taken by other processes {attempts} times in a row")]
    Ports {
        /// How often it was tried.
        attempts: u32,
    },
    /// A file or socket of the cluster.
    #[error("{action} `{}`", .path.display())]
    Io {
        /// What was done: `write`, `create the folder`.
        action: &'static str,
        /// With which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The datastore did not do what it was asked for.
    #[error("ask etcd to {action}: {reason}")]
    Datastore {
        /// What: `tell its revision`.
        action: &'static str,
        /// What it said, or why it could not be asked.
        reason: String,
    },
    /// A certificate was not made.
    #[error("make the certificate of {0}")]
    Certificate(&'static str, #[source] rcgen::Error),
    /// A kubeconfig cannot be read or does not describe a usable cluster.
    #[error("read the kubeconfig")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// A kubeconfig cannot be written.
    #[error("render the kubeconfig")]
    RenderKubeconfig(#[source] serde_json::Error),
    /// The `kubeconfig` backend was asked for without a context.
    #[error("the kubeconfig backend needs the name of a context (--context); known are: {known}")]
    NoContext {
        /// The contexts of the user's kubeconfig, separated by commas.
        known: String,
    },
    /// The named context does not exist or names a missing cluster or user.
    #[error("the kubeconfig has no complete context `{context}`; known are: {known}")]
    UnknownContext {
        /// The wanted context.
        context: String,
        /// The contexts of the user's kubeconfig, separated by commas.
        known: String,
    },
    /// The API server did not answer.
    #[error("{action}")]
    Api {
        /// What it was asked, for example `ask the API server for its version`.
        action: &'static str,
        /// Its answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// A kind is not served.
    #[error("serve the kind of CRD `{name}`")]
    Kind {
        /// Name of the CRD.
        name: String,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
    /// Docker or the node in its container.
    #[error(transparent)]
    K3s(Box<super::k3s::K3sError>),
    /// No cluster is kept.
    #[error("no kept cluster is running; `hallmark cluster up` starts one")]
    NotKept,
    /// A cluster is kept already.
    #[error("a kept cluster is running already (process {pid}); `hallmark cluster down` stops it")]
    AlreadyKept {
        /// The process that owns it.
        pid: u32,
    },
    /// The process that was to keep a cluster failed.
    #[error("keep a cluster: {0}")]
    Keeper(String),
}

impl ClusterError {
    /// Whether the command line or the user's kubeconfig is at fault, found before anything is started.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Kubeconfig(_) | Self::NoContext { .. } | Self::UnknownContext { .. } | Self::NotKept
        )
    }

    /// Wraps an error about a path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Wraps an answer of the API server.
    pub(crate) fn api(action: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Api { action, source: Box::new(source) }
    }
}

impl From<kube::config::KubeconfigError> for ClusterError {
    fn from(error: kube::config::KubeconfigError) -> Self {
        Self::Kubeconfig(Box::new(error))
    }
}

impl From<K3sError> for ClusterError {
    fn from(error: K3sError) -> Self {
        Self::K3s(Box::new(error))
    }
}
