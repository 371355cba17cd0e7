//! Why the database could not be used, one variant per kind of call.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use thiserror::Error;

/// A call to the database failed. Nothing of the connection URL is in any message.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The tables could not be made or are not those of this program.
    #[error("bring the tables of the database up to date")]
    Migrate(#[source] MigrateError),
    /// A statement failed.
    #[error("{operation} in the database")]
    Statement {
        /// What it was to do.
        operation: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// There was no answer in time.
    #[error("{operation} in the database within {deadline:?}")]
    Deadline {
        /// What was to be done.
        operation: &'static str,
        /// The time it may take.
        deadline: Duration,
    },
}

impl StoreError {
    /// One word for metrics and `/backupz`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Deadline { .. } => "StoreTimeout",
            Self::Statement { source, .. } => of_statement(source),
            Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
                of_statement(source)
            }
            Self::Migrate(_) => "StoreSchemaMismatch",
        }
    }

    /// What the database or the network said.
    pub fn cause(&self) -> String {
        match self {
            Self::Migrate(source) => source.to_string(),
            Self::Statement { source, .. } => source.to_string(),
            Self::Deadline { .. } => "no answer".to_owned(),
        }
    }
}

fn of_statement(error: &sqlx::Error) -> &'static str {
    match error {
        // The server is there and says no: a password, a missing right or table.
        sqlx::Error::Database(_) => "StoreRefuses",
        _ => "StoreUnreachable",
    }
}
