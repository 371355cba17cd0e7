//! Choosing a backend and starting it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::auto::{RunsAs, resolve};
use super::info::{ClusterInfo, KubernetesVersion};
use super::process::Supervisor;
use super::{ClusterError, audit, client, k3s, kept, kinds, kubeconfig, local};
use crate::event::EventSink;

/// Which cluster is wanted.
#[derive(Debug, Clone, Default)]
pub struct ClusterSpec {
    /// Which backend.
    pub backend: BackendChoice,
    /// Which Kubernetes, where the backend lets choose.
    pub kubernetes: KubernetesVersion,
    /// Image of the `k3s` backend, `repository:tag`.
    pub k3s_image: String,
    /// Image archives (`docker save` format) to be preloaded into the node.
    pub images: Vec<PathBuf>,
    /// Which of Kubernetes' own controllers the `local` backend runs.
    pub controllers: KubeControllers,
    /// CRDs whose kinds are to be served when the cluster is used.
    pub kinds: Vec<serde_json::Value>,
    /// Context of the `kubeconfig` backend.
    pub context: Option<String>,
    /// The binary that supervises the processes of the `local` backend.
    pub supervisor: Supervisor,
}

/// Which of Kubernetes' own controllers run. There is no node, so none of them gets a pod to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KubeControllers {
    /// Those of Deployments included: for people who look at the cluster.
    #[default]
    All,
    /// Those that act without pods: for a run, where each further one costs requests at each install.
    WithoutPods,
    /// Without that of Jobs, too: for measurements that play Jobs and have no use for its attempts to make
    /// pods.
    WithoutJobs,
}

/// Which backend is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// `local` if its programs are there or Go can build them, else `k3s` if Docker answers and the image is present
    /// or can be pulled, see [`resolve`].
    #[default]
    Auto,
    /// Processes.
    Local,
    /// A node in a container.
    K3s,
    /// The cluster that `hallmark cluster up` keeps.
    Kept,
    /// A named context of the user's kubeconfig.
    Kubeconfig,
}

/// A cluster in use.
///
/// Dropping it kills what was started for it at once, without waiting; [`Cluster::stop`] waits. A kept
/// cluster and the user's own cluster go on in both cases.
#[derive(Debug)]
pub struct Cluster {
    running: Running,
    start_time: Duration,
}

#[derive(Debug)]
enum Running {
    Local(Box<local::LocalCluster>),
    K3s(Box<k3s::K3sCluster>),
    Kept(kept::KeptCluster),
    Kubeconfig(kubeconfig::AttachedCluster),
}

/// Starts or finds the wanted cluster and returns when it can be worked with: the API server is ready and
/// the controllers act, and the wanted kinds are served.
pub async fn start(spec: &ClusterSpec, events: &EventSink) -> Result<Cluster, ClusterError> {
    let begin = Instant::now();
    let running = match resolve(spec, RunsAs::Anything, events).await {
        BackendChoice::K3s => Running::K3s(Box::new(k3s::start(spec, events).await?)),
        BackendChoice::Kept => Running::Kept(kept::find()?),
        BackendChoice::Kubeconfig => Running::Kubeconfig(kubeconfig::attach(spec.context.as_deref()).await?),
        BackendChoice::Local | BackendChoice::Auto => {
            Running::Local(Box::new(Box::pin(local::start(spec, events)).await?))
        }
    };
    let start_time = match &running {
        Running::Local(cluster) => cluster.start_time(),
        Running::K3s(_) => begin.elapsed(),
        Running::Kept(_) | Running::Kubeconfig(_) => Duration::ZERO,
    };
    let cluster = Cluster { running, start_time };
    if !matches!(cluster.running, Running::Local(_)) {
        kinds::serve(&cluster.client().await?, &spec.kinds).await?;
    }
    Ok(cluster)
}

impl Cluster {
    /// What is known about it.
    pub fn info(&self) -> &ClusterInfo {
        match &self.running {
            Running::Local(cluster) => cluster.info(),
            Running::K3s(cluster) => cluster.info(),
            Running::Kept(cluster) => cluster.info(),
            Running::Kubeconfig(cluster) => cluster.info(),
        }
    }

    /// A kubeconfig file with one context and every right that the harness has.
    pub fn kubeconfig_path(&self) -> &Path {
        match &self.running {
            Running::Local(cluster) => cluster.kubeconfig_path(),
            Running::K3s(cluster) => cluster.kubeconfig_path(),
            Running::Kept(cluster) => cluster.kubeconfig_path(),
            Running::Kubeconfig(cluster) => cluster.kubeconfig_path(),
        }
    }

    /// Its processes, if they are this process's to kill.
    pub(crate) fn local_mut(&mut self) -> Option<&mut local::LocalCluster> {
        match &mut self.running {
            Running::Local(cluster) => Some(cluster),
            Running::K3s(_) | Running::Kept(_) | Running::Kubeconfig(_) => None,
        }
    }

    /// The log of the requests that its API server answers, if it writes one that can be read here: one JSON
    /// object of kind `Event` in `audit.k8s.io/v1` per line.
    pub fn audit_log(&self) -> Option<PathBuf> {
        match &self.running {
            Running::Local(_) | Running::K3s(_) | Running::Kept(_) => {
                audit::log_beside(self.kubeconfig_path())
            }
            Running::Kubeconfig(_) => None,
        }
    }

    /// How long its start took; zero if it was there before.
    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    /// A client with every right that the harness has. It does not retry; callers set deadlines.
    pub async fn client(&self) -> Result<kube::Client, ClusterError> {
        client::connect(self.kubeconfig_path()).await
    }

    /// Resolves with a sentence when a process of the cluster ends unasked, which makes every running
    /// scenario inconclusive. Pending forever where the harness does not own the processes.
    pub async fn lost(&self) -> String {
        match &self.running {
            Running::Local(cluster) => cluster.lost().await,
            Running::K3s(cluster) => cluster.lost().await,
            Running::Kept(_) | Running::Kubeconfig(_) => std::future::pending().await,
        }
    }

    /// Stops what was started for it and waits until it is gone; bounded.
    pub async fn stop(self) -> Result<(), ClusterError> {
        match self.running {
            Running::Local(cluster) => {
                cluster.stop().await;
                Ok(())
            }
            Running::K3s(cluster) => Ok(cluster.stop().await?),
            Running::Kept(_) | Running::Kubeconfig(_) => Ok(()),
        }
    }
}
