//! Why a run could not judge anything.

use crate::cluster::ClusterError;
use crate::cluster::provision::ProvisionError;
use crate::record::WatchError;
use crate::subject::SubjectError;

/// Trouble that ends a whole run; what concerns one case only is its verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// There is something to be run, but nothing to run it against.
    #[error("the suite names no implementation; name one with --implementation")]
    NoImplementation,
    /// There is no cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Helm could not be found or built.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// The subject could not be built, or its CRDs not installed.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// A watch did not come up.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The API server serves no such kind.
    #[error("the cluster does not serve {kind} ({api_version}), which the suite uses")]
    UnknownKind {
        /// `apiVersion`.
        api_version: String,
        /// `kind`.
        kind: String,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The policy that keeps played Jobs from getting pods did not become active.
    #[error("{action}")]
    PlayedJobs {
        /// What was done.
        action: &'static str,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The policy that keeps played Jobs from getting pods did not become active in time.
    #[error("the admission policy for played Jobs was not active within {0} s")]
    PlayedJobsInactive(u64),
    /// The record could not be written.
    #[error("write the record to `{}`", path.display())]
    Record {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The API server's log of requests could not be opened.
    #[error("read the audit log `{}`", path.display())]
    AuditLog {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What was to keep the machine busy could not begin.
    #[error("{action} for the load")]
    Load {
        /// What was done.
        action: &'static str,
        /// Why it could not be done.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An image for the node could not be made.
    #[error("make the image `{reference}`")]
    Image {
        /// The image.
        reference: String,
        /// Why.
        #[source]
        source: crate::cluster::k3s::archive::ArchiveError,
    },
    /// The folder for images could not be made.
    #[error("make a folder for images")]
    ImageFolder(#[source] std::io::Error),
    /// A case needs a cluster of its own where none can be started.
    #[error("no cluster can be started for one case alone")]
    NoOwnCluster,
    /// A cluster that was destroyed has left something.
    #[error("the cluster was destroyed, but its data are still in `{}`", folder.display())]
    NotDestroyed {
        /// Its folder.
        folder: std::path::PathBuf,
    },
    /// The API server did not do what was asked, or did not answer.
    #[error("{action}: {reason}")]
    Request {
        /// What was asked, and of which object.
        action: String,
        /// What it said.
        reason: String,
    },
    /// A chart's files could not be read for their digest.
    #[error("read the chart `{}`", path.display())]
    Chart {
        /// The folder.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
