//! Why there is no bundle, or no opinion about one.

use std::path::PathBuf;

use crate::archive::{PublishError, VerifyError};
use crate::record::RecordingError;
use crate::report::ReportError;
use crate::scenario::suite::LoadError;

/// A bundle that could not be made or judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// A file of the run cannot be read.
    #[error("read `{}`, which a run leaves in its report folder", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordingError),
    /// The report cannot be read, or not be made anew.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The parts do not belong together, so the bundle would prove nothing.
    #[error("{what} is `{found}`, but that of the run is `{expected}`; {help}")]
    Stranger {
        /// Of what: `the digest of the suite`.
        what: &'static str,
        /// In the record of the run.
        expected: String,
        /// In the other part.
        found: String,
        /// What to do about it.
        help: &'static str,
    },
    /// The manifest was not written.
    #[error("write manifest.json")]
    Manifest(#[source] serde_json::Error),
    /// The bundle was not packed.
    #[error("pack the bundle")]
    Pack(#[source] std::io::Error),
    /// The bundle was not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The bundle is not what was written.
    #[error(transparent)]
    Damaged(#[from] VerifyError),
    /// The files of the bundle were not laid out to be read.
    #[error("lay out the files of the bundle")]
    LayOut(#[source] std::io::Error),
    /// The packed suite is none.
    #[error("the packed suite is invalid for this version of hallmark")]
    Suite(#[source] Box<LoadError>),
}

impl EvidenceError {
    /// Whether what was named on the command line is at fault, and not the content of a bundle.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Read { .. }
                | Self::Stranger { .. }
                | Self::Publish(PublishError::Exists(_))
                | Self::Damaged(VerifyError::Read { .. })
        )
    }
}
