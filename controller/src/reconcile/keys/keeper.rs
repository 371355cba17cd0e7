//! Keeps the database usable: connects, brings it up to date, writes to it what it was not told yet, and
//! begins anew after any trouble.

use std::time::{Duration, Instant};

use kube::runtime::utils::Backoff as _;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::config::Namespaces;
use crate::defects::Defect;
use crate::store::{Postgres, StoreError};

use super::super::backoff::WatchBackoff;
use super::{Keys, lock};

/// How often a database is asked that nobody else asks, so that `/backupz` tells of trouble by itself.
const ASK: Duration = Duration::from_secs(2);
/// After this time without trouble the next one is a new one.
const CALM: Duration = Duration::from_mins(1);

impl Keys {
    /// Does all that. Never ends.
    pub(crate) async fn keep(&self) {
        // The sender lives in this struct, so waiting cannot fail.
        let _ = self.complete.subscribe().wait_for(|complete| *complete).await;
        let mut waits = WatchBackoff::default();
        loop {
            let error = match self.bring_up_to_date().await {
                Ok(postgres) => {
                    let began = Instant::now();
                    self.is_ready(postgres.clone());
                    let error = self.serve(&postgres).await;
                    if began.elapsed() > CALM {
                        waits.reset();
                    }
                    error
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                self.failed(&error);
            }
            sleep(waits.next().unwrap_or(ASK)).await;
        }
    }

    /// Connects anew, makes the tables, and tells the database all keys that are in use. Until then it may
    /// know less than was executed.
    async fn bring_up_to_date(&self) -> Result<Postgres, StoreError> {
        let postgres = Postgres::new(&self.database);
        postgres.migrate().await?;
        let since = postgres.now().await?;
        if !self.leadership.may_write() {
            // Another replica may have claimed keys meanwhile. This session is about to end.
            std::future::pending::<()>().await;
        }
        if Defect::KeysNotRebuilt.is_planted() {
            return Ok(postgres);
        }
        let (owners, present) = {
            let holders = lock(&self.holders);
            (holders.owners(), holders.present())
        };
        let namespaces = match &self.namespaces {
            Namespaces::All => None,
            Namespaces::Named(names) => Some(names.as_slice()),
        };
        postgres.rebuild(&since, &owners, &present, namespaces).await?;
        Ok(postgres)
    }

    /// Writes notes and asks now and then, until that fails or a pass has met trouble, which is known then.
    async fn serve(&self, postgres: &Postgres) -> Option<StoreError> {
        let mut ask = interval(ASK);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                // What is left of trouble that is over says nothing.
                () = self.trouble.notified() => match self.ready() {
                    Some(_) => Ok(()),
                    None => return None,
                },
                () = self.noted.notified() => self.write(postgres).await,
                _ = ask.tick() => postgres.now().await.map(drop),
            };
            if let Err(error) = done {
                return Some(error);
            }
        }
    }

    async fn write(&self, postgres: &Postgres) -> Result<(), StoreError> {
        loop {
            let batch = lock(&self.notes).take();
            if batch.finished.is_empty() && batch.gone.is_empty() {
                return Ok(());
            }
            let written = async {
                if !batch.finished.is_empty() {
                    postgres.record(&batch.finished).await?;
                }
                if !batch.gone.is_empty() {
                    postgres.release(&batch.gone).await?;
                }
                Ok(())
            };
            if let Err(error) = written.await {
                lock(&self.notes).give_back(batch);
                return Err(error);
            }
            self.metrics.history_written(batch.finished.len());
        }
    }
}
