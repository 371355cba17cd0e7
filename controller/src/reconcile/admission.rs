//! The one ledger of a session: versions of runs go in, runs that may start are woken.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tracing::debug;

use crate::api::{AgentRun, JobView};
use crate::config::Limits;
use crate::decide::limits::{Advance, Answer, Ledger, Position, Scope};
use crate::decide::stage::Stage;
use crate::metrics::Metrics;

use super::jobs;
use super::wakes::{Wakes, wake};

/// Longest time between two looks at the clock, which may be set while a timer runs.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Decides for all watched namespaces together which runs may start.
pub(super) struct Admission {
    ledger: Mutex<Ledger>,
    /// Who looks at the runs of a namespace, or of all of them.
    wakes: Vec<(Option<String>, Arc<Wakes>)>,
    changed: Notify,
    open: watch::Sender<bool>,
    metrics: Arc<Metrics>,
}

impl Admission {
    /// A closed admission: nobody starts before [`Admission::open`]. `wakes` are the controllers by
    /// their namespace.
    pub(super) fn new(
        limits: Limits,
        wakes: Vec<(Option<String>, Arc<Wakes>)>,
        metrics: Arc<Metrics>,
    ) -> Self {
        metrics.limit(Scope::Namespace.word(), limits.concurrency.namespace);
        metrics.limit(Scope::Agent.word(), limits.concurrency.agent);
        metrics.limit(Scope::Cluster.word(), limits.concurrency.cluster);
        Self {
            ledger: Mutex::new(Ledger::new(limits)),
            wakes,
            changed: Notify::new(),
            open: watch::Sender::new(false),
            metrics,
        }
    }

    /// Takes in what the watch of runs has delivered.
    pub(super) fn observe(&self, event: &watcher::Result<Event<AgentRun>>, jobs: &Store<JobView>) {
        let Ok(event) = event else { return };
        match event {
            Event::Apply(run) | Event::InitApply(run) => self.take_in(run, jobs),
            Event::Delete(run) => self.change(|ledger| ledger.forget(run)),
            Event::Init | Event::InitDone => {}
        }
    }

    /// After a list of all runs: forgets those that went away while nobody watched. `runs` are those of
    /// one namespace, or of all of them.
    pub(super) fn relisted(&self, namespace: Option<&str>, runs: &Store<AgentRun>) {
        self.change(|ledger| {
            ledger.retain(|position| {
                let is_here = namespace.is_none_or(|namespace| namespace == position.namespace);
                let reference = ObjectRef::new(&position.name).within(&position.namespace);
                let cached = runs.get(&reference);
                !is_here || cached.is_some_and(|run| run.uid().as_deref() == Some(&position.uid))
            });
        });
    }

    /// Counts Jobs that no status shows. Needed once, when the lists of runs and of Jobs are complete.
    pub(super) fn take_stock(&self, runs: &Store<AgentRun>, jobs: &Store<JobView>) {
        for run in runs.state().iter().filter(|run| Stage::of(run) == Stage::New) {
            self.take_in(run, jobs);
        }
    }

    /// Lets runs start. All lists have to be complete and in the ledger.
    pub(super) fn open(&self) {
        self.open.send_replace(true);
        self.changed.notify_one();
    }

    /// Whether `run` may start; waits until admission is open.
    pub(super) async fn ask(&self, run: &AgentRun) -> Answer {
        // The sender lives in this struct, so waiting cannot fail.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        let (answer, advance) = self.lock(|ledger| ledger.ask(run, Timestamp::now()));
        self.wake(&advance);
        answer
    }

    /// The run was admitted and does not start: its slot is free again.
    pub(super) fn park(&self, run: &AgentRun) {
        self.change(|ledger| ledger.park(run));
    }

    /// Wakes runs whenever capacity has become free, or time makes it so. Never ends.
    pub(super) async fn run(&self) {
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        loop {
            let now = Timestamp::now();
            let advance = self.lock(|ledger| ledger.advance(now));
            self.wake(&advance);
            self.publish();
            let timer = async {
                match advance.again_at {
                    Some(at) => sleep(until(at, now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = timer => {}
            }
        }
    }

    fn take_in(&self, run: &AgentRun, jobs: &Store<JobView>) {
        let owns_job = jobs::has_unrecorded(run, jobs);
        if self.lock(|ledger| ledger.observe(run, owns_job, Timestamp::now())) {
            self.changed.notify_one();
        }
    }

    fn wake(&self, advance: &Advance) {
        for Position { namespace, name, .. } in &advance.woken {
            debug!(namespace, run = name, "woken by a change of the limits' counts");
            wake(&self.wakes, ObjectRef::new(name).within(namespace));
        }
    }

    fn publish(&self) {
        let (waiting, all, fullest) =
            self.lock(|ledger| (ledger.waiting(), ledger.in_flight().all(), ledger.in_flight().fullest()));
        self.metrics.waiting(waiting);
        self.metrics.in_flight(Scope::Cluster.word(), all);
        for (scope, number) in fullest {
            self.metrics.in_flight(scope, number);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Ledger)) {
        self.lock(change);
        self.changed.notify_one();
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        work(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The time from `now` to `at`, bounded so that a clock that is set is noticed.
pub(super) fn until(at: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    left.clamp(Duration::from_millis(1), LONGEST_SLEEP)
}
