//! Idempotency keys: of all runs with the same key of the same Agent, only one is executed.
//!
//! A database remembers which run has which key. What its answer means for a run is decided here, and so
//! is what the database has to be told after it was lost, restored or away.
//!
//! ```text
//!   runs of the cluster ──▶ Holders ──▶ what the database must know   (before any run with a key starts)
//!   a run that may start ──▶ the key's owner in the database ──▶ judge ──▶ Own, Free, Taken
//!   a run that has ended ──▶ Finished ──▶ its row of the history
//! ```
//! A key belongs to the run that was executed with it for as long as that run is there.

mod finished;
mod holders;
mod judge;
mod key;

pub use finished::Finished;
pub use holders::{Holders, Present};
pub use judge::{Taken, Verdict, judge};
pub use key::{Key, Owner};
