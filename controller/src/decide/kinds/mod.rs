//! Whether an Agent, an `AgentProvider` or an `ImplementationSpec` can be used, and how its status says so.
//!
//! These verdicts are never final: each is taken again when the object, or what it refers to, changes.

pub mod agent;
pub mod implementation;
pub mod provider;
mod report;

pub use report::{Reporting, patch};

/// Why an object cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Reason of both conditions.
    pub reason: &'static str,
    /// What exactly is wrong.
    pub message: String,
}

impl Invalid {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Whether an object can be used.
pub type Verdict = Result<(), Invalid>;
