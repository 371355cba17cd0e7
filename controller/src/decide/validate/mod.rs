//! Whether a run may start, and with what: the checks in their documented order.
//!
//! ```text
//! before_references ──▶ (references are read) ──▶ with_references ──▶ (prompt is read) ──▶ version_control
//!  runtime, parameters,   Agent, AgentProvider,     steps, image,        allowed, exists,     required or
//!  labels                 ImplementationSpecs,      policies, work,      not too long         skipped
//!                         Memory                    contract, Memory
//! ```
//! The first failure ends the run for good, so each check answers with a [`Refusal`] that says why.

mod parameters;
mod policy;
pub mod prompt;
mod references;
pub mod steps;
mod version_control;

use std::collections::BTreeMap;

use crate::api::{
    Agent, AgentProvider, AgentRun, ContractStatus, ImplementationSpecSpec, Memory, SystemPromptRef, Workload,
};
use crate::config::Settings;

use super::contract::Metadata;
use super::names::Part;
use super::status::{Failure, reason};
use super::text::non_blank;

pub use parameters::check as parameters;
pub use references::{References, names, with_references};
pub use steps::Extent;
pub use version_control::version_control;

/// Runtime type: one Job.
pub const JOB: &str = "job";
/// Runtime type: a row of Jobs.
pub const WORKFLOW: &str = "workflow";

/// The name people see in place of a blank one.
pub const UNKNOWN: &str = "unknown";

/// Why a run cannot start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The condition that tells so.
    pub failure: Failure,
    /// The condition's reason.
    pub reason: &'static str,
    /// What exactly is wrong.
    pub message: String,
    /// Required and missing parameters, if that was the matter.
    pub contract: Option<ContractStatus>,
}

impl Refusal {
    /// The run could never start as it was written.
    pub fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self { failure: Failure::InvalidSpec, reason, message: message.into(), contract: None }
    }

    /// The run could start elsewhere, but not here.
    pub fn failed(reason: &'static str, message: impl Into<String>) -> Self {
        Self { failure: Failure::Failed, ..Self::invalid(reason, message) }
    }

    /// The same, its message naming the place.
    #[must_use]
    pub fn at(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }
}

/// Everything needed to build one Job of a run and the objects that belong to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Which Job.
    pub part: Part,
    /// Name of the workflow step.
    pub step_name: Option<String>,
    /// Name of the Agent.
    pub agent_name: String,
    /// The Agent.
    pub agent: Agent,
    /// Name of the provider.
    pub provider_name: String,
    /// The provider.
    pub provider: AgentProvider,
    /// The work.
    pub implementation: ImplementationSpecSpec,
    /// Name of the `ImplementationSpec`, unless the work is written inline.
    pub implementation_name: Option<String>,
    /// Parameters as the user gave them.
    pub parameters: BTreeMap<String, String>,
    /// Parameters under all their names, see [`super::contract`].
    pub metadata: Metadata,
    /// Required and missing parameters.
    pub contract: Option<ContractStatus>,
    /// Image of the container.
    pub image: String,
    /// Resources and volumes of the container.
    pub workload: Workload,
    /// The Memory in use.
    pub memory: Option<Memory>,
    /// Secrets that become environment variables.
    pub secrets: Vec<String>,
    /// The effective system prompt.
    pub prompt: Prompt,
}

/// The effective system prompt of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Prompt {
    /// There is none.
    #[default]
    Absent,
    /// It goes into the run's files.
    Inline(String),
    /// It is mounted.
    Reference(SystemPromptRef),
}

/// Checks what the run itself says, and returns its parameters.
pub fn before_references(run: &AgentRun, settings: &Settings) -> Result<BTreeMap<String, String>, Refusal> {
    runtime(run)?;
    let parameters = parameters::check(run.spec.parameters.as_ref())?;
    policy::labels(run, &settings.policy)?;
    Ok(parameters)
}

/// The runtime type that the run asks for, `None` if it is blank.
pub fn runtime_of(run: &AgentRun) -> Option<&str> {
    non_blank(&run.spec.runtime.type_)
}

/// Whether the run executes steps, each with Jobs of its own.
pub fn is_workflow(run: &AgentRun) -> bool {
    runtime_of(run) == Some(WORKFLOW)
}

fn runtime(run: &AgentRun) -> Result<(), Refusal> {
    match runtime_of(run) {
        Some(JOB | WORKFLOW) => Ok(()),
        Some(other) => Err(Refusal::invalid(
            reason::UNSUPPORTED_RUNTIME,
            format!(
                "runtime type {other:?} is not executed by this controller; it executes {JOB:?} and {WORKFLOW:?}"
            ),
        )),
        None => Err(Refusal::invalid(reason::MISSING_RUNTIME, "spec.runtime.type is blank")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("job", None)]
    #[case(" ", Some(reason::MISSING_RUNTIME))]
    #[case("workflow", None)]
    #[case("custom", Some(reason::UNSUPPORTED_RUNTIME))]
    #[case("temporal", Some(reason::UNSUPPORTED_RUNTIME))]
    fn only_known_runtimes_start(#[case] type_: &str, #[case] expected: Option<&str>) {
        let mut run = AgentRun::default();
        type_.clone_into(&mut run.spec.runtime.type_);
        let refused = before_references(&run, &Settings::default()).err().map(|refusal| refusal.reason);
        assert_eq!(refused, expected);
    }
}
