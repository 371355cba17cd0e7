//! The kinds of the API group `agents.proompteng.ai/v1alpha1`, one file per kind.
//!
//! These types are the single source of the CRDs: `agents-controller crds` renders them, and a test
//! proves that the rendered files in the chart are current. They only describe shape and bounds;
//! every rule that needs a decision stands in [`crate::decide`].

#![expect(
    unreachable_pub,
    reason = "the expansion of KubeSchema repeats the public struct inside a function"
)]

mod agent;
mod agent_provider;
mod agent_run;
mod agent_run_status;
mod implementation_source;
mod implementation_spec;
mod job_view;
mod memory;
mod saturating;
mod schema;
mod shared;
mod status_view;
mod version_control_provider;

pub use agent::{Agent, AgentDefaults, AgentSecurity, AgentSpec};
pub use agent_provider::{AgentProvider, AgentProviderSpec, InputFile, OutputArtifact};
pub use agent_run::{
    AgentRun, AgentRunSpec, ImplementationRef, Runtime, VcsPolicy, Workflow, WorkflowStep, Workload,
    WorkloadResources, WorkloadVolume,
};
pub use agent_run_status::{
    AgentRunStatus, Artifact, ContractStatus, JobRef, Unknown, VcsStatus, WorkflowStatus, WorkflowStepStatus,
};
pub use implementation_source::{
    ImplementationSource, ImplementationSourceSpec, ImplementationSourceStatus, SourceAuth, Webhook,
};
pub use implementation_spec::{
    Contract, ContractMapping, ImplementationSpec, ImplementationSpecSpec, ImplementationSpecStatus, Source,
};
pub use job_view::{JobView, JobViewSpec, JobViewStatus};
pub use memory::{Memory, MemoryConnection, MemorySpec};
pub use shared::{EnvEntry, NameRef, ObjectStatus, SecretKeyRef, SystemPromptRef};
pub use status_view::AgentRunStatusView;
pub use version_control_provider::{VcsAuth, VersionControlProvider, VersionControlProviderSpec};

/// API group of all kinds.
pub const GROUP: &str = "agents.proompteng.ai";

/// The only version of the group.
pub const VERSION: &str = "v1alpha1";
