//! The `local` backend: unmodified etcd, kube-apiserver and kube-controller-manager as child processes,
//! without Docker, without root and without a node.
//!
//! ```text
//! etcd ──▶ kube-apiserver ──/readyz is 200──▶ kube-controller-manager ──default ServiceAccount──▶ ready
//! ```
//!
//! Everything listens on 127.0.0.1 only and lives in one temporary folder that goes with the cluster.

mod certificates;
mod cluster;
mod datastore;
mod etcd;
mod flags;
mod log;
mod ports;

pub use cluster::{LocalCluster, start};
