//! Steps as the engine performs them: checked, files read, `case` put in.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::assertion::{Assertion, Claim, Target};
use super::document::{Damage, Outcome, Propagation};
use super::fault::{Fault, Party, WatchFault};
use crate::backup::Profile;
use crate::yaml::{Location, Node};

/// How the summary of a standing invariant begins, by which reports tell it from the scenario's own claims.
pub const INVARIANT: &str = "invariant ";

/// One step of a case.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// Where it is written.
    pub location: Location,
    /// The step in a few words, for the record and for people.
    pub summary: String,
    /// Digest of everything that it does, with the manifests that it names; empty for a claim.
    pub digest: String,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Creates objects one after the other, or proves that the API server refuses them.
    Create {
        /// The objects.
        manifests: Vec<Manifest>,
        /// The pattern of the refusal that is expected.
        refused: Option<Regex>,
    },
    /// Applies an object server-side.
    Apply {
        /// The object.
        manifest: Manifest,
        /// The field manager.
        field_manager: String,
        /// Whether fields are taken over from other managers.
        force: bool,
    },
    /// Sends a JSON merge patch, or proves that the API server refuses it.
    Patch {
        /// Which object.
        target: Target,
        /// The patch; may hold templates of the running scenario.
        merge: Node,
        /// Whether it goes to `/status`.
        status: bool,
        /// The pattern of the refusal that is expected.
        refused: Option<Regex>,
    },
    /// Deletes an object.
    Delete {
        /// Which object.
        target: Target,
        /// What becomes of the objects that it owns.
        propagation: Propagation,
    },
    /// Plays the end of a Job.
    Finish(Finish),
    /// From now on plays the end of each Job of a selection.
    Play {
        /// Which Jobs, and how they end.
        finish: Finish,
        /// How long after its appearance each of them ends.
        after: Duration,
    },
    /// Asks the subject over HTTP.
    Http(Box<Http>),
    /// Lets time pass.
    Wait(Duration),
    /// Stops the subject gracefully and starts it again.
    Restart {
        /// It has to end by itself, with exit code 0, within this time.
        within: Option<Duration>,
        /// Whether it is waited for until it is ready.
        ready: bool,
    },
    /// Kills the subject and starts it again.
    Kill,
    /// Kills the replica of the subject that holds its Lease; it stays down.
    KillLeader,
    /// From now on something happens to some requests.
    Fault {
        /// Whose.
        of: Party,
        /// What happens to which of them.
        fault: Fault,
    },
    /// Disturbs the subject's watches that run at present.
    Watches(WatchFault),
    /// From now on objects are created, changed and deleted.
    Churn {
        /// The objects of one round.
        manifests: Vec<Manifest>,
        /// Pause between two writes.
        every: Duration,
    },
    /// Nothing happens to requests any more, and nothing is churned.
    Calm,
    /// Upgrades the subject's release with more values and waits until it is ready.
    Upgrade {
        /// Chart values that are put over those it has.
        values: serde_json::Value,
    },
    /// Rolls the subject's release back to the revision before and waits until it is ready.
    Rollback,
    /// Takes an archive of the case's namespace.
    Backup(Backup),
    /// Damages an archive.
    Damage {
        /// Which.
        archive: String,
        /// What happens to it.
        how: Harm,
    },
    /// Verifies an archive, or proves that it is refused.
    Verify(Box<Verify>),
    /// Kills the subject and deletes what a lost cluster would lose.
    Lose,
    /// Destroys the cluster of the case, with the subject, and goes on in another one.
    LoseCluster,
    /// Copies the data of the case's own datastore.
    CopyDatastore {
        /// The name of the copy.
        alias: String,
    },
    /// Puts the data of a copy in place of those of the case's own datastore.
    PutDatastoreBack {
        /// The name of the copy.
        copy: String,
    },
    /// Dumps the case's own database.
    DumpDatabase {
        /// The name of the dump.
        alias: String,
    },
    /// Puts a dump in place of the case's own database.
    PutDatabaseBack {
        /// The name of the dump.
        dump: String,
    },
    /// Puts an empty database in place of the case's own.
    LoseDatabase,
    /// Restores an archive into the case's namespace, or proves that this is refused.
    Restore(Box<Restore>),
    /// Renders the chart.
    Render(Render),
    /// Waits until the subject has processed a sentinel.
    Fence,
    /// Judges the record.
    Assert(Box<Assertion>),
}

impl Action {
    /// Whether the step needs a subject that no other scenario uses.
    pub fn needs_dedicated_subject(&self) -> bool {
        let disturbs = matches!(
            self,
            Self::Restart { .. }
                | Self::Kill
                | Self::KillLeader
                | Self::Upgrade { .. }
                | Self::Rollback
                | Self::Lose
                | Self::LoseCluster
                | Self::CopyDatastore { .. }
                | Self::PutDatastoreBack { .. }
        );
        disturbs || self.needs_fault_proxy()
    }

    /// Whether the step needs a cluster that no other scenario uses.
    pub fn needs_own_cluster(&self) -> bool {
        match self {
            Self::LoseCluster | Self::CopyDatastore { .. } | Self::PutDatastoreBack { .. } => true,
            Self::Restore(restore) => matches!(restore.ends, RestoreEnd::Outlives(_)),
            _ => false,
        }
    }

    /// Whether the step needs a database that no other scenario uses.
    pub fn needs_database(&self) -> bool {
        matches!(self, Self::DumpDatabase { .. } | Self::PutDatabaseBack { .. } | Self::LoseDatabase)
    }

    /// Whether the step needs the harness between the subject and the API server.
    pub fn needs_fault_proxy(&self) -> bool {
        matches!(
            self,
            Self::Fault { of: Party::Subject, .. } | Self::Watches(_) | Self::Restart { ready: false, .. }
        )
    }

    /// Whether the step is an assertion, which never opens a new window for `eventually`.
    pub fn is_assertion(&self) -> bool {
        matches!(self, Self::Assert(_))
    }

    /// The archive that the step makes.
    pub fn makes_archive(&self) -> Option<&str> {
        match self {
            Self::Backup(backup) => Some(&backup.alias),
            _ => None,
        }
    }

    /// The copy of the datastore that the step makes.
    pub fn makes_copy(&self) -> Option<&str> {
        match self {
            Self::CopyDatastore { alias } => Some(alias),
            _ => None,
        }
    }

    /// The copy of the datastore that the step uses.
    pub fn uses_copy(&self) -> Option<&str> {
        match self {
            Self::PutDatastoreBack { copy } => Some(copy),
            _ => None,
        }
    }

    /// The dump of the database that the step makes.
    pub fn makes_dump(&self) -> Option<&str> {
        match self {
            Self::DumpDatabase { alias } => Some(alias),
            _ => None,
        }
    }

    /// The dump of the database that the step uses.
    pub fn uses_dump(&self) -> Option<&str> {
        match self {
            Self::PutDatabaseBack { dump } => Some(dump),
            _ => None,
        }
    }

    /// The archive that the step takes from an earlier one.
    pub fn uses_archive(&self) -> Option<&str> {
        match self {
            Self::Backup(backup) => backup.equals.as_deref(),
            Self::Damage { archive, .. } => Some(archive),
            Self::Verify(verify) => Some(&verify.archive),
            Self::Restore(restore) => Some(&restore.archive),
            _ => None,
        }
    }

    /// Every object that the step sends.
    pub fn manifests(&self) -> Vec<&Manifest> {
        match self {
            Self::Create { manifests, .. } | Self::Churn { manifests, .. } => manifests.iter().collect(),
            Self::Apply { manifest, .. } => vec![manifest],
            _ => Vec::new(),
        }
    }

    /// The claims that the step makes about the record.
    pub fn claims(&self) -> Vec<&Claim> {
        match self {
            Self::Assert(assertion) => assertion.operator.claims(),
            _ => Vec::new(),
        }
    }

    /// Every target that the step refers to.
    pub fn targets(&self) -> Vec<&Target> {
        match self {
            Self::Patch { target, .. } | Self::Delete { target, .. } => vec![target],
            Self::Finish(finish) | Self::Play { finish, .. } => vec![&finish.job],
            Self::Assert(_) => self.claims().into_iter().map(|claim| &claim.target).collect(),
            _ => Vec::new(),
        }
    }
}

/// An object that a step sends.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The object; may hold templates of the running scenario.
    pub object: Node,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// How later steps call it.
    pub alias: String,
}

/// The end of a Job.
#[derive(Debug, Clone)]
pub struct Finish {
    /// Which Job.
    pub job: Target,
    /// How it ends.
    pub outcome: Outcome,
    /// Reason of the terminal condition.
    pub reason: Option<String>,
    /// Message of the terminal condition.
    pub message: Option<String>,
    /// How long ago it ended.
    pub ago: Duration,
    /// Whether `status.failed` counts a failure.
    pub counted: bool,
}

/// A question over HTTP, and what its answer has to be.
#[derive(Debug, Clone)]
pub struct Http {
    /// Path, beginning with a slash.
    pub path: String,
    /// Container port; that of the ready endpoint unless told.
    pub port: Option<u16>,
    /// Status code.
    pub status: u16,
    /// Text that the body contains.
    pub contains: Option<String>,
    /// Text that the body does not contain.
    pub lacks: Option<String>,
    /// Pattern of which something is found in the body.
    pub finds: Option<Regex>,
    /// A part of the body, read as JSON; may hold templates of the running scenario.
    pub matches: Option<Node>,
    /// How many of the replicas answer so; each of them unless told.
    pub replicas: Option<usize>,
    /// How long to ask again.
    pub within: Duration,
}

/// A backup of the case's namespace.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The name of the archive.
    pub alias: String,
    /// The archive whose content it has.
    pub equals: Option<String>,
    /// API groups; a list of texts that may hold templates of the running scenario.
    pub groups: Option<Node>,
    /// Objects per request of a list.
    pub page: Option<NonZeroU32>,
    /// How many processes that take it are killed.
    pub killed: u32,
}

/// What happens to an archive.
#[derive(Debug, Clone, PartialEq)]
pub enum Harm {
    /// Something about its bytes at a share of its length.
    Bytes(Damage, f64),
    /// Something about its entries.
    Entries(Damage),
    /// It gets another version of the format.
    Format(String),
}

/// A verification, and what it must come to.
#[derive(Debug, Clone)]
pub struct Verify {
    /// The archive.
    pub archive: String,
    /// The pattern of the refusal that is expected.
    pub fails: Option<Regex>,
    /// The pattern of a warning.
    pub warns: Option<Regex>,
    /// A part of its manifest; may hold templates of the running scenario.
    pub matches: Option<Node>,
    /// Texts that stand nowhere in it.
    pub lacks: Vec<String>,
    /// Whether its content is that of the record.
    pub as_recorded: bool,
}

/// A restore into the case's namespace.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the step")]
pub struct Restore {
    /// The archive.
    pub archive: String,
    /// The tool whose restore is played.
    pub profile: Profile,
    /// Whether objects whose names are taken are left out.
    pub skip_existing: bool,
    /// Whether missing definitions are an obstacle.
    pub without_definitions: bool,
    /// Whether missing Secrets are no obstacle.
    pub without_secrets: bool,
    /// Whether nobody looks for a controller.
    pub assume_no_controller: bool,
    /// What it must come to.
    pub ends: RestoreEnd,
    /// How many others begin at the same time.
    pub rivals: u32,
}

/// What a restore must come to.
#[derive(Debug, Clone)]
pub enum RestoreEnd {
    /// Everything is there.
    Restored,
    /// Nothing was written, but everything can be.
    Tried,
    /// Everything was there, and nothing was written.
    Unchanged,
    /// It was refused before anything was written, with a message of this pattern.
    Refused(Regex),
    /// Some objects are missing, and are named in a text of this pattern.
    Partial(Regex),
    /// It was killed after this write.
    Killed(NonZeroU32),
    /// It was killed between any two writes, at least so many times, and everything is there.
    KilledOften(NonZeroU32),
    /// The API server was killed after this write and started again, and everything is there.
    Outlives(NonZeroU32),
}

/// A rendering of the chart.
#[derive(Debug, Clone)]
pub struct Render {
    /// The name for later steps.
    pub alias: String,
    /// Chart values.
    pub values: serde_json::Value,
    /// Files of values, relative to the chart.
    pub value_files: Vec<PathBuf>,
    /// The pattern of the failure that is expected.
    pub fails: Option<Regex>,
}
