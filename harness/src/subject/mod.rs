//! The *subject*: the controller under test, installed, started, disturbed and asked from outside.
//!
//! An [`Implementation`] file says who it is and how to install it. [`Subject::start`] installs a release
//! of its chart with [`Helm`], or of its manifests, and runs what that asked for, read back from the API
//! server:
//!
//! ```text
//! values ─┬─helm──────────────▶ Deployments ─┬─ no node: pod template ──▶ processes (own token, own environment)
//!         └─mapping──manifests──▶     ▲      └─ node: pods of the preloaded images
//!                └──────command───────┘            └─▶ ready endpoint answers ──▶ Subject
//! ```
//!
//! A command has no Deployment on the cluster: one is made up for it, and it always runs as processes.
//!
//! Nothing here knows what the subject does or how to judge it; scenarios and checks never ask on which
//! of the two ways it runs.

mod artifacts;
mod build;
mod bundle;
mod call;
mod context;
pub mod crds;
pub mod defects;
pub(crate) mod digest;
mod endpoint;
mod error;
mod exits;
pub mod helm;
mod identity;
pub mod implementation;
mod install;
mod launch;
mod lease;
mod local;
mod log_tail;
mod manifests;
pub mod mapping;
pub(crate) mod package;
mod pod_status;
pub mod pod_template;
mod pod_watch;
mod pods;
mod port_mapping;
mod ports;
mod program;
mod running;
pub mod values;

pub use artifacts::Programs;
pub use build::build;
pub use context::{ApiRoute, LogSink, ReleaseSpec, SubjectContext};
pub use defects::Defect;
pub use endpoint::{Answer, Endpoint};
pub use error::SubjectError;
pub use exits::UnexpectedExit;
pub use helm::{Helm, HelmError, HelmRelease};
pub use implementation::Implementation;
pub use local::SubjectProcess;
pub use ports::NoFreePort;
pub use running::Subject;
