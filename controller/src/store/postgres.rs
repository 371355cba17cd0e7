//! The statements. Each has a deadline on both sides, and either happens as a whole or not at all.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool, SqlSafeStr as _};
use tokio::time::timeout;

use crate::config::Database;
use crate::decide::idempotency::{Finished, Key, Owner, Present};

use super::error::StoreError;

/// Connections at the same time. Passes only ask for keys, which takes a millisecond each.
const CONNECTIONS: u32 = 4;
/// Longest time for a connection. One that is refused is tried again until then.
const CONNECT: Duration = Duration::from_secs(3);
/// Longest time for anything that passes wait for, the connect included.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest time for what is done once after a connect.
const REBUILD_DEADLINE: Duration = Duration::from_secs(30);
/// Longest time of one statement by the clock of the server, which ends it then.
const STATEMENT_TIMEOUT: &str = "20s";
/// Longest time a statement waits for another one.
const LOCK_TIMEOUT: &str = "3s";
/// How long a transaction may be left alone by a client that has died.
const IDLE_TIMEOUT: &str = "30s";
/// The name that administrators see in the list of connections.
const APPLICATION: &str = "agents-controller";

/// The tables, step by step. A step that was released is never changed.
const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "keys and history", include_str!("migrations/0001_keys_and_history.sql"))];

/// A connected database.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// Prepares connections; none is made before the first statement.
    pub fn new(database: &Database) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT)
            .idle_timeout(Duration::from_mins(5))
            .connect_lazy_with(connection(database));
        Self { pool }
    }

    /// Makes the tables, or brings them up to date. Other replicas that do the same wait for their turn.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let steps = MIGRATIONS.map(|(version, description, sql)| {
            Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        let migrator = Migrator::with_migrations(steps.into());
        within("make the tables", REBUILD_DEADLINE, async {
            migrator.run(&self.pool).await.map_err(StoreError::Migrate)
        })
        .await
    }

    /// The time of the database, as text that it understands.
    pub async fn now(&self) -> Result<String, StoreError> {
        const OPERATION: &str = "read the time";
        let query = sqlx::query_scalar("SELECT clock_timestamp()::text").fetch_one(&self.pool);
        statement(OPERATION, DEADLINE, query).await
    }

    /// Gives the key to `run` unless somebody has it. Returns who has it now.
    pub async fn claim(&self, key: &Key, run: &Owner) -> Result<Owner, StoreError> {
        // The update changes nothing; it is what makes the statement return a row that was there.
        const CLAIM: &str = "INSERT INTO idempotency_keys AS known (namespace, agent, key_sha256, run_name, run_uid) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (namespace, agent, key_sha256) DO UPDATE SET run_uid = known.run_uid \
             RETURNING run_name, run_uid";
        let query = sqlx::query_as(CLAIM)
            .bind(&key.namespace)
            .bind(&key.agent)
            .bind(&key.digest)
            .bind(&run.name)
            .bind(&run.uid)
            .fetch_one(&self.pool);
        let (name, uid): (String, String) = statement("claim a key", DEADLINE, query).await?;
        Ok(Owner { name, uid })
    }

    /// Gives the key of `owner` to `run`. Returns whether the key was still that of `owner`.
    pub async fn replace(&self, key: &Key, owner: &Owner, run: &Owner) -> Result<bool, StoreError> {
        const REPLACE: &str = "UPDATE idempotency_keys SET run_name = $4, run_uid = $5, claimed_at = now() \
             WHERE namespace = $1 AND agent = $2 AND key_sha256 = $3 AND run_name = $6 AND run_uid = $7";
        let query = sqlx::query(REPLACE)
            .bind(&key.namespace)
            .bind(&key.agent)
            .bind(&key.digest)
            .bind(&run.name)
            .bind(&run.uid)
            .bind(&owner.name)
            .bind(&owner.uid)
            .execute(&self.pool);
        Ok(statement("reclaim a key", DEADLINE, query).await?.rows_affected() == 1)
    }

    /// Drops the keys of runs that are gone, each given by its key and uid.
    pub async fn release(&self, gone: &[(Key, String)]) -> Result<(), StoreError> {
        const RELEASE: &str = "DELETE FROM idempotency_keys AS known \
             USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS gone (namespace, agent, key, uid) \
             WHERE known.namespace = gone.namespace AND known.agent = gone.agent \
             AND known.key_sha256 = gone.key AND known.run_uid = gone.uid";
        let column = |of: fn(&(Key, String)) -> &str| gone.iter().map(of).collect::<Vec<&str>>();
        let query = sqlx::query(RELEASE)
            .bind(column(|(key, _)| &key.namespace))
            .bind(column(|(key, _)| &key.agent))
            .bind(column(|(key, _)| &key.digest))
            .bind(column(|(_, uid)| uid))
            .execute(&self.pool);
        statement("drop keys", DEADLINE, query).await.map(drop)
    }

    /// Brings the keys in line with the runs of the cluster: gives each key that was used to the run that
    /// used it, and tidies up in `namespaces` or everywhere: rows that are a day old and whose run is gone are
    /// dropped, as nobody may ever ask for these keys again. What was claimed `since` then is newer than what
    /// is known here and stays as it is.
    pub async fn rebuild(
        &self,
        since: &str,
        owners: &[(Key, Owner)],
        present: &[Present],
        namespaces: Option<&[String]>,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "rebuild the keys";
        const UPSERT: &str = "INSERT INTO idempotency_keys AS known \
             (namespace, agent, key_sha256, run_name, run_uid, claimed_at) \
             SELECT *, $6::text::timestamptz \
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) \
             ON CONFLICT (namespace, agent, key_sha256) \
             DO UPDATE SET run_name = excluded.run_name, run_uid = excluded.run_uid \
             WHERE known.claimed_at <= $6::text::timestamptz \
             AND (known.run_name, known.run_uid) IS DISTINCT FROM (excluded.run_name, excluded.run_uid)";
        const PURGE: &str = "DELETE FROM idempotency_keys AS known \
             WHERE claimed_at <= $3::text::timestamptz - interval '1 day' AND ($4::text[] IS NULL OR namespace = ANY ($4)) \
             AND NOT EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS present (namespace, name) \
             WHERE present.namespace = known.namespace AND present.name = known.run_name)";
        let column = |of: fn(&(Key, Owner)) -> &str| owners.iter().map(of).collect::<Vec<&str>>();
        let upsert = sqlx::query(UPSERT)
            .bind(column(|(key, _)| &key.namespace))
            .bind(column(|(key, _)| &key.agent))
            .bind(column(|(key, _)| &key.digest))
            .bind(column(|(_, owner)| &owner.name))
            .bind(column(|(_, owner)| &owner.uid))
            .bind(since);
        let purge = sqlx::query(PURGE)
            .bind(present.iter().map(|run| run.namespace.as_str()).collect::<Vec<_>>())
            .bind(present.iter().map(|run| run.name.as_str()).collect::<Vec<_>>())
            .bind(since)
            .bind(namespaces);
        // A transaction holds a lot across its calls; boxed, whoever waits for it stays small.
        let work = Box::pin(async {
            let mut transaction = self.pool.begin().await?;
            upsert.execute(&mut *transaction).await?;
            purge.execute(&mut *transaction).await?;
            transaction.commit().await
        });
        statement(OPERATION, REBUILD_DEADLINE, work).await
    }

    /// Adds runs to the history. Those that are in it stay as they are.
    pub async fn record(&self, runs: &[Finished]) -> Result<(), StoreError> {
        const RECORD: &str = "INSERT INTO run_history \
             (run_uid, namespace, run_name, agent, key_sha256, phase, reason, started_at, finished_at) \
             SELECT uid, namespace, name, agent, key, phase, reason, started::timestamptz, finished::timestamptz \
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
             $8::text[], $9::text[]) \
             AS run (uid, namespace, name, agent, key, phase, reason, started, finished) \
             ON CONFLICT (run_uid) DO NOTHING";
        let text = |of: fn(&Finished) -> &str| runs.iter().map(of).collect::<Vec<&str>>();
        let time = |of: fn(&Finished) -> Option<Timestamp>| {
            runs.iter().map(|run| of(run).map(|time| time.to_string())).collect::<Vec<Option<String>>>()
        };
        let query = sqlx::query(RECORD)
            .bind(text(|run| &run.uid))
            .bind(text(|run| &run.namespace))
            .bind(text(|run| &run.name))
            .bind(text(|run| &run.agent))
            .bind(runs.iter().map(|run| run.key.as_deref()).collect::<Vec<_>>())
            .bind(text(|run| &run.phase))
            .bind(text(|run| &run.reason))
            .bind(time(|run| run.started_at))
            .bind(time(|run| run.finished_at))
            .execute(&self.pool);
        statement("record runs", DEADLINE, query).await.map(drop)
    }
}

fn connection(database: &Database) -> PgConnectOptions {
    let limits = [
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
    ];
    // What is asked is told by metrics; statements in the log would be noise.
    database.options().application_name(APPLICATION).options(limits).disable_statement_logging()
}

async fn statement<T>(
    operation: &'static str,
    deadline: Duration,
    query: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let failed = |source| StoreError::Statement { operation, source };
    within(operation, deadline, async { query.await.map_err(failed) }).await
}

async fn within<T>(
    operation: &'static str,
    deadline: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(deadline, work).await.unwrap_or(Err(StoreError::Deadline { operation, deadline }))
}
