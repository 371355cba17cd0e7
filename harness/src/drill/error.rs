//! Why a drill came to no verdict.

use crate::backup::{BackupError, RestoreError, VerifyError};
use crate::engine::EngineError;
use crate::record::WatchError;
use crate::subject::SubjectError;

/// Trouble that ends a drill; what the recovery itself does wrong is a broken claim.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// The suite does not say what a drill works with.
    #[error("the suite has no `drill`; see harness/docs/backup.md for what it holds")]
    NoDrill,
    /// Neither the implementation nor the engine has such a defect.
    #[error("no defect `{name}`; known are: {}", known.join(", "))]
    UnknownDefect {
        /// What was asked for.
        name: String,
        /// Which there are.
        known: Vec<String>,
    },
    /// There is no cluster to work with, or it refused something.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A process of the cluster ended by itself.
    #[error("the cluster was lost before its time: {0}")]
    Lost(String),
    /// The controller did not start, or did not become ready.
    #[error("{phase}")]
    Subject {
        /// When.
        phase: &'static str,
        /// Why.
        #[source]
        source: Box<SubjectError>,
    },
    /// The controller did not bring the runs into the states from which the recovery begins.
    #[error("before the loss: {what} within {seconds} s; for example {example}")]
    Unprepared {
        /// What did not happen, negated.
        what: &'static str,
        /// How long was waited.
        seconds: u64,
        /// A run, and its state.
        example: String,
    },
    /// A watch did not come up.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A watch was interrupted, so that nobody knows what happened meanwhile.
    #[error("a watch was interrupted, so the record has a gap: {0}")]
    Gap(String),
    /// A Job could not be ended.
    #[error("play the end of a Job: {0}")]
    Player(String),
    /// A run could not be written.
    #[error("{action}: {reason}")]
    Write {
        /// What was tried, with which object.
        action: String,
        /// What the API server said.
        reason: String,
    },
    /// The log of requests could not be read.
    #[error("follow the audit log")]
    Audit(#[source] std::io::Error),
    /// There is no place for the archive.
    #[error("make a folder for the archive")]
    Folder(#[source] std::io::Error),
    /// There is no archive.
    #[error("back up")]
    Backup(#[from] BackupError),
    /// The archive that was just written is not sound.
    #[error("verify the archive")]
    Verify(#[from] VerifyError),
    /// The restore could not go on.
    #[error("restore")]
    Restore(#[from] RestoreError),
}

impl DrillError {
    /// The controller failed in this phase.
    pub(crate) fn subject(phase: &'static str) -> impl FnOnce(SubjectError) -> Self {
        move |source| Self::Subject { phase, source: Box::new(source) }
    }

    /// Whether the command line or the suite is wrong.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::NoDrill | Self::UnknownDefect { .. })
    }

    /// Whether the controller did something wrong.
    pub fn is_subject_fault(&self) -> bool {
        match self {
            Self::Unprepared { .. } => true,
            Self::Subject { source, .. } => source.is_subject_fault(),
            _ => false,
        }
    }
}
