//! Effects: the order in which decisions of [`crate::decide`] meet the cluster.
//!
//! ```text
//! supervisor ── starts and stops with the CRDs ──▶ controller (one per namespace: caches, queue)
//!     │                                                 │ one run at a time
//!     │                                                pass
//!     │                ┌────────────┬───────────┬───────┴──────┬──────────────┐
//!     │             cleanup      submit       follow        workflow         ttl
//!     │           (deleted run) (new run)  (accepted run)  (its steps)  (terminal run)
//!     ▼                             │ may it start?
//! admission (one ledger for all namespaces; wakes runs)          retention (beside the passes)
//! keys (the optional database of idempotency keys; wakes runs)
//! ```
//! Next to it, `kinds` tells in the status of the other kinds whether they can be used.
//!
//! Nothing is remembered between passes that would matter after a restart: what a pass knows comes from
//! the caches, and every write is either a creation or conditional on what was read.

mod admission;
mod backoff;
mod caches;
mod cleanup;
mod context;
mod controller;
mod crds;
mod default_memory;
mod doubt;
mod error;
mod events;
mod follow;
mod heartbeat;
mod hold;
mod jobs;
mod keys;
mod kinds;
#[cfg(test)]
pub(crate) mod mock;
mod objects;
mod origins;
mod pass;
mod references;
mod retention;
mod slim;
mod status;
mod streamed;
mod submit;
mod supervisor;
mod triggers;
mod ttl;
mod wakes;
mod workflow;

use std::sync::atomic::{AtomicU64, Ordering};

pub use error::Error;
pub use supervisor::Supervisor;

/// Field manager of every write.
const FIELD_MANAGER: &str = "agents-controller";

/// Tells one look at an object from all others of this process, in every line that is logged on the way.
fn reconcile_id() -> u64 {
    static LOOKS: AtomicU64 = AtomicU64::new(1);
    LOOKS.fetch_add(1, Ordering::Relaxed)
}
