//! Clusters: brought up by the harness, kept from an earlier command, or somebody else's.
//!
//! Three backends stand behind [`Cluster`]; a scenario never knows which one it runs on and may only
//! declare what it needs ([`ClusterInfo::node`], [`ClusterInfo::disposable`]).
//!
//! - [`local`]: unmodified etcd, kube-apiserver and kube-controller-manager as child processes;
//! - [`k3s`]: a node in a container through testcontainers;
//! - [`kubeconfig`]: a cluster that already runs.

pub mod audit;
mod auto;
mod client;
mod error;
mod info;
pub mod k3s;
pub mod kept;
pub mod kinds;
pub mod kubeconfig;
pub mod local;
pub mod process;
pub mod provision;
mod start;

pub use auto::{RunsAs, resolve};
pub use error::ClusterError;
pub use info::{Backend, ClusterInfo, KubernetesVersion};
pub use start::{BackendChoice, Cluster, ClusterSpec, KubeControllers, start};
