//! The part of an `AgentRun` that its status subresource looks at.
//!
//! Whoever replaces a status through this type sends no spec: the API server takes the status alone and
//! keeps the spec and the metadata that it has. A patch would cost it several times as much, because it
//! writes the whole stored object out as JSON, patches that, and reads it back.

use kube::Resource;
use kube::api::{ObjectMeta, TypeMeta};
use serde::{Deserialize, Serialize};

use super::{AgentRun, AgentRunStatus};

/// An `AgentRun` without its spec.
#[derive(Resource, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[resource(inherit = "AgentRun")]
pub struct AgentRunStatusView {
    /// Version and kind, without which the API server reads no custom resource.
    #[serde(flatten)]
    pub types: TypeMeta,
    /// What says which version of which object the status is for, and all else but the managers.
    pub metadata: ObjectMeta,
    /// The status.
    #[serde(default)]
    pub status: AgentRunStatus,
}

impl AgentRunStatusView {
    /// The run with this status. It only lands on the object and the version that was read.
    ///
    /// Labels, annotations and finalizers go along although the API server keeps its own: from the managers
    /// of fields that are missing here it would take the ownership. Managers that are not named it keeps.
    pub fn of(run: &AgentRun, status: AgentRunStatus) -> Self {
        let metadata = ObjectMeta { managed_fields: None, ..run.metadata.clone() };
        Self { types: TypeMeta::resource::<AgentRun>(), metadata, status }
    }
}
