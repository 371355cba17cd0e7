//! What the cluster tests and the throughput bench share: a local cluster, the controller installed from
//! its chart, runs, Jobs that are played instead of run, and a database.
//!
//! The controller is the binary that cargo built beside the test or bench, with the profile of the
//! command: `cargo test` tests a debug build, `cargo bench` measures a release build.

pub(crate) mod audit;
pub(crate) mod objects;
pub(crate) mod player;
pub(crate) mod postgres;
pub(crate) mod testbed;

use std::process::ExitCode;
use std::time::Duration;

/// Pause between two looks at something that nothing can be waited on for.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Acts as the supervisor of child processes if this process was started as one.
///
/// The local cluster starts every child through a small supervisor, a second process of the running
/// program; `main` has to hand over before it does anything else.
pub(crate) fn supervise_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next().is_some_and(|first| first == "supervise");
    asked.then(|| hallmark::cluster::process::supervisor_main(arguments))
}

/// Chooses the TLS provider, once per process.
pub(crate) fn install_tls_provider() {
    // An error means that a provider is installed already, which is as good.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
}
