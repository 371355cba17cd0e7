//! A node in a container: the clusters on which pods really run.
//!
//! The image is k3s or anything that keeps its contract (arguments, kubeconfig path, image folder, port);
//! what it really is comes from the image itself and is told in [`ClusterInfo`](super::ClusterInfo).
//! Docker is spoken to through testcontainers, whose client finds the daemon as the `docker` command does.
//!
//! [`archive`] makes the images that a node is given before it starts, so that no registry and no image
//! builder is needed.
//!
//! A container is removed by [`K3sCluster::stop`] or by dropping its [`K3sCluster`]. Signals are the
//! run's: whoever catches them ends the run, which drops the cluster. The container of a process that
//! ended without that is removed by [`sweep`], with which every start begins.

pub mod archive;
mod audit;
mod cluster;
mod docker;
mod error;
mod image;
mod kubeconfig;
mod owner;
mod readiness;
mod sweep;

pub use cluster::{K3sCluster, start};
pub use docker::{answers, available};
pub use error::K3sError;
pub use image::DEFAULT_IMAGE;
pub use sweep::sweep;
