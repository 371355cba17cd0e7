//! The gate before a new version of a chart: what changes for those who upgrade, and whether the version
//! number and the changelog say so.
//!
//! ```text
//! folder, .tgz, git ref ──source──▶ Chart.yaml, values, schema, CRDs ─┐
//!                       ──render──▶ objects, once per set of values ──┴─▶ Findings ──▶ Judgement
//! ```
//!
//! Comparison is pure and structural: order, formatting and comments never matter. [`source`] and
//! [`render`] are the edges that read files and run git and helm. What a new version does to runs that are
//! there, and whether it still meets the requirements, is found out on a cluster by [`crate::engine`];
//! [`live`] turns the answers into findings.

mod announce;
pub mod chart;
pub mod crds;
pub mod edges;
mod environment;
pub mod error;
pub mod finding;
mod images;
pub mod judgement;
pub mod live;
pub mod objects;
mod rbac;
pub mod render;
pub mod rules;
mod schema;
mod security;
pub mod source;
mod statics;
mod values;
mod version;
mod workload;

pub use error::GateError;
pub use finding::{Finding, Severity, Step};
pub use judgement::{Judged, Judgement};
pub use statics::{Depth, compare};
