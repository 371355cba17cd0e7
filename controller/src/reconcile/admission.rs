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
use crate::config::{Concurrency, Limits};
use crate::decide::limits::{Advance, Answer, Ledger, Position, Scope};
use crate::decide::stage::Stage;
use crate::metrics::{Metrics, Share};

use super::wakes::{Wakes, wake};
use super::{jobs, objects};

/// Longest time between two looks at the clock, which may be set while a timer runs.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Decides for all watched namespaces together which runs may start.
pub(super) struct Admission {
    ledger: Mutex<Ledger>,
    /// Who looks at the runs of a namespace, or of all of them.
    wakes: Vec<(Option<String>, Arc<Wakes>)>,
    changed: Notify,
    open: watch::Sender<bool>,
    told_waiting: Share,
    /// Of each kind of scope how full the fullest is.
    told_in_flight: [(Scope, Share); 4],
}

impl Admission {
    /// A closed admission: nobody starts before [`Admission::open`]. `wakes` are the controllers by
    /// their namespace.
    pub(super) fn new(limits: Limits, wakes: Vec<(Option<String>, Arc<Wakes>)>, metrics: &Metrics) -> Self {
        let Concurrency { namespace, agent, cluster, repository, .. } = limits.concurrency;
        metrics.limit(Scope::Namespace.word(), namespace);
        metrics.limit(Scope::Agent.word(), agent);
        metrics.limit(Scope::Cluster.word(), cluster);
        // No number stands for "as many as you like".
        if let Some(repository) = repository {
            metrics.limit(Scope::Repository.word(), repository);
        }
        Self {
            ledger: Mutex::new(Ledger::new(limits)),
            wakes,
            changed: Notify::new(),
            open: watch::Sender::new(false),
            told_waiting: metrics.waiting(),
            told_in_flight: Scope::ALL.map(|scope| (scope, metrics.in_flight(scope.word()))),
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
        let now = Timestamp::now();
        let unrecorded = jobs::unrecorded(run, jobs).map(|job| objects::began(&job, now));
        if self.lock(|ledger| ledger.observe(run, unrecorded, now)) {
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
        let (waiting, in_flight) = self.lock(|ledger| (ledger.waiting(), ledger.in_flight().clone()));
        self.told_waiting.set(waiting);
        for (scope, share) in &self.told_in_flight {
            share.set(in_flight.fullest(*scope));
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

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use serde_json::json;

    use super::*;

    fn run(namespace: &str, name: &str) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}-{name}")},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}, "parameters": {"repository": "acme/web"}},
        }))
        .unwrap()
    }

    fn number(metrics: &Metrics, series: &str) -> Option<String> {
        let text = metrics.render().unwrap();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
    }

    /// [HL-04]
    #[tokio::test]
    async fn all_namespaces_are_counted_together_and_nothing_is_left_when_the_work_is_over() {
        let metrics = Metrics::default();
        let mut limits = Limits::default();
        limits.concurrency.cluster = 2;
        limits.concurrency.repository = Some(7);
        let admission = Admission::new(limits, Vec::new(), &metrics);
        admission.open();
        let (jobs, _) = reflector::store();
        for run in [run("ns", "a"), run("ns", "b"), run("other", "c")] {
            admission.observe(&Ok(Event::Apply(run)), &jobs);
        }
        admission.ask(&run("ns", "a")).await;
        admission.publish();
        let told = |series| number(&metrics, series);
        assert_eq!(told("agents_runs_in_flight{scope=\"cluster\"}").as_deref(), Some("2"));
        assert_eq!(told("agents_runs_in_flight{scope=\"repository\"}").as_deref(), Some("2"));
        assert_eq!(told("agents_runs_waiting").as_deref(), Some("1"));
        assert_eq!(told("agents_runs_limit{scope=\"repository\"}").as_deref(), Some("7"));
        drop(admission);
        assert_eq!(told("agents_runs_in_flight{scope=\"cluster\"}").as_deref(), Some("0"));
        assert_eq!(told("agents_runs_waiting").as_deref(), Some("0"));
    }

    /// [HL-04]
    #[test]
    fn a_repository_without_limit_has_no_number() {
        let metrics = Metrics::default();
        let _admission = Admission::new(Limits::default(), Vec::new(), &metrics);
        assert_eq!(number(&metrics, "agents_runs_limit{scope=\"repository\"}"), None);
        assert_eq!(number(&metrics, "agents_runs_limit{scope=\"agent\"}").as_deref(), Some("5"));
    }
}
