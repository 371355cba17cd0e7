//! Faults as a scenario orders them; the harness does them between the subject and the API server.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

/// A verb of the Kubernetes API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
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
    /// Asks which kinds an API group has; the group stands for the resource.
    Discover,
}

impl Verb {
    /// Whether the request changes something.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch | Self::Discover)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Discover => "discover",
        })
    }
}

/// Requests that a fault is about. Leader election and Events come whatever happens, so they are meant only
/// where the resource is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Their verb.
    pub verb: VerbSelector,
    /// Their resource with its subresource, for example `agentruns/status`; any unless told.
    pub resource: Option<String>,
    /// The name of their object; any unless told.
    pub name: Option<String>,
}

/// Whose requests are disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Party {
    /// Those of the controller.
    #[default]
    Subject,
    /// Those of the steps `backup` and `restore`.
    Recovery,
}

/// Which verbs a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerbSelector {
    /// Every one.
    Any,
    /// Every one that changes something.
    Write,
    /// This one.
    One(Verb),
}

/// `create jobs`, for people.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verb {
            VerbSelector::Any => f.write_str("request")?,
            VerbSelector::Write => f.write_str("write")?,
            VerbSelector::One(verb) => write!(f, "{verb}")?,
        }
        for part in [&self.resource, &self.name].into_iter().flatten() {
            write!(f, " {part}")?;
        }
        Ok(())
    }
}

/// Before the API server has seen the request, or after it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// The API server never sees the request.
    Before,
    /// The API server has done what was asked; the answer is lost.
    After,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is refused with this status code and never reaches the API server.
    Answer(StatusCode),
    /// It reaches the API server so much later.
    Delay(Duration),
    /// Its connection is cut.
    Cut(Moment),
    /// The subject is killed with SIGKILL and started again. Whatever else it asks meanwhile gets no answer.
    Kill(Moment),
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(code) => write!(f, "answer {}", code.as_u16()),
            Self::Delay(delay) => write!(f, "delay by {} s", delay.as_secs_f32()),
            Self::Cut(moment) => write!(f, "cut the connection {moment}"),
            Self::Kill(moment) => write!(f, "kill the subject {moment}"),
        }
    }
}

/// A fault that waits for its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which requests are counted.
    pub on: Selector,
    /// The first of them that is met, counted from 1.
    pub nth: u32,
    /// How many in a row are met from there on.
    pub times: u32,
    /// What happens to them.
    pub effect: Effect,
    /// Whether the scenario proves something even if no request is ever met.
    pub optional: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.effect, self.on, self.nth)?;
        if self.times > 1 { write!(f, " and the {} after it", self.times - 1) } else { Ok(()) }
    }
}

/// What happens to watches that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchEffect {
    /// Their connections are cut.
    Closed,
    /// They are told that their resource version has expired (410), and must list again.
    Expired,
    /// They deliver nothing for so long; what happens meanwhile is delivered afterwards.
    Silent(Duration),
}

impl fmt::Display for WatchEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Expired => f.write_str("expired"),
            Self::Silent(time) => write!(f, "silent for {} s", time.as_secs_f32()),
        }
    }
}

/// A fault of the watches that run at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchFault {
    /// Plural name of what is watched.
    pub resource: String,
    /// What happens.
    pub effect: WatchEffect,
}
