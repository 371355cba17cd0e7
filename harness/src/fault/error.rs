//! Why the proxy cannot stand between subject and API server.

use std::path::PathBuf;

use super::gate::Dead;

/// A proxy that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// No port of this host is free.
    #[error("listen on a port of this host for the fault proxy")]
    Listen(#[source] std::io::Error),
    /// Its certificate could not be made.
    #[error("make the certificate of the fault proxy")]
    Certificate(#[from] rcgen::Error),
    /// Its certificate cannot be used.
    #[error("set up TLS of the fault proxy")]
    Tls(#[from] rustls::Error),
    /// The harness's own kubeconfig tells no API server.
    #[error("find the API server in kubeconfig `{}`: {message}", .path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

/// Why a connection of the subject is cut.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    /// A scenario wants it.
    #[error("the connection is cut by the test harness")]
    Wanted,
    /// The subject that asked is dead.
    #[error(transparent)]
    Dead(#[from] Dead),
    /// The subject stopped asking in the middle of a request.
    #[error("read the request of the subject")]
    Request(#[source] tower::BoxError),
    /// The API server gave no answer.
    #[error("ask the API server")]
    Upstream(#[from] kube::Error),
}
