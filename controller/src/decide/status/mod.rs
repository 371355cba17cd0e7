//! The status of a run: its vocabulary, and the one way to change it.

mod artifacts;
mod draft;
pub mod phase;
pub mod reason;
pub mod step_phase;
mod workflow;

pub use draft::{Draft, Failure, Submission, condition_is_true};
pub use workflow::AttemptFailure;
