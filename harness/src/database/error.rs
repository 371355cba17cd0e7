//! Why there is no database.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::process::SpawnError;

/// A database server that cannot be started, or a database that cannot be made, dumped or put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The machine has no database server.
    #[error(
        "there are no programs of PostgreSQL on this machine: install its server (`apt-get install postgresql`)"
    )]
    NoPrograms,
    /// The folder of the server could not be made.
    #[error("{action} `{}`", path.display())]
    Folder {
        /// What was done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program was not started.
    #[error("run {program}")]
    Run {
        /// Its name.
        program: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program failed.
    #[error("{program}: {message}")]
    Failed {
        /// Its name.
        program: &'static str,
        /// What it wrote to standard error.
        message: String,
    },
    /// The server was not started.
    #[error("start PostgreSQL")]
    Spawn(#[from] SpawnError),
    /// The server does not answer.
    #[error("PostgreSQL did not answer within {} s; the end of its log:\n{log}", waited.as_secs())]
    NotReady {
        /// How long it was asked.
        waited: Duration,
        /// Last lines of its log.
        log: String,
    },
    /// There is no free port.
    #[error("find a free port")]
    Port(#[source] io::Error),
}
