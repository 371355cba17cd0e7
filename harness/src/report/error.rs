//! Why a report could not be written.

use std::path::PathBuf;

/// Trouble while a report was rendered or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder of the reports could not be made.
    #[error("create report folder {}", path.display())]
    CreateFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A report file could not be written.
    #[error("write report {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An earlier report could not be read.
    #[error("read the report {} of an earlier run: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The `JUnit` report could not be put into words.
    #[error("render the JUnit report")]
    JUnit(#[from] quick_junit::SerializeError),
    /// A report could not be put into JSON.
    #[error("render a report")]
    Conformance(#[from] serde_json::Error),
}
