//! The watches of one cluster, what they delivered in short, and the end of Jobs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use kube::api::ApiResource;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::error::DrillError;
use super::ledger::{Ledger, NewJob};
use crate::engine::{end_job, is_finished};
use crate::event::CaseId;
use crate::record::{Record, RecordWriter, WatchHub};
use crate::scenario::document::Outcome;

/// Jobs that are ended at the same time.
const ENDINGS: usize = 16;
/// Pause between two looks at what the watches delivered.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How the Job ends that is the second argument's one of a run; `None` if it does not.
pub(super) type Player = Arc<dyn Fn(&str, usize) -> Option<Outcome> + Send + Sync>;

/// Looks at everything that happens in the namespace of the runs.
pub(super) struct Witness {
    hub: WatchHub,
    namespace: String,
    shared: Arc<Shared>,
    seen: watch::Receiver<u64>,
    reader: JoinHandle<()>,
}

struct Shared {
    ledger: Mutex<Ledger>,
    /// The first Job that could not be ended, and why.
    trouble: Mutex<Option<String>>,
}

impl Witness {
    /// Begins to watch, and to end Jobs.
    pub(super) async fn start(
        client: &Client,
        namespace: &str,
        kinds: Vec<ApiResource>,
        run_kind: &str,
        player: Player,
    ) -> Result<Self, DrillError> {
        let hub = WatchHub::start(client, kinds).await?;
        let id = CaseId { scenario: "drill".to_owned(), case: String::new() };
        let record = Record::new(id, RecordWriter::none());
        hub.route(namespace, &record);
        let shared =
            Arc::new(Shared { ledger: Mutex::new(Ledger::new(run_kind)), trouble: Mutex::default() });
        let (sender, seen) = watch::channel(0);
        let reader = tokio::spawn(read(record, client.clone(), Arc::clone(&shared), player, sender));
        Ok(Self { hub, namespace: namespace.to_owned(), shared, seen, reader })
    }

    /// What was delivered so far.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.shared.ledger)
    }

    /// Waits until a condition holds; `false` if it does not in time.
    pub(super) async fn until(&self, within: Duration, holds: impl Fn(&Ledger) -> bool) -> bool {
        let mut seen = self.seen.clone();
        let holding = async {
            loop {
                seen.mark_unchanged();
                if holds(&self.ledger()) {
                    return true;
                }
                if seen.changed().await.is_err() {
                    return false;
                }
            }
        };
        tokio::time::timeout(within, holding).await.unwrap_or(false)
    }

    /// Waits until nothing has changed for a while; `false` if something always does.
    pub(super) async fn silent(&self, pause: Duration, within: Duration) -> bool {
        let mut seen = self.seen.clone();
        let silent = async {
            loop {
                seen.mark_unchanged();
                match tokio::time::timeout(pause, seen.changed()).await {
                    Err(_silence) => return true,
                    Ok(Err(_nobody_reads)) => return false,
                    Ok(Ok(())) => {}
                }
            }
        };
        tokio::time::timeout(within, silent).await.unwrap_or(false)
    }

    /// Ends the watches; the record has to be without gaps.
    pub(super) fn finish(self) -> Result<Ledger, DrillError> {
        self.hub.forget(&self.namespace);
        self.reader.abort();
        if let Some(reason) = lock(&self.shared.trouble).take() {
            return Err(DrillError::Player(reason));
        }
        let ledger = self.ledger().clone();
        match ledger.gaps().first() {
            Some(gap) => Err(DrillError::Gap(gap.clone())),
            None => Ok(ledger),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(record: Record, client: Client, shared: Arc<Shared>, player: Player, seen: watch::Sender<u64>) {
    let turns = Arc::new(Semaphore::new(ENDINGS));
    let mut length = record.length();
    loop {
        length.mark_unchanged();
        let entries = record.take();
        let new: Vec<NewJob> = {
            let mut ledger = lock(&shared.ledger);
            entries.iter().filter_map(|entry| ledger.read(entry)).collect()
        };
        for job in new.into_iter().filter(|job| !is_finished(&job.version)) {
            let Some(outcome) = job.run.as_deref().and_then(|run| player(run, job.number)) else { continue };
            let (client, shared, turns) = (client.clone(), Arc::clone(&shared), Arc::clone(&turns));
            tokio::spawn(async move {
                let _turn = turns.acquire().await;
                if let Err(error) = end_job(&client, &job.version, outcome).await {
                    lock(&shared.trouble).get_or_insert_with(|| format!("{}: {error}", job.version.name));
                }
            });
        }
        if !entries.is_empty() {
            seen.send_modify(|number| *number += 1);
        }
        if length.changed().await.is_err() {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
