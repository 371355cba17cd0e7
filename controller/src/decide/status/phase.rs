//! Phases of a run. They only move forward: Pending, Running, and one of the terminal ones.

/// Not started.
pub const PENDING: &str = "Pending";
/// A Job exists.
pub const RUNNING: &str = "Running";
/// The Job did its work.
pub const SUCCEEDED: &str = "Succeeded";
/// The run could not start or went wrong on the way.
pub const FAILED: &str = "Failed";
/// The runtime reported a cancellation.
pub const CANCELLED: &str = "Cancelled";

/// All of them.
pub const ALL: [&str; 5] = [PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED];

/// Whether a run in this phase never changes again.
pub fn is_terminal(phase: &str) -> bool {
    matches!(phase, SUCCEEDED | FAILED | CANCELLED)
}
