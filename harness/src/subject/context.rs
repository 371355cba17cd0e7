//! What a subject needs to start, and what a release of it is.

use std::path::PathBuf;
use std::sync::Arc;

use kube::Client;
use serde_json::Value;

use super::error::SubjectError;
use super::helm::Helm;
use super::implementation::Implementation;
use crate::cluster::ClusterInfo;
use crate::cluster::process::Supervisor;
use crate::event::EventSink;
use crate::pulse::Pulse;
use crate::record::Observation;

/// Everything outside the subject that its start needs; cloning is cheap.
#[derive(Clone)]
pub struct SubjectContext {
    /// Client of the harness, with the rights of an administrator.
    pub client: Client,
    /// Kubeconfig of the harness, for helm and for the address of the API server.
    pub kubeconfig_path: PathBuf,
    /// The helm program; absent where there is no chart.
    pub helm: Option<Helm>,
    /// Who is tested.
    pub implementation: Arc<Implementation>,
    /// Owner of child processes.
    pub supervisor: Supervisor,
    /// Where notes for people go.
    pub events: EventSink,
    /// The cluster.
    pub info: ClusterInfo,
    /// How late the cluster is, by which deadlines of the implementation move.
    pub pulse: Arc<Pulse>,
    /// Where its processes find the API server, if not where the harness does.
    pub route: Option<ApiRoute>,
}

/// Another way to the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRoute {
    /// `https://host:port`.
    pub server: String,
    /// The certificate that it can be trusted by, as PEM.
    pub authority: String,
}

impl SubjectContext {
    /// Helm and the folder of the chart, which some implementations do not have.
    pub(crate) fn chart(&self) -> Result<(&Helm, PathBuf), SubjectError> {
        self.helm.as_ref().zip(self.implementation.chart()).ok_or(SubjectError::NoChart)
    }

    /// Whether the subject runs as processes of this host.
    pub(super) fn runs_here(&self) -> bool {
        !self.info.node || self.implementation.install.command().is_some()
    }
}

impl std::fmt::Debug for SubjectContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubjectContext")
            .field("implementation", &self.implementation.identity)
            .field("kubeconfig_path", &self.kubeconfig_path)
            .finish_non_exhaustive()
    }
}

/// One install of the subject.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseSpec {
    /// Namespace of the release; it must exist.
    pub namespace: String,
    /// Namespaces that the subject shall watch; empty leaves the setting to the chart.
    pub watched: Vec<String>,
    /// Values of this release, over the implementation's base values; `null` or a map.
    pub values: Value,
    /// Whether it serves several namespaces and needs the implementation's values for that.
    pub shared: bool,
    /// Whether it will be upgraded, so that it begins with the version before, where there is one.
    pub upgraded: bool,
}

/// Where log lines and the subject's own ups and downs go: [`Observation::Log`] and
/// [`Observation::Subject`]. Called from many tasks; must not block.
pub type LogSink = Arc<dyn Fn(Observation) + Send + Sync>;

/// Tells that something happened to the subject because the harness wanted it.
pub(super) fn tell(log: &LogSink, what: impl Into<String>) {
    log(Observation::Subject { what: what.into(), unexpected: false });
}
