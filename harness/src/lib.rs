//! Hallmark judges whether a Kubernetes controller does what its specification says.
//!
//! Scenarios are YAML documents. A run brings up a cluster, installs the controller under test (the
//! *subject*), performs the steps of every scenario in a namespace of its own and judges the recorded
//! watch history, never a sampled state:
//!
//! ```text
//! scenario files ──parse, check──▶ plan ──▶ engine ──▶ steps act on the cluster
//!                                            │
//!                    watches, controller log ──▶ record (one ordered event log per scenario)
//!                                            │
//!                assertions are evaluated on the record ──▶ verdict ──▶ reporters
//! ```
//!
//! Data flows one way: [`yaml`] → [`scenario`] → [`engine`] (acting through [`cluster`], [`subject`] and
//! [`fault`], writing into a [`record`]) → [`check`] → [`report`]. The pure parts ([`yaml`], [`scenario`],
//! [`check`]) know nothing of clusters, files or clocks; a subject is a black box behind the Kubernetes
//! API, and this crate knows none of its types.
//!
//! Beside that flow stand [`backup`], archives of an API group's objects and restores that can be trusted, and
//! [`evidence`], what a run left in one file that somebody else can check. Both share [`archive`]. And
//! [`drill`] destroys a cluster to measure how it is recovered. [`database`] is for controllers that keep something
//! outside the cluster.

pub mod archive;
pub mod backup;
pub mod check;
pub mod cli;
pub mod cluster;
mod count;
pub mod database;
pub mod diagnostic;
pub mod drill;
pub mod engine;
pub mod event;
pub mod evidence;
pub mod exit;
pub mod fault;
pub mod gate;
pub mod libtest;
pub mod pulse;
pub mod record;
pub mod report;
pub mod scenario;
pub mod schema;
pub mod scratch;
pub mod subject;
pub mod yaml;
