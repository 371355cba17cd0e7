//! Effects: the order in which decisions of [`crate::decide`] meet the cluster.
//!
//! ```text
//! supervisor ── starts and stops with the CRDs ──▶ controller (one per namespace: caches, queue)
//!                                                       │ one run at a time
//!                                                      pass
//!                            ┌───────────────┬──────────┴───┬──────────────┐
//!                         cleanup         submit          follow          ttl
//!                       (deleted run)    (new run)    (accepted run)  (terminal run)
//! ```
//! Nothing is remembered between passes that would matter after a restart: what a pass knows comes from
//! the caches, and every write is either a creation or conditional on what was read.

mod backoff;
mod caches;
mod cleanup;
mod context;
mod controller;
mod crds;
mod error;
mod follow;
mod jobs;
mod pass;
mod references;
mod status;
mod submit;
mod supervisor;
mod ttl;

pub use error::Error;
pub use supervisor::supervise;

/// Field manager of every write.
const FIELD_MANAGER: &str = "agents-controller";
