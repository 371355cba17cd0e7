//! The database of a case alone: started before the controller, dumped, lost and put back under it.

use std::path::PathBuf;

use serde_json::Value;

use crate::database::{DatabaseError, Server};
use crate::engine::case::{CaseRun, Stop, chain};
use crate::subject::values;

/// The name of the only database that a server has.
const NAME: &str = "case";

impl CaseRun<'_> {
    /// Starts a server with an empty database.
    pub(in crate::engine) async fn start_database(&mut self) -> Result<(), Stop> {
        let server = Server::start(&self.subjects()?.supervisor).await.map_err(|error| trouble(&error))?;
        server.create(NAME).await.map_err(|error| trouble(&error))?;
        self.database = Some(server);
        Ok(())
    }

    /// Chart values of the case's subject, with the URL of its database where it has one.
    pub(in crate::engine) fn values(&self) -> Value {
        let case = &self.placed.case;
        let mut all = case.values.clone();
        if let Some((path, server)) = case.database.as_ref().zip(self.database.as_ref()) {
            values::merge(&mut all, &values::at_path(path, server.url(NAME).into()));
        }
        all
    }

    /// Keeps a dump of the database.
    pub(in crate::engine) async fn dump_database(&mut self, alias: &str) -> Result<(), Stop> {
        let file = self.dump(alias)?;
        self.server()?.dump(NAME, &file).await.map_err(|error| trouble(&error))
    }

    /// Puts a dump in place of the database, under a controller that goes on.
    pub(in crate::engine) async fn put_database_back(&mut self, alias: &str) -> Result<(), Stop> {
        let file = self.dump(alias)?;
        self.server()?.restore(NAME, &file).await.map_err(|error| trouble(&error))
    }

    /// Puts an empty database in place of the database, under a controller that goes on.
    pub(in crate::engine) async fn lose_database(&mut self) -> Result<(), Stop> {
        self.server()?.create(NAME).await.map_err(|error| trouble(&error))
    }

    fn server(&self) -> Result<&Server, Stop> {
        self.database
            .as_ref()
            .ok_or_else(|| Stop::Inconclusive("the case has no database of its own".to_owned()))
    }

    fn dump(&mut self, alias: &str) -> Result<PathBuf, Stop> {
        Ok(self.archive(alias)?.with_file_name(format!("{alias}.dump")))
    }
}

fn trouble(error: &DatabaseError) -> Stop {
    Stop::Inconclusive(chain(error))
}
