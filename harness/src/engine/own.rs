//! A local cluster that nobody else uses, so that it may be destroyed, and the next one after it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::EngineError;
use super::api::request;
use super::cleanup::RUN_LABEL;
use super::plan::Plan;
use super::played::PlayedJobs;
use super::prepare::{self, Prepared};
use super::run::new_run_id;
use crate::cluster::{self, BackendChoice, Cluster, ClusterSpec, KubeControllers};
use crate::event::EventSink;
use crate::pulse::Pulse;
use crate::subject::{Implementation, SubjectContext};

/// A cluster of one's own, and what it takes to install the implementation there.
pub(crate) struct OwnCluster {
    cluster: Cluster,
    subjects: SubjectContext,
    spec: ClusterSpec,
    run_id: String,
}

/// What outlives a cluster that was destroyed: enough to start the next one.
pub(crate) struct Ruin {
    subjects: SubjectContext,
    spec: ClusterSpec,
    run_id: String,
}

impl OwnCluster {
    /// Builds the implementation and starts the first cluster, with its kinds served.
    pub(crate) async fn start(
        spec: ClusterSpec,
        implementation: Implementation,
        events: &EventSink,
    ) -> Result<Self, EngineError> {
        let spec = ClusterSpec { backend: BackendChoice::Local, ..spec };
        let nothing = Plan { cases: Vec::new(), releases: Vec::new(), filtered: false };
        let Prepared { cluster, context, .. } =
            prepare::prepare(&spec, &nothing, implementation, events).await?;
        let subjects = context.ok_or(EngineError::NoImplementation)?;
        // As the first one was started.
        let spec = ClusterSpec { controllers: KubeControllers::WithoutPods, ..spec };
        Ok(Self { cluster, subjects, spec, run_id: new_run_id() })
    }

    /// Kills all of its processes at once and removes its data.
    pub(crate) async fn destroy(self) -> Result<Ruin, EngineError> {
        let folder = self.cluster.kubeconfig_path().parent().map(PathBuf::from).unwrap_or_default();
        self.cluster.stop().await?;
        if folder.exists() {
            return Err(EngineError::NotDestroyed { folder });
        }
        Ok(Ruin { subjects: self.subjects, spec: self.spec, run_id: self.run_id })
    }

    /// A client with every right.
    pub(crate) fn client(&self) -> &Client {
        &self.subjects.client
    }

    /// What it takes to install the implementation.
    pub(crate) fn subjects(&self) -> &SubjectContext {
        &self.subjects
    }

    /// The log of requests.
    pub(crate) fn audit_log(&self) -> Option<PathBuf> {
        self.cluster.audit_log()
    }

    /// Resolves with a sentence when a process of the cluster ends unasked.
    pub(crate) async fn lost(&self) -> String {
        self.cluster.lost().await
    }

    /// Makes a namespace whose Jobs get no pods.
    pub(crate) async fn played_namespace(&self, name: &str) -> Result<(), EngineError> {
        let played = PlayedJobs::install(self.client(), &self.run_id).await?;
        let mut labels: BTreeMap<String, String> = played.labels();
        labels.insert(RUN_LABEL.to_owned(), self.run_id.clone());
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap_or_default();
        let api: Api<Namespace> = Api::all(self.client().clone());
        let parameters = PostParams::default();
        request(|| async { api.create(&parameters, &namespace).await }).await.map(drop).map_err(|error| {
            EngineError::Request { action: format!("create the namespace {name}"), reason: error.to_string() }
        })
    }
}

impl Ruin {
    /// Starts a cluster that has nothing of the one before but its version and its size.
    pub(crate) async fn rebuild(self, events: &EventSink) -> Result<OwnCluster, EngineError> {
        let cluster = cluster::start(&self.spec, events).await?;
        let client = cluster.client().await?;
        let subjects = SubjectContext {
            pulse: Pulse::start(client.clone()),
            client,
            kubeconfig_path: cluster.kubeconfig_path().to_owned(),
            info: cluster.info().clone(),
            ..self.subjects
        };
        Ok(OwnCluster { cluster, subjects, spec: self.spec, run_id: self.run_id })
    }
}
