//! The binaries that the harness needs beside itself: etcd and the Kubernetes components for the `local`
//! backend, and Helm.
//!
//! Each is found where the user says (`HALLMARK_KUBE_BIN`, `KUBEBUILDER_ASSETS`, `PATH`) or built by Go from
//! module files that are part of this program, once per version, into a cache that all processes of the
//! user share. Nothing is downloaded but Go modules, and those are verified by their checksums.

mod build;
mod cache;
mod error;
mod find;
mod go;
mod helm;
mod kubernetes;
mod progress;
mod recipe;

pub use cache::Cache;
pub use error::ProvisionError;
pub use helm::{Helm, helm};
pub use kubernetes::{Component, KubernetesBinaries, Prospect, kubernetes, prospect};
