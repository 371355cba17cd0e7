//! Limits: which of the waiting runs may start, decided so that no limit is exceeded even for a moment.
//!
//! ```text
//! versions of runs ──observe──▶ Ledger ──advance──▶ runs that may start now
//!                              │    ▲
//!      waiting, in creation order   └── in flight, and starts of the last minute, per scope
//! ```
//! The [`Ledger`] is the only place that counts. Admitting a run and counting it is one step, so that
//! two runs cannot get the same slot, however many are looked at at the same time. It holds nothing that
//! cannot be read from the cluster again: after a restart it is filled from complete lists of runs and
//! Jobs before it admits anybody.

mod counts;
mod ledger;
mod limit;
mod scopes;
mod starts;

pub use counts::Counts;
pub use ledger::{Advance, Answer, Ledger};
pub use limit::{Limit, Scope};
pub use scopes::{Position, Scopes};
