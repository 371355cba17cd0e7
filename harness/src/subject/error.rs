//! What can go wrong with a subject, and whose trouble it is.

use std::path::PathBuf;
use std::time::Duration;

use super::helm::HelmError;
use super::pod_template::TemplateError;
use super::ports::NoFreePort;
use crate::cluster::ClusterError;
use crate::cluster::process::SpawnError;

/// A subject that could not be installed, started, asked, stopped or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// The cluster does not do what an install needs.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
    /// A build command failed.
    #[error("build the subject with `{command}`: {message}")]
    Build {
        /// The command line.
        command: String,
        /// How it ended and the end of its output.
        message: String,
    },
    /// The defects of an implementation cannot be listed.
    #[error("list defects with `{command}`: {message}")]
    Defects {
        /// The command line.
        command: String,
        /// What went wrong.
        message: String,
    },
    /// Helm failed.
    #[error(transparent)]
    Helm(#[from] HelmError),
    /// Something was asked for that takes a chart.
    #[error("the implementation has no chart")]
    NoChart,
    /// The API server refused an object of the implementation's manifests.
    #[error("apply {object}: {message}")]
    Refused {
        /// Kind and name.
        object: String,
        /// What the API server said.
        message: String,
    },
    /// The chart renders nothing that could be started.
    #[error("release `{release}` in namespace `{namespace}` has no Deployment")]
    NoDeployment {
        /// Name of the release.
        release: String,
        /// Its namespace.
        namespace: String,
    },
    /// The API server refused or did not answer.
    #[error("{action}")]
    Api {
        /// What was asked of it, naming the object.
        action: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// Something did not happen in time.
    #[error("{action}: not within {} s; {last_seen}", .within.as_secs_f32())]
    Deadline {
        /// What was waited for, naming the object.
        action: String,
        /// How long.
        within: Duration,
        /// The state that was seen last.
        last_seen: String,
    },
    /// A pod template cannot become a process.
    #[error("pod template of Deployment `{deployment}`: {source}")]
    Template {
        /// The Deployment.
        deployment: String,
        /// Why.
        source: TemplateError,
    },
    /// A pod template needs what only a node has.
    #[error("Deployment `{deployment}` {what}, which needs a cluster with a node")]
    NeedsNode {
        /// The Deployment.
        deployment: String,
        /// What it asks for.
        what: String,
    },
    /// The implementation file names no program for a container.
    #[error("the implementation file names no local program for `{program}` (container `{container}`)")]
    NoProgram {
        /// Name of the container.
        container: String,
        /// First word of its command, or its image.
        program: String,
    },
    /// The program of a command is nowhere in `PATH`.
    #[error("`{0}` was not found in PATH")]
    NotInPath(String),
    /// A process could not be started at all.
    #[error("start container `{container}` as a process")]
    Spawn {
        /// Name of the container.
        container: String,
        /// Why.
        source: SpawnError,
    },
    /// All ports are taken.
    #[error(transparent)]
    Port(#[from] NoFreePort),
    /// A file of the harness could not be written or read.
    #[error("{action} `{}`", .path.display())]
    File {
        /// What was done to it.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The kubeconfig of the harness cannot be used.
    #[error("take the address of the API server from the kubeconfig `{}`: {message}", .path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The subject ended before it was ready.
    #[error("{name} {how} before it was ready{}", tail(.log))]
    Exited {
        /// Container and pod.
        name: String,
        /// How it ended.
        how: String,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The subject runs but never said that it is ready.
    #[error("{name} was not ready within {} s: {last_answer}{}", .within.as_secs_f32(), tail(.log))]
    NotReady {
        /// Container and pod.
        name: String,
        /// How long it was asked.
        within: Duration,
        /// Its last answer.
        last_answer: String,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The version before the one under test could not be installed or started.
    #[error(
        "begin with the previous version, chart `{}`, and values that both versions have to accept",
        .chart.display()
    )]
    Previous {
        /// Its chart.
        chart: PathBuf,
        /// Why.
        source: Box<Self>,
    },
    /// The subject is stopped, so it cannot be asked anything.
    #[error("the subject in namespace `{0}` is not running")]
    NotRunning(String),
    /// It was asked to end and did not do so in order.
    #[error("asked to end, {name} {how}, after {} s", .took.as_secs_f32())]
    NoOrderlyEnd {
        /// Container and pod.
        name: String,
        /// How it ended.
        how: String,
        /// How long that took.
        took: Duration,
    },
    /// The implementation file names no Lease.
    #[error("the implementation file names no Lease, so nobody can be told to be the leader")]
    NoLease,
    /// No replica became the leader.
    #[error("no replica held the Lease `{lease}` within {} s; its holder is {identity}", .within.as_secs_f32())]
    NoLeader {
        /// Namespace and name of the Lease.
        lease: String,
        /// How long was waited.
        within: Duration,
        /// Who holds it.
        identity: String,
    },
    /// An endpoint gave no HTTP answer.
    #[error("ask {url}: {message}")]
    NoAnswer {
        /// What was asked.
        url: String,
        /// Why there is no answer.
        message: String,
    },
}

impl SubjectError {
    /// Whether this is trouble of the subject or its chart, a verdict *failed*; everything else is
    /// trouble of the harness, of helm or of the cluster and leaves the question open.
    pub fn is_subject_fault(&self) -> bool {
        match self {
            Self::Exited { .. }
            | Self::NotReady { .. }
            | Self::NoDeployment { .. }
            | Self::Refused { .. }
            | Self::NoLeader { .. }
            | Self::NoOrderlyEnd { .. }
            | Self::NoAnswer { .. } => true,
            Self::Template { source, .. } => source.is_subject_fault(),
            Self::Helm(error) => error.is_chart_fault(),
            // Also [`Self::Previous`]: what the version before refuses says nothing about the one under test.
            _ => false,
        }
    }

    /// Wraps what the API server said.
    pub(super) fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        |source| Self::Api { action: action.into(), source: Box::new(source) }
    }
}

/// The last lines of a log as a paragraph of their own, if there are any.
fn tail(lines: &[String]) -> String {
    if lines.is_empty() {
        "; its log is empty".to_owned()
    } else {
        format!("; its log ends with\n{}", lines.join("\n"))
    }
}

impl From<ClusterError> for SubjectError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_before_is_never_the_one_that_failed() {
        let refused = HelmError::Chart {
            action: "install release `r`".to_owned(),
            message: "values don't meet the specifications of the schema".to_owned(),
        };
        let error = SubjectError::Previous { chart: "old.tgz".into(), source: Box::new(refused.into()) };
        assert!(!error.is_subject_fault());
        let expected =
            "begin with the previous version, chart `old.tgz`, and values that both versions have to accept";
        assert_eq!(error.to_string(), expected);
    }
}
