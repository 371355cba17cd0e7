//! Idempotency keys in a session: who may start, what the database has to be told, and who waits for it.
//!
//! ```text
//!   watch of runs ──observe──▶ Keys ◀──gate, claim── passes over runs with a key
//!                               │ ▲
//!             runs to look at ◀─┘ └── keeper: connect, rebuild, write the history, notice trouble
//! ```
//! Only runs with a key ever wait for the database. They are looked at again when its state changes.

mod claim;
mod keeper;
mod notes;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt as _;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

use crate::api::{AgentRun, JobView};
use crate::config::{Database, Namespaces};
use crate::decide::idempotency::{Finished, Holders};
use crate::decide::stage::Stage;
use crate::leader::Leadership;
use crate::metrics::{Metrics, Share};
use crate::serve::Health;
use crate::store::{Postgres, StoreError, StoreState};

use super::jobs;
use super::wakes::{Wakes, wake};

use notes::{Note, Notes};

pub(super) use claim::{Claimed, claim};

/// What passes and the keeper of the database share during a session.
pub(super) struct Keys {
    database: Database,
    namespaces: Namespaces,
    leadership: Leadership,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    /// Who looks at the runs of a namespace, or of all of them.
    wakes: Vec<(Option<String>, Arc<Wakes>)>,
    holders: Mutex<Holders>,
    notes: Mutex<Notes>,
    noted: Notify,
    waiting: Mutex<HashSet<ObjectRef<AgentRun>>>,
    told_waiting: Share,
    /// How the database stands; its connections while it is ready.
    state: Mutex<(StoreState, Option<Postgres>)>,
    trouble: Notify,
    /// Whether all runs are known.
    complete: watch::Sender<bool>,
}

/// Whether a run with a key may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// It may.
    Open,
    /// The database is being brought up to date, after which the run is looked at again.
    Opening,
    /// The database cannot be used; the run is looked at again when it can.
    Closed,
}

impl Keys {
    /// Keys whose database nobody has asked yet. `wakes` are the controllers by their namespace.
    pub(super) fn new(
        database: Database,
        namespaces: Namespaces,
        wakes: Vec<(Option<String>, Arc<Wakes>)>,
        leadership: Leadership,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            told_waiting: metrics.store_waiting(),
            database,
            namespaces,
            leadership,
            health,
            metrics,
            wakes,
            holders: Mutex::default(),
            notes: Mutex::default(),
            noted: Notify::new(),
            waiting: Mutex::default(),
            state: Mutex::new((StoreState::Opening, None)),
            trouble: Notify::new(),
            complete: watch::Sender::new(false),
        }
    }

    /// Takes in what the watch of runs has delivered, each run as a whole.
    pub(super) fn observe(&self, event: &watcher::Result<Event<AgentRun>>, jobs: &Store<JobView>) {
        let Ok(event) = event else { return };
        match event {
            Event::Apply(run) | Event::InitApply(run) => {
                self.take_in(run, jobs);
                if let Some(finished) = Finished::of(run) {
                    self.note(Note::Finished(finished));
                }
            }
            Event::Delete(run) => {
                let uid = run.uid().unwrap_or_default();
                lock(&self.waiting).remove(&place(run));
                if let Some(key) = lock(&self.holders).forget(&uid) {
                    self.note(Note::Gone(key, uid));
                }
            }
            Event::Init | Event::InitDone => {}
        }
    }

    /// After a list of all runs: forgets those that went away while nobody watched. `runs` are those of
    /// one namespace, or of all of them.
    pub(super) fn relisted(&self, namespace: Option<&str>, runs: &Store<AgentRun>) {
        lock(&self.holders).retain(|of, name, uid| {
            let is_here = namespace.is_none_or(|namespace| namespace == of);
            let cached = runs.get(&ObjectRef::new(name).within(of));
            !is_here || cached.is_some_and(|run| run.uid().as_deref() == Some(uid))
        });
    }

    /// Counts Jobs that no status shows. Needed once, when the lists of runs and of Jobs are complete.
    pub(super) fn take_stock(&self, runs: &Store<AgentRun>, jobs: &Store<JobView>) {
        for run in runs.state().iter().filter(|run| Stage::of(run) == Stage::New) {
            self.take_in(run, jobs);
        }
    }

    /// All runs are known: the database may be brought up to date.
    pub(super) fn open(&self) {
        self.complete.send_replace(true);
    }

    /// Whether a run with a key may go on. If not, it is looked at again when that may have changed.
    pub(super) fn gate(&self, run: &AgentRun) -> Gate {
        let place = place(run);
        // The lock is what keeps the state from changing between the look and the entry.
        let state = lock(&self.state);
        match state.0 {
            StoreState::Ready => Gate::Open,
            StoreState::Down(_) => {
                self.wait(place);
                Gate::Closed
            }
            StoreState::Off | StoreState::Idle | StoreState::Opening => {
                self.wait(place);
                Gate::Opening
            }
        }
    }

    fn wait(&self, place: ObjectRef<AgentRun>) {
        let mut waiting = lock(&self.waiting);
        waiting.insert(place);
        self.told_waiting.set(waiting.len());
    }

    fn take_in(&self, run: &AgentRun, jobs: &Store<JobView>) {
        if run.spec.idempotency_key.is_some() {
            lock(&self.holders).observe(run, jobs::unrecorded(run, jobs).is_some());
        }
    }

    fn note(&self, note: Note) {
        if !lock(&self.notes).add(note) {
            self.metrics.history_dropped();
        }
        self.noted.notify_one();
    }

    /// The connections, if the database is ready.
    fn ready(&self) -> Option<Postgres> {
        lock(&self.state).1.clone()
    }

    fn is_ready(&self, postgres: Postgres) {
        self.change(StoreState::Ready, Some(postgres));
        info!("the database is ready, and knows all keys that are in use");
    }

    fn failed(&self, error: &StoreError) {
        self.metrics.store_failed(error.reason());
        let is_known = lock(&self.state).0 == StoreState::Down(error.reason());
        // An outage of hours is one piece of news.
        if is_known {
            debug!(cause = error.cause(), "the database still cannot be used: failed to {error}");
        } else {
            warn!(cause = error.cause(), "runs with an idempotency key wait: failed to {error}");
        }
        self.change(StoreState::Down(error.reason()), None);
        self.trouble.notify_one();
    }

    fn change(&self, state: StoreState, postgres: Option<Postgres>) {
        let woken = {
            let mut now = lock(&self.state);
            let changed = std::mem::discriminant(&now.0) != std::mem::discriminant(&state);
            *now = (state, postgres);
            if changed { std::mem::take(&mut *lock(&self.waiting)) } else { HashSet::new() }
        };
        self.health.store(state);
        self.metrics.store_up(state == StoreState::Ready);
        self.told_waiting.set(lock(&self.waiting).len());
        for run in woken {
            wake(&self.wakes, run);
        }
    }
}

fn place(run: &AgentRun) -> ObjectRef<AgentRun> {
    ObjectRef::new(&run.name_any()).within(&run.namespace().unwrap_or_default())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
