//! Restores that outlive their API server, and a datastore that is put back in time.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::restoring::Came;
use crate::backup::{Patience, RestoreOptions};
use crate::engine::EngineError;
use crate::engine::case::{CaseRun, Stop, chain};
use crate::engine::place::{AHEAD, newest};
use crate::scenario::fault::{Effect, Fault, Moment, Selector, VerbSelector};
use crate::scenario::step::Restore;

/// Long enough for an API server that is started on a busy machine. The first pauses are so short that somebody asks
/// while nobody listens: the next API server does so after some 100 ms.
const PATIENT: Patience =
    Patience { first: Duration::from_millis(1), longest: Duration::from_secs(1), times: 100 };
/// How long a lock outlives a holder that cannot renew it. It has to outlive the API server, too.
const LOCK: Duration = Duration::from_mins(1);

impl CaseRun<'_> {
    /// A restore whose API server is killed after this write, of which nobody gets the answer, and started again;
    /// what it came to, or `None` if it made fewer writes.
    pub(super) async fn outlive(
        &mut self,
        restore: &Restore,
        options: RestoreOptions,
        write: NonZeroU32,
    ) -> Result<Option<Came>, Stop> {
        let Some(place) = self.place else { return Err(no_place()) };
        let after = self.first_revision();
        let on = Selector { verb: VerbSelector::Write, resource: None, name: None };
        let effect = Effect::Kill(Moment::After);
        self.recovery_proxy().arm(Fault { on, nth: write.get(), times: 1, effect, optional: true });
        let client = self.engine_client();
        let path = self.archive(&restore.archive)?;
        let options = RestoreOptions { patience: PATIENT, lock_duration: LOCK, ..options };
        // Taken out while the restore runs, which needs the case, too.
        let Some(mut way) = self.recovery.way.take() else { return Ok(None) };
        let down = AtomicBool::new(false);
        let outcome = {
            let attempt = self.attempt(client, &path, restore.profile, &options);
            let restart = async {
                if way.kills.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
                down.store(true, Ordering::Relaxed);
                place.restart_api_server(after, || way.proxy.killed()).await
            };
            let (mut attempt, mut restart) = (std::pin::pin!(attempt), std::pin::pin!(restart));
            tokio::select! {
                came = &mut attempt => {
                    let restarted = if down.load(Ordering::Relaxed) { restart.await } else { Ok(()) };
                    restarted.map(|()| came)
                }
                restarted = &mut restart => match restarted {
                    Ok(()) => Ok(attempt.await),
                    Err(error) => Err(error),
                }
            }
        };
        way.proxy.killed();
        way.proxy.disarm();
        self.recovery.way = Some(way);
        let came = outcome.map_err(|error| trouble(&error))?;
        if !down.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.tell("the API server was killed and started again".to_owned());
        // It answers again, so whoever has given up has given up too early.
        Ok(Some(came.or_else(|stop| match stop {
            Stop::Inconclusive(reason) => Ok(Came::Stopped(reason)),
            failed @ Stop::Failed(_) => Err(failed),
        })?))
    }

    /// Keeps a copy of the datastore, for which the API server is away for a moment.
    pub(in crate::engine) async fn copy_datastore(&mut self, alias: &str) -> Result<(), Stop> {
        let Some(place) = self.place else { return Err(no_place()) };
        let copy = self.datastore(alias)?;
        let after = self.first_revision();
        place.copy_datastore(after, &copy).await.map_err(|error| trouble(&error))?;
        self.tell(format!("the datastore was copied as {alias}"));
        Ok(())
    }

    /// Puts the datastore back in time, under a controller that goes on.
    pub(in crate::engine) async fn put_datastore_back(&mut self, alias: &str) -> Result<(), Stop> {
        let Some(place) = self.place else { return Err(no_place()) };
        let copy = self.datastore(alias)?;
        // No list will ever show what the watches have not delivered by now.
        self.catch_up().await?;
        // Versions that come back are later ones for the record.
        let after = newest(&self.record.snapshot()) + AHEAD;
        self.ahead = after - self.run.first_revision;
        let seen = self.record.snapshot().len();
        place.put_datastore_back(after, &copy).await.map_err(|error| trouble(&error))?;
        self.mark_restored(seen).await?;
        self.tell(format!("the datastore was put back to {alias}"));
        Ok(())
    }

    fn datastore(&mut self, alias: &str) -> Result<PathBuf, Stop> {
        Ok(self.archive(alias)?.with_file_name(format!("{alias}.datastore")))
    }
}

fn trouble(error: &EngineError) -> Stop {
    Stop::Inconclusive(chain(error))
}

fn no_place() -> Stop {
    Stop::Inconclusive("the case has no cluster of its own".to_owned())
}
