//! Everything that has to be there before the first case: programs, cluster, kinds, watches.

use std::sync::Arc;

use kube::Client;

use super::EngineError;
use super::images::{self, Images};
use super::plan::{Abilities, Plan};
use super::renderings::Renderings;
use crate::cluster::{
    self, Backend, BackendChoice, Cluster, ClusterError, ClusterSpec, KubeControllers, RunsAs, k3s,
};
use crate::database;
use crate::event::{Artifact, EventSink};
use crate::pulse::Pulse;
use crate::subject::{self, Helm, Implementation, Programs, SubjectContext, SubjectError};

/// The cluster and what acts on it.
pub(super) struct Prepared {
    pub(super) cluster: Cluster,
    pub(super) client: Client,
    /// How late this cluster is.
    pub(super) pulse: Arc<Pulse>,
    /// What it takes to install the implementation under test; absent where the cluster itself is tested.
    pub(super) context: Option<SubjectContext>,
    pub(super) renderings: Arc<Renderings>,
    /// How a cluster like this one is started for one case alone: processes, and the kinds of the
    /// implementation.
    pub(super) own_clusters: Option<ClusterSpec>,
    /// Empty where no chart is installed.
    pub(super) helm_version: String,
    /// What the implementation is made of beside its chart.
    pub(super) artifacts: Vec<Artifact>,
    /// What the node was given; a node may read the archives for as long as it runs.
    _images: Option<Images>,
}

impl Prepared {
    /// What the cluster can do.
    pub(super) fn abilities(&self) -> Abilities {
        Abilities {
            node: self.cluster.info().node,
            audit: self.cluster.audit_log().is_some(),
            own: self.own_clusters.is_some(),
            database: !self.cluster.info().node && database::programs().is_some(),
        }
    }
}

/// Starts a cluster that is tested itself.
pub(super) async fn prepare_cluster(
    cluster: &ClusterSpec,
    events: &EventSink,
) -> Result<Prepared, EngineError> {
    let mut spec = cluster.clone();
    spec.backend = cluster::resolve(&spec, RunsAs::Anything, events).await;
    spec.controllers = KubeControllers::WithoutPods;
    let cluster = cluster::start(&spec, events).await?;
    let client = cluster.client().await?;
    Ok(Prepared {
        pulse: Pulse::start(client.clone()),
        client,
        cluster,
        context: None,
        own_clusters: None,
        renderings: Arc::default(),
        helm_version: String::new(),
        artifacts: Vec::new(),
        _images: None,
    })
}

/// Starts the cluster and, meanwhile, builds the subject and renders what the plan is going to look at.
pub(super) async fn prepare(
    cluster: &ClusterSpec,
    plan: &Plan,
    implementation: Implementation,
    events: &EventSink,
) -> Result<Prepared, EngineError> {
    let implementation = Arc::new(implementation);
    let renderings = Arc::new(Renderings::default());
    let mut spec = cluster.clone();
    let supervisor = cluster.supervisor.clone();
    let runs_as = if implementation.process.is_some() { RunsAs::Anything } else { RunsAs::Pods };
    spec.backend = cluster::resolve(&spec, runs_as, events).await;
    // The node must be given its images before it starts; the folder that holds them lives that long.
    let images = match spec.backend {
        BackendChoice::K3s => {
            k3s::answers().await.map_err(ClusterError::from)?;
            Some(images::archives(&implementation, events).await?)
        }
        _ => None,
    };
    if let Some(images) = &images {
        spec.images.extend(images.archives.iter().cloned());
    }
    let building = async {
        let first = implementation.first();
        let command = |version: &Implementation| version.process.as_ref()?.build.clone();
        let has_own = first.file() != implementation.file() || command(&first) != command(&implementation);
        let versions = std::iter::once(&implementation).chain(has_own.then_some(&first));
        for version in versions.filter(|_| images.is_none()) {
            if let Some(build) = command(version) {
                subject::build(version, &build, events).await?;
            }
        }
        Ok::<_, EngineError>(())
    };
    let starting = async {
        let helm = match implementation.install.chart() {
            Some(_) => {
                let found = cluster::provision::helm(events).await?;
                Some(Helm::new(&found).map_err(SubjectError::from)?)
            }
            None => None,
        };
        let version = async {
            match &helm {
                Some(helm) => helm.version().await.map_err(SubjectError::from),
                None => Ok(String::new()),
            }
        };
        let (version, kinds) = tokio::try_join!(version, subject::crds::of(&implementation, helm.as_ref()))?;
        spec.kinds = kinds;
        spec.controllers = KubeControllers::WithoutPods;
        let cluster = tokio::select! {
            cluster = cluster::start(&spec, events) => cluster?,
            // A start leaves processors idle.
            never = renderings.ahead(plan, helm.as_ref(), &implementation) => match never {},
        };
        let own_clusters = (cluster.info().backend == Backend::Local)
            .then(|| ClusterSpec { backend: BackendChoice::Local, ..spec });
        Ok::<_, EngineError>((cluster, helm, version, own_clusters))
    };
    // Boxed, so that the callers stay small.
    let ((cluster, helm, helm_version, own_clusters), ()) = tokio::try_join!(Box::pin(starting), building)?;
    let programs = match &images {
        Some(_) => Programs::Images,
        None if cluster.info().node => Programs::Elsewhere,
        None => Programs::Processes,
    };
    // Programs are large, and others wait for this thread.
    let described = Arc::clone(&implementation);
    let artifacts = tokio::task::spawn_blocking(move || described.artifacts(programs));
    let artifacts = artifacts.await.unwrap_or_default();
    let client = cluster.client().await?;
    let pulse = Pulse::start(client.clone());
    let context = SubjectContext {
        client: client.clone(),
        kubeconfig_path: cluster.kubeconfig_path().to_owned(),
        helm,
        implementation,
        supervisor,
        events: events.clone(),
        info: cluster.info().clone(),
        route: None,
        pulse: Arc::clone(&pulse),
    };
    Ok(Prepared {
        cluster,
        client,
        pulse,
        context: Some(context),
        own_clusters,
        renderings,
        helm_version,
        artifacts,
        _images: images,
    })
}
