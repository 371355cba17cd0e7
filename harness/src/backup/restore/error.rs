//! Why nothing was restored, and what was not.

use std::time::Duration;

use serde::Serialize;

use crate::backup::api::ApiError;
use crate::count::agree;

/// A restore that did not begin, or could not go on. Running it again is always safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The target is not fit for it; nothing was written.
    #[error("the target cannot take the archive: {} in its way", obstacles(.0.len()))]
    Refused(Vec<Finding>),
    /// Another restore runs.
    #[error(
        "another restore runs: {holder} holds the Lease {lease}, renewed {age:?} ago; wait until it has ended, or for {duration:?} after it was killed"
    )]
    Locked {
        /// Who.
        holder: String,
        /// Namespace and name of the lock.
        lease: String,
        /// Time since it was renewed.
        age: Duration,
        /// How long it is held after it was renewed.
        duration: Duration,
    },
    /// The lock could not be renewed, so another restore may run now.
    #[error("the Lease {lease} was lost: another restore may run now")]
    LockLost {
        /// Namespace and name of the lock.
        lease: String,
    },
    /// A controller began to lead, or the hold was released, while objects were restored.
    #[error("a controller may act before all runs are restored: {0}")]
    HoldLost(Finding),
    /// A kind is not served.
    #[error("{what} within {waited:?}; last seen: {last}")]
    NotServed {
        /// Which, negated.
        what: String,
        /// How long was waited.
        waited: Duration,
        /// What was seen last.
        last: String,
    },
    /// The API server refused something without which nothing can be done, or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
}

fn objects(number: usize) -> String {
    format!("{number} {}", agree(&number, "object needs", "objects need"))
}

fn obstacles(number: usize) -> String {
    format!("{number} {}", agree(&number, "thing stands", "things stand"))
}

/// One thing in the target that stands in the way of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "problem")]
#[non_exhaustive]
pub enum Finding {
    /// A kind is neither served nor restored.
    #[error("{resource} ({version}) is not served, and its definition is not restored")]
    MissingKind {
        /// Plural and group.
        resource: String,
        /// The version of the archive.
        version: String,
    },
    /// A kind is served, but otherwise than in the archive.
    #[error("{resource}: {reason}")]
    OtherKind {
        /// Plural and group.
        resource: String,
        /// What is different.
        reason: String,
    },
    /// Something is being deleted.
    #[error("{object} is being deleted; wait until it is gone")]
    Terminating {
        /// What.
        object: String,
    },
    /// An object of the same name exists and is another one.
    #[error("{object} exists and differs in {}", .differences.join(", "))]
    Conflict {
        /// Which.
        object: String,
        /// Paths of fields.
        differences: Vec<String>,
    },
    /// A Secret that objects need is not there.
    #[error("the Secret {namespace}/{name}, which {}, {lack}", objects(*.referrers))]
    Secret {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// How many objects refer to it.
        referrers: usize,
        /// What of it is missing.
        lack: String,
    },
    /// The API server would not accept an object.
    #[error("{object} would be refused: {reason}")]
    Invalid {
        /// Which.
        object: String,
        /// The answer of the API server.
        reason: String,
    },
    /// A quota is too small.
    #[error("the ResourceQuota {quota} leaves room for {room} of {resource}, and {wanted} would be created")]
    Quota {
        /// Namespace and name.
        quota: String,
        /// What is counted.
        resource: String,
        /// How many more it allows.
        room: i64,
        /// How many are to be created.
        wanted: usize,
    },
    /// A controller leads and would act on what is restored.
    #[error(
        "{holder} leads, or led last and did not give its Lease {lease} back, and no hold keeps its replicas still; help: create the ConfigMap `{hold}` in its namespace, or stop them and say --assume-no-controller"
    )]
    Unheld {
        /// Who.
        holder: String,
        /// Namespace and name.
        lease: String,
        /// Name of the `ConfigMap`.
        hold: String,
    },
    /// Nobody leads, but a controller that is alone needs no Lease to do so.
    #[error(
        "no hold keeps a controller still, and one that runs without a Lease cannot be seen; help: create the ConfigMap `{hold}` in its namespace, or say --assume-no-controller if you know that none runs"
    )]
    NoHold {
        /// Name of the `ConfigMap`.
        hold: String,
    },
    /// There is a hold, and nothing says that a controller is where it is.
    #[error(
        "no Lease tells where a controller is, and the ConfigMap `{hold}` is in {}; help: name the namespace of the controller with --controller-namespace",
        .namespaces.join(", ")
    )]
    HoldSomewhere {
        /// Name of the `ConfigMap`.
        hold: String,
        /// Where one is.
        namespaces: Vec<String>,
    },
    /// It cannot be seen whether a controller leads or is held.
    #[error(
        "it cannot be seen whether a controller runs ({reason}); help: name its namespace with --controller-namespace, or say --assume-no-controller if you know that none runs"
    )]
    UnknownLeader {
        /// Why not.
        reason: String,
    },
}

/// An object that was not restored, or not as it is in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unrestored {
    /// Which.
    pub object: String,
    /// Why.
    pub reason: String,
}
