//! Which cluster is meant.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cluster::process::Supervisor;
use crate::cluster::{BackendChoice, ClusterSpec, KubeControllers, KubernetesVersion, k3s};

/// Which cluster.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SpecArgs {
    /// Where to run: `auto` takes local processes if their programs are there or Go can build them, else k3s
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    cluster: ClusterKind,
    /// Context of your kubeconfig, for `--cluster kubeconfig`
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Version of the local cluster: 1.34, 1.35 or 1.36
    #[arg(long, value_name = "VERSION", default_value = "1.35")]
    kubernetes: KubernetesVersion,
    /// Image of the k3s cluster
    #[arg(long, value_name = "IMAGE", env = "HALLMARK_K3S_IMAGE", default_value = k3s::DEFAULT_IMAGE)]
    k3s_image: String,
    /// Image archive to be loaded into the k3s cluster; may be repeated
    #[arg(long = "image-archive", value_name = "FILE")]
    images: Vec<PathBuf>,
}

impl SpecArgs {
    /// The same with a local cluster where none is named: there programs need no images.
    pub(in crate::cli) fn spec_or_local(self, supervisor: Supervisor) -> ClusterSpec {
        let mut spec = self.spec(supervisor);
        if spec.backend == BackendChoice::Auto {
            spec.backend = BackendChoice::Local;
        }
        spec
    }

    /// What of it was said, as on the command line.
    pub(in crate::cli) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(kind) = self.cluster.to_possible_value().filter(|kind| kind.get_name() != "auto") {
            words.push(format!("--cluster {}", kind.get_name()));
        }
        words.extend(self.context.iter().map(|context| format!("--context {context}")));
        if self.kubernetes != KubernetesVersion::default() {
            words.push(format!("--kubernetes {}", self.kubernetes.full()));
        }
        if self.k3s_image != k3s::DEFAULT_IMAGE {
            words.push(format!("--k3s-image {}", self.k3s_image));
        }
        words.extend(self.images.iter().map(|image| format!("--image-archive {}", image.display())));
        words
    }

    pub(in crate::cli) fn spec(self, supervisor: Supervisor) -> ClusterSpec {
        ClusterSpec {
            backend: self.cluster.choice(),
            kubernetes: self.kubernetes,
            k3s_image: self.k3s_image,
            images: self.images,
            controllers: KubeControllers::All,
            kinds: Vec::new(),
            context: self.context,
            supervisor,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ClusterKind {
    #[default]
    Auto,
    /// Kubernetes as child processes, without Docker and without nodes
    Local,
    /// A node in a container
    K3s,
    /// The cluster of `hallmark cluster up`
    Kept,
    /// A cluster of your kubeconfig
    Kubeconfig,
}

impl ClusterKind {
    fn choice(self) -> BackendChoice {
        match self {
            Self::Auto => BackendChoice::Auto,
            Self::Local => BackendChoice::Local,
            Self::K3s => BackendChoice::K3s,
            Self::Kept => BackendChoice::Kept,
            Self::Kubeconfig => BackendChoice::Kubeconfig,
        }
    }
}
