//! A database server of a test's own, and questions to it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hallmark::cluster::process::Supervisor;
use hallmark::database::Server;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// Starts a server; it ends with this process.
pub(crate) async fn start() -> Result<Server> {
    let supervisor = Supervisor::current_exe().context("find the running program")?;
    Ok(Server::start(&supervisor).await?)
}

/// Connects to a database.
pub(crate) async fn connect(server: &Server, database: &str) -> Result<PgPool> {
    let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
    Ok(options.connect(&server.url(database)).await?)
}

/// The number that a query of a database answers.
pub(crate) async fn number(server: &Server, database: &str, query: &'static str) -> Result<i64> {
    let connection = connect(server, database).await?;
    Ok(sqlx::query_scalar(query).fetch_one(&connection).await?)
}
