//! The optional database: which run has which idempotency key, and how runs have ended.
//!
//! The cluster stays the truth. Whatever the database knows of runs that are there can be rebuilt from
//! them, and is after every connect, so a lost or older database costs nothing but the history of runs that
//! are gone. Decisions stand in [`crate::decide::idempotency`]; here are only the statements.

mod error;
mod postgres;

pub use error::StoreError;
pub use postgres::Postgres;

/// How the database stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StoreState {
    /// None is configured.
    #[default]
    Off,
    /// Nobody asks it, because this replica does not work.
    Idle,
    /// It is being brought up to date.
    Opening,
    /// It answers, and knows all keys that are in use.
    Ready,
    /// It cannot be used, for this reason.
    Down(&'static str),
}
