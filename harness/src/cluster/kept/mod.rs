//! A cluster that outlives the command that started it, so that the next runs need not wait for one.
//!
//! ```text
//! hallmark cluster up ──starts──▶ hallmark cluster serve (own session, owns the cluster)
//!                     ◀──progress, ready──          │ writes
//! hallmark run --cluster kept ──reads──▶ state file ◀┘
//! hallmark cluster down ──SIGTERM──▶ hallmark cluster serve
//! ```
//!
//! One user has at most one: the serving process holds a lock in the cache for as long as it lives.

mod commands;
mod keeper;
mod message;
mod state;

pub use commands::{down, find, status, up};
pub use keeper::serve;
pub use state::KeptCluster;
