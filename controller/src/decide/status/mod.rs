//! The status of a run: its vocabulary, and the one way to change it.

mod artifacts;
mod draft;
mod merge;
pub mod phase;
pub mod reason;

pub use draft::{Draft, Failure, Submission, condition_is_true};
