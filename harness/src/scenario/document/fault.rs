//! Faults as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::fault::{Moment, Party, Verb};
use crate::yaml::Located;

/// Something that happens to requests of the controller, or of backups and restores. Exactly one of `answer`, `delay`, `cut` and `kill`
/// says what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultDocument {
    /// Whose requests; the controller's unless told.
    #[serde(default)]
    pub of: Party,
    /// Which requests are counted.
    #[serde(default)]
    pub on: RequestSelector,
    /// The first of them that is met, counted from 1 from here on; 1 unless told.
    #[serde(default)]
    pub nth: Option<Located<u32>>,
    /// How many in a row are met; 1 unless told.
    #[serde(default)]
    pub times: Option<Located<u32>>,
    /// The request is refused with this status code (400 to 599) and the `Status` object that the API server sends with
    /// it; it never gets there.
    #[serde(default)]
    pub answer: Option<Located<u16>>,
    /// The request reaches the API server so much later.
    #[serde(default)]
    pub delay: Option<Located<String>>,
    /// The connection is cut before the API server sees the request, or after it has done what was asked: the answer is
    /// lost.
    #[serde(default)]
    pub cut: Option<Moment>,
    /// The controller is killed with SIGKILL at that moment, and started again. From the moment on nothing else of the
    /// dying controller reaches the API server. Restores have `killed` for that.
    #[serde(default)]
    pub kill: Option<Moment>,
    /// The scenario proves something even if no such request is made. Without this it is inconclusive then.
    #[serde(default)]
    pub optional: bool,
}

/// Requests to the API server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestSelector {
    /// Their verb; any unless told.
    #[serde(default)]
    pub verb: Option<VerbDocument>,
    /// Plural name of their resource, with the subresource if it has one: `jobs`, `agentruns/status`. Unless
    /// told any but `leases` and `events`, which come whatever happens.
    #[serde(default)]
    pub resource: Option<String>,
    /// The name of their object, which creations do not have; any unless told.
    #[serde(default)]
    pub name: Option<String>,
}

/// A verb, or all that change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VerbDocument {
    /// Everything that changes something.
    Write,
    /// Reads one object.
    Get,
    /// Reads a collection.
    List,
    /// Follows a collection.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces an object.
    Update,
    /// Patches or applies an object.
    Patch,
    /// Deletes an object.
    Delete,
    /// Deletes a collection.
    DeleteCollection,
    /// Asks which kinds an API group has; `resource` is the name of the group then.
    Discover,
}

/// Something that happens to watches that run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WatchFaultDocument {
    /// Plural name of what is watched.
    pub of: String,
    /// What happens to them.
    #[serde(rename = "become")]
    pub end: Located<WatchEnd>,
    /// How long they are silent; for `silent`.
    #[serde(rename = "for", default)]
    pub duration: Option<Located<String>>,
}

/// What happens to a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WatchEnd {
    /// Its connection is cut.
    Closed,
    /// It is told that its resource version has expired (410).
    Expired,
    /// It delivers nothing for a time, and then everything that happened meanwhile.
    Silent,
}

impl VerbDocument {
    /// The verb; `None` for everything that changes something.
    pub fn verb(self) -> Option<Verb> {
        Some(match self {
            Self::Write => return None,
            Self::Get => Verb::Get,
            Self::List => Verb::List,
            Self::Watch => Verb::Watch,
            Self::Create => Verb::Create,
            Self::Update => Verb::Update,
            Self::Patch => Verb::Patch,
            Self::Delete => Verb::Delete,
            Self::DeleteCollection => Verb::DeleteCollection,
            Self::Discover => Verb::Discover,
        })
    }
}
