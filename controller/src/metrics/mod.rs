//! Numbers about the process for Prometheus, in the `OpenMetrics` text format.
//!
//! Labels only have values from small sets: phases, reasons, scopes, verbs, codes. Names of runs,
//! namespaces and users never become labels, so the number of series does not grow with the cluster.

mod labels;
mod registry;
mod requests;
mod share;

pub use registry::Metrics;
pub use requests::CountRequests;
pub use share::Share;
