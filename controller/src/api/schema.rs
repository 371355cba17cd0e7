//! Schema fragments that `schemars` cannot derive: free-form objects, closed sets of strings, bounded maps.
//!
//! Closed sets are strings with an `enum` in the schema instead of Rust enums, so that an object stored
//! under another version of the CRD still deserialises and gets a reasoned verdict instead of vanishing.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Any JSON object, kept as it is.
pub(super) fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "nullable": true, "x-kubernetes-preserve-unknown-fields": true})
}

/// A map from string to string with at most 100 entries.
///
/// The Rust side keeps JSON values, so that a value of another type is reported and not lost.
pub(super) fn parameters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "maxProperties": 100,
        "additionalProperties": {"type": "string"},
    })
}

/// What executes a run.
pub(super) fn runtime_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["job", "workflow", "temporal", "custom"]})
}

/// Kinds that may hold a system prompt.
pub(super) fn prompt_kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["Secret", "ConfigMap"]})
}

/// What a run may do with version control.
pub(super) fn vcs_mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "nullable": true, "enum": ["read-write", "read-only", "none", null]})
}

/// Kinds of volume a workload may ask for.
pub(super) fn volume_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["emptyDir", "pvc", "secret"]})
}

/// Where the text of an implementation comes from.
pub(super) fn source_provider(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["github", "linear", "manual", "custom"]})
}

/// What an `ImplementationSource` can be synchronised with.
pub(super) fn sync_provider(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["github", "linear"]})
}

/// Stores a `Memory` can stand for.
pub(super) fn memory_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["postgres", "redis", "weaviate", "pinecone", "custom"]})
}

/// Version control systems.
pub(super) fn vcs_provider(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["github", "gitlab", "bitbucket", "gitea", "generic"]})
}

/// Ways to authenticate with a version control system.
pub(super) fn vcs_auth_method(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["token", "app", "ssh", "none"]})
}
