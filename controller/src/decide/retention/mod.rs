//! Retention: when a terminal run is deleted, and in which order.
//!
//! [`expiry`] decides about one run; the [`Queue`] holds the decisions for all of them, so that exactly
//! one timer is needed and nothing ever has to be listed to find what is due.

mod budget;
mod expiry;
mod queue;

pub use expiry::{RETAIN, expiry};
pub use queue::{Due, Queue};
