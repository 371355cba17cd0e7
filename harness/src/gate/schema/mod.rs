//! Two schemas, of a CRD or of chart values, and where one accepts less than the other.
//!
//! Both dialects are read into one [`View`]; `compare` walks two of them and tells each difference as a
//! [`Change`], without an opinion on how bad it is. Where it cannot be decided whether a change narrows
//! (patterns, CEL, `not`, `if`), it counts as narrowing.
//!
//! Not a validator: the API server and Helm are.

mod bound;
mod compare;
mod view;

pub(super) use compare::{Change, Kind, compare};
pub(super) use view::{Conjunction, Dialect, View, canonical};

#[cfg(test)]
mod tests;
