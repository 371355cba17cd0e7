//! Why there is no node in a container.

use std::time::Duration;

use testcontainers::TestcontainersError;
use testcontainers::bollard::errors::Error as DockerError;
use testcontainers::core::client::ClientError;

/// A failed call to Docker or to the node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum K3sError {
    /// The Docker settings of the environment cannot be used.
    #[error("use the Docker settings of the environment")]
    DockerSettings(#[source] ClientError),
    /// Nobody answers at the daemon's address, or not for us.
    #[error("reach the Docker daemon (is it running, and may this user talk to it?)")]
    DockerUnreachable(#[source] DockerError),
    /// The daemon took too long for an answer.
    #[error("{action}: no answer from the Docker daemon within {} s", deadline.as_secs())]
    DockerSilent {
        /// What it was asked to do.
        action: &'static str,
        /// How long it had.
        deadline: Duration,
    },
    /// The image is not there and was not pulled.
    #[error("pull image `{image}`, which is not present")]
    Pull {
        /// The image.
        image: String,
        /// Why not.
        #[source]
        source: Box<TestcontainersError>,
    },
    /// The daemon does not tell about the image.
    #[error("inspect image `{image}`")]
    InspectImage {
        /// The image.
        image: String,
        /// Why not.
        #[source]
        source: DockerError,
    },
    /// The daemon does not list its containers.
    #[error("list containers of earlier runs")]
    List(#[source] DockerError),
    /// A container stays.
    #[error("remove container `{container}`")]
    Remove {
        /// Name or id of the container.
        container: String,
        /// Why.
        #[source]
        source: DockerError,
    },
    /// The container of this run stays.
    #[error("remove container `{container}`")]
    Stop {
        /// Id of the container.
        container: String,
        /// Why.
        #[source]
        source: Box<TestcontainersError>,
    },
    /// The container does not start, neither privileged nor with single capabilities.
    #[error("start a container of image `{image}` ({privileges})")]
    Start {
        /// The image.
        image: String,
        /// The rights that were asked for last, and how asking for more had failed.
        privileges: String,
        /// Why not.
        #[source]
        source: Box<TestcontainersError>,
    },
    /// The container's API port is not published.
    #[error("find the published API port of image `{image}`")]
    Port {
        /// The image.
        image: String,
        /// Why not.
        #[source]
        source: Box<TestcontainersError>,
    },
    /// The node ended while it was waited for.
    #[error("image `{image}` ended with code {code} before it was ready; its last lines were:\n{log}")]
    Exited {
        /// The image.
        image: String,
        /// Exit code.
        code: i64,
        /// The end of its log.
        log: String,
    },
    /// The node did not become ready.
    #[error(
        "image `{image}` was not ready after {} s: {waiting_for}; its last lines were:\n{log}",
        deadline.as_secs()
    )]
    NotReady {
        /// The image.
        image: String,
        /// How long it had.
        deadline: Duration,
        /// What was not ready and how it was seen last.
        waiting_for: String,
        /// The end of its log.
        log: String,
    },
    /// The node's kubeconfig does not appear.
    #[error("copy the kubeconfig of image `{image}`: {last}")]
    CopyKubeconfig {
        /// The image.
        image: String,
        /// The last failure.
        last: String,
    },
    /// The node's kubeconfig is none.
    #[error("read the kubeconfig of image `{image}`")]
    Kubeconfig {
        /// The image.
        image: String,
        /// Why not.
        #[source]
        source: kube::config::KubeconfigError,
    },
    /// The files of this machine about the node, kubeconfig and audit log, are not written.
    #[error("write kubeconfig and audit log of the node")]
    WriteFiles(#[source] std::io::Error),
    /// The API server refuses a question about the node's readiness.
    #[error("{action}")]
    Api {
        /// What was asked.
        action: &'static str,
        /// The answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server refuses to let an object be watched.
    #[error("watch {object}")]
    Watch {
        /// The object.
        object: &'static str,
        /// The answer.
        #[source]
        source: Box<kube::runtime::wait::Error>,
    },
}
