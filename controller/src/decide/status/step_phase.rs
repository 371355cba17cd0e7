//! Phases of a workflow and of its steps.

/// Not started.
pub const PENDING: &str = "Pending";
/// An attempt is executed.
pub const RUNNING: &str = "Running";
/// An attempt failed and another one follows.
pub const RETRYING: &str = "Retrying";
/// Done.
pub const SUCCEEDED: &str = "Succeeded";
/// No attempt is left.
pub const FAILED: &str = "Failed";
