//! The rules one by one, and then all of them against a model that counts from scratch.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use rstest::rstest;
use serde_json::json;

use crate::config::{Bounds, Concurrency};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Limits that never bind; a test sets those it is about.
fn lifted() -> Limits {
    Limits {
        concurrency: Concurrency {
            namespace: 1000,
            agent: 1000,
            cluster: 1000,
            repository: None,
            repositories: BTreeMap::new(),
        },
        queue: Bounds::default(),
        rate: Bounds::default(),
        window: Duration::from_mins(1),
    }
}

/// A new run; its number is its age, the lowest being the oldest.
fn run(number: i64) -> AgentRun {
    in_state(number, "ns", "a", json!({}))
}

#[expect(clippy::needless_pass_by_value, reason = "literals read better without a borrow")]
fn in_state(number: i64, namespace: &str, agent: &str, status: serde_json::Value) -> AgentRun {
    serde_json::from_value(json!({
        "metadata": {
            "name": format!("run-{number:03}"), "namespace": namespace, "uid": format!("uid-{number:03}"),
            "creationTimestamp": at(number - 1000).to_string(),
        },
        "spec": {
            "agentRef": {"name": agent}, "runtime": {"type": "job"}, "parameters": {"repo": "Acme/Web"},
        },
        "status": status,
    }))
    .unwrap()
}

fn running(number: i64, started: i64) -> AgentRun {
    in_state(number, "ns", "a", json!({"phase": "Running", "startedAt": at(started).to_string()}))
}

fn finished(number: i64) -> AgentRun {
    in_state(number, "ns", "a", json!({"phase": "Succeeded", "startedAt": at(0).to_string()}))
}

fn names(advance: &Advance) -> Vec<&str> {
    advance.woken.iter().map(|position| position.name.as_str()).collect()
}

fn observe(ledger: &mut Ledger, runs: impl IntoIterator<Item = AgentRun>) {
    for run in runs {
        ledger.observe(&run, None, at(0));
    }
}

/// [LIM-01] [LIM-02]
#[test]
fn a_burst_gets_the_slots_in_the_order_of_creation_and_the_next_one_when_a_slot_is_free() {
    let mut ledger =
        Ledger::new(Limits { concurrency: Concurrency { agent: 2, ..lifted().concurrency }, ..lifted() });
    observe(&mut ledger, [run(4), run(2), run(1), run(3)]);
    // Whoever asks first, the oldest are admitted.
    let (answer, advance) = ledger.ask(&run(4), at(0));
    assert_eq!(answer, Answer::Wait(Limit::Concurrency { scope: Scope::Agent, most: 2 }));
    assert_eq!(names(&advance), ["run-001", "run-002"]);
    assert_eq!(ledger.ask(&run(2), at(0)).0, Answer::Start);
    observe(&mut ledger, [running(1, 0)]);
    assert_eq!(ledger.advance(at(1)), Advance::default());
    observe(&mut ledger, [finished(1)]);
    assert_eq!(names(&ledger.advance(at(2))), ["run-003"]);
    assert_eq!((ledger.in_flight().all(), ledger.waiting()), (2, 1));
}

/// [LIM-01] A decided start counts until it is visible, although the cached copy still looks new.
#[test]
fn an_old_copy_of_an_admitted_run_does_not_free_its_slot() {
    let mut ledger =
        Ledger::new(Limits { concurrency: Concurrency { cluster: 1, ..lifted().concurrency }, ..lifted() });
    observe(&mut ledger, [run(1), run(2)]);
    assert_eq!(ledger.ask(&run(1), at(0)).0, Answer::Start);
    observe(&mut ledger, [run(1)]);
    assert!(matches!(ledger.ask(&run(2), at(0)).0, Answer::Wait(_)));
}

/// [LIM-05]
#[test]
fn running_runs_and_jobs_that_no_status_shows_count_after_a_restart() {
    let mut ledger =
        Ledger::new(Limits { concurrency: Concurrency { namespace: 2, ..lifted().concurrency }, ..lifted() });
    ledger.observe(&running(1, 0), None, at(0));
    ledger.observe(&run(2), Some(at(0)), at(0));
    ledger.observe(&run(3), None, at(0));
    let (answer, _) = ledger.ask(&run(3), at(0));
    assert_eq!(answer, Answer::Wait(Limit::Concurrency { scope: Scope::Namespace, most: 2 }));
}

/// [LIM-04] [LIM-05] A kill between a Job and the status of its run hides no start.
#[test]
fn a_job_that_no_status_shows_counts_as_a_start_from_its_creation() {
    let rate = Bounds { cluster: Some(1), ..Bounds::default() };
    let mut ledger = Ledger::new(Limits { rate, ..lifted() });
    ledger.observe(&run(1), Some(at(-20)), at(0));
    ledger.observe(&run(2), None, at(0));
    let expected = Limit::Rate { scope: Scope::Cluster, most: 1, free_at: at(40) };
    assert_eq!(ledger.ask(&run(2), at(0)).0, Answer::Wait(expected));
    // What the status says later is the same start.
    ledger.observe(&running(1, -10), None, at(1));
    assert_eq!(ledger.ask(&run(2), at(1)).0, Answer::Wait(expected));
}

/// [LIM-02] The reason that a run shows is that of the first limit it has reached.
#[test]
fn whoever_waits_for_the_rate_learns_when_the_cluster_is_full() {
    let rate = Bounds { namespace: Some(1), ..Bounds::default() };
    let concurrency = Concurrency { cluster: 2, ..lifted().concurrency };
    let mut ledger = Ledger::new(Limits { concurrency, rate, ..lifted() });
    observe(&mut ledger, [run(1), run(2), run(3)]);
    assert_eq!(ledger.ask(&run(1), at(0)).0, Answer::Start);
    for number in [2, 3] {
        assert!(matches!(ledger.ask(&run(number), at(0)).0, Answer::Wait(Limit::Rate { .. })));
    }
    // Somebody from elsewhere takes the last slot.
    let other = in_state(4, "other", "a", json!({}));
    observe(&mut ledger, [other.clone()]);
    let (answer, advance) = ledger.ask(&other, at(1));
    assert_eq!((answer, names(&advance)), (Answer::Start, vec!["run-002", "run-003"]));
    let full = Answer::Wait(Limit::Concurrency { scope: Scope::Cluster, most: 2 });
    for number in [2, 3] {
        assert_eq!(
            ledger.ask(&run(number), at(1)),
            (full, Advance { again_at: Some(at(60)), ..Advance::default() })
        );
    }
    // It leaves, and the rate is what keeps them again.
    observe(
        &mut ledger,
        [in_state(4, "other", "a", json!({"phase": "Succeeded", "startedAt": at(1).to_string()}))],
    );
    assert_eq!(names(&ledger.advance(at(2))), ["run-002", "run-003"]);
    assert!(matches!(ledger.ask(&run(2), at(2)).0, Answer::Wait(Limit::Rate { .. })));
    assert!(matches!(ledger.ask(&run(3), at(2)).0, Answer::Wait(Limit::Rate { .. })));
    // The next start by the rate fills the cluster, which the last one has to learn.
    observe(&mut ledger, [in_state(5, "other", "a", json!({"phase": "Running"}))]);
    observe(&mut ledger, [finished(1)]);
    assert_eq!(names(&ledger.advance(at(60))), ["run-002", "run-003"]);
    assert_eq!(ledger.ask(&run(3), at(60)).0, full);
}

#[test]
fn a_run_that_its_agent_holds_back_does_not_stop_others() {
    let mut ledger =
        Ledger::new(Limits { concurrency: Concurrency { agent: 1, ..lifted().concurrency }, ..lifted() });
    observe(&mut ledger, [running(1, 0), run(2), in_state(3, "ns", "b", json!({}))]);
    assert_eq!(names(&ledger.advance(at(0))), ["run-003"]);
}

#[test]
fn a_repository_has_a_limit_of_its_own() {
    let concurrency = Concurrency {
        repository: Some(9),
        repositories: BTreeMap::from([("acme/web".to_owned(), Some(1))]),
        ..lifted().concurrency
    };
    let mut ledger = Ledger::new(Limits { concurrency, ..lifted() });
    observe(&mut ledger, [in_state(1, "other", "x", json!({"phase": "Running"})), run(2)]);
    let (answer, _) = ledger.ask(&run(2), at(0));
    assert_eq!(answer, Answer::Wait(Limit::Concurrency { scope: Scope::Repository, most: 1 }));
}

/// [LIM-03] Only the oldest waiting runs are in line for the rate; the others are outside the queue.
#[test]
fn a_run_behind_too_many_waiting_ones_is_outside_the_queue_until_it_drains() {
    let queue = Bounds { namespace: Some(1), ..Bounds::default() };
    let rate = Bounds { cluster: Some(1), ..Bounds::default() };
    let mut ledger = Ledger::new(Limits { queue, rate, ..lifted() });
    observe(&mut ledger, [run(1), run(2), run(3)]);
    assert_eq!(ledger.ask(&run(1), at(0)).0, Answer::Start);
    assert!(matches!(ledger.ask(&run(2), at(0)).0, Answer::Wait(Limit::Rate { .. })));
    let outside = Answer::Wait(Limit::Queue { scope: Scope::Namespace, most: 1 });
    assert_eq!(ledger.ask(&run(3), at(0)).0, outside);
    // When the window has moved the second starts, and the third has to learn what it waits for now.
    assert_eq!(names(&ledger.advance(at(60))), ["run-002", "run-003"]);
}

/// [LIM-04]
#[test]
fn a_rate_is_rebuilt_from_the_starts_that_are_on_record_and_tells_when_it_is_over() {
    let rate = Bounds { repository: Some(2), ..Bounds::default() };
    let mut ledger = Ledger::new(Limits { rate, ..lifted() });
    ledger.observe(&running(1, -50), None, at(0));
    ledger.observe(&finished(2), None, at(0));
    ledger.observe(&run(3), None, at(0));
    let (answer, advance) = ledger.ask(&run(3), at(0));
    let limit = Limit::Rate { scope: Scope::Repository, most: 2, free_at: at(10) };
    assert_eq!((answer, advance.again_at), (Answer::Wait(limit), Some(at(10))));
    assert!(limit.message(at(0)).ends_with("possible in 10 s"));
    assert_eq!(names(&ledger.advance(at(10))), ["run-003"]);
}

/// A refused run gives back slot and rate token, and stays out of the queue until it asks again.
#[test]
fn a_parked_run_holds_nothing_and_is_not_admitted_behind_its_back() {
    let rate = Bounds { cluster: Some(1), ..Bounds::default() };
    let mut ledger = Ledger::new(Limits { rate, ..lifted() });
    observe(&mut ledger, [run(1), run(2)]);
    assert_eq!(ledger.ask(&run(1), at(0)).0, Answer::Start);
    ledger.park(&run(1));
    assert_eq!(names(&ledger.advance(at(1))), ["run-002"]);
    assert!(matches!(ledger.ask(&run(1), at(1)).0, Answer::Wait(Limit::Rate { .. })));
}

#[test]
fn a_run_that_is_being_deleted_or_is_gone_leaves_the_queue() {
    let mut ledger =
        Ledger::new(Limits { concurrency: Concurrency { cluster: 1, ..lifted().concurrency }, ..lifted() });
    observe(&mut ledger, [running(1, 0), run(2), run(3), run(4)]);
    let mut leaving = run(2);
    leaving.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)));
    observe(&mut ledger, [leaving]);
    ledger.forget(&run(1));
    ledger.retain(|position| position.name != "run-003");
    assert_eq!(names(&ledger.advance(at(0))), ["run-004"]);
}

/// [LIM-05] Without our finalizer nothing of it is at work any more, whoever keeps the object.
#[rstest]
#[case::admitted(run(1))]
#[case::running(running(1, 0))]
fn a_run_that_was_let_go_leaves_its_slot(#[case] before: AgentRun, #[values(true, false)] is_let_go: bool) {
    let mut ledger =
        Ledger::new(Limits { concurrency: Concurrency { cluster: 1, ..lifted().concurrency }, ..lifted() });
    let with = |finalizers: &[&str]| {
        let mut run = before.clone();
        run.metadata.finalizers = Some(finalizers.iter().map(|&name| name.to_owned()).collect());
        run
    };
    assert_eq!(ledger.ask(&with(&[FINALIZER]), at(0)).0, Answer::Start);
    let mut leaving = with(if is_let_go { &["other"] } else { &["other", FINALIZER] });
    leaving.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)));
    observe(&mut ledger, [leaving]);
    assert_eq!(ledger.ask(&run(2), at(0)).0 == Answer::Start, is_let_go);
}

/// [LIM-01] A copy that was changed meanwhile counts towards what it says now, not towards what was known.
#[test]
fn a_run_that_moved_to_another_agent_starts_on_a_slot_of_that_agent() {
    let mut ledger =
        Ledger::new(Limits { concurrency: Concurrency { agent: 1, ..lifted().concurrency }, ..lifted() });
    observe(&mut ledger, [running(1, 0), run(2)]);
    assert!(matches!(ledger.ask(&run(2), at(0)).0, Answer::Wait(_)));
    let moved = in_state(2, "ns", "b", json!({}));
    assert_eq!(ledger.ask(&moved, at(0)).0, Answer::Start);
    assert_eq!((ledger.in_flight().all(), ledger.waiting()), (2, 0));
    let next = in_state(3, "ns", "b", json!({}));
    assert!(matches!(ledger.ask(&next, at(0)).0, Answer::Wait(_)));
}

#[derive(Debug, Clone)]
enum Event {
    Arrive(i64),
    Ask(Index),
    Start(Index),
    Park(Index),
    Finish(Index),
    Vanish(Index),
    Wait(i64),
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let index = any::<Index>;
    prop_oneof![
        6 => (1..1000_i64).prop_map(Event::Arrive),
        4 => index().prop_map(Event::Ask),
        4 => index().prop_map(Event::Start),
        1 => index().prop_map(Event::Park),
        4 => index().prop_map(Event::Finish),
        1 => index().prop_map(Event::Vanish),
        3 => (0..6_i64).prop_map(Event::Wait),
        1 => Just(Event::Restart),
    ]
}

fn placed(number: i64, status: serde_json::Value) -> AgentRun {
    let namespace = if number % 2 == 0 { "even" } else { "odd" };
    in_state(number, namespace, if number % 3 == 0 { "x" } else { "y" }, status)
}

/// Seconds of the window in which starts count.
const WINDOW: i64 = 10;

fn narrow() -> Limits {
    let concurrency = Concurrency { namespace: 3, agent: 2, cluster: 4, ..lifted().concurrency };
    let queue = Bounds { namespace: Some(3), cluster: Some(5), repository: None };
    let rate = Bounds { namespace: Some(3), cluster: Some(5), repository: None };
    Limits { concurrency, queue, rate, window: Duration::from_secs(WINDOW.unsigned_abs()) }
}

/// How far a run is, as everybody can see.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    New,
    Running,
    Finished,
}

/// A ledger, and what it has to account for.
struct Model {
    ledger: Ledger,
    second: i64,
    runs: BTreeMap<i64, Seen>,
    /// When each run got its slot.
    starts: BTreeMap<i64, i64>,
    arrived: BTreeSet<i64>,
}

impl Model {
    fn new() -> Self {
        let (runs, starts, arrived) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { ledger: Ledger::new(narrow()), second: 0, runs, starts, arrived }
    }

    fn now(&self) -> Timestamp {
        at(self.second)
    }

    /// The run as everybody can see it.
    fn version(&self, number: i64) -> AgentRun {
        let started = self.starts.get(&number).map(|second| at(*second).to_string());
        placed(
            number,
            match self.runs[&number] {
                Seen::New => json!({}),
                Seen::Running => json!({"phase": "Running", "startedAt": started}),
                Seen::Finished => json!({"phase": "Failed", "startedAt": started}),
            },
        )
    }

    fn observe(&mut self, number: i64) {
        let version = self.version(number);
        self.ledger.observe(&version, None, at(self.second));
    }

    /// One of the runs that are so far.
    fn pick(&self, index: Index, seen: Seen) -> Option<i64> {
        let so_far: Vec<i64> =
            self.runs.iter().filter(|(_, found)| **found == seen).map(|(number, _)| *number).collect();
        (!so_far.is_empty()).then(|| *index.get(&so_far))
    }

    fn in_flight(&self) -> BTreeSet<i64> {
        let entries = self.ledger.runs.values().filter(|entry| entry.state.is_in_flight());
        entries.map(|entry| number(&entry.position)).collect()
    }

    /// Whether the run has its slot after asking for it.
    fn starts(&mut self, number: i64) -> bool {
        let (version, now) = (self.version(number), self.now());
        self.ledger.ask(&version, now).0 == Answer::Start
    }

    /// Lets it happen, as far as it can.
    fn act(&mut self, event: &Event) {
        match event {
            Event::Arrive(number) => {
                if self.arrived.insert(*number) {
                    self.runs.insert(*number, Seen::New);
                    self.observe(*number);
                }
            }
            Event::Ask(index) => {
                if let Some(number) = self.pick(*index, Seen::New) {
                    self.starts(number);
                }
            }
            Event::Start(index) => {
                if let Some(number) = self.pick(*index, Seen::New).filter(|number| self.starts(*number)) {
                    self.starts.entry(number).or_insert(self.second);
                    self.runs.insert(number, Seen::Running);
                    self.observe(number);
                }
            }
            Event::Park(index) => {
                if let Some(number) = self.pick(*index, Seen::New).filter(|number| self.starts(*number)) {
                    self.ledger.park(&placed(number, json!({})));
                    self.starts.remove(&number);
                }
            }
            Event::Finish(index) => {
                if let Some(number) = self.pick(*index, Seen::Running) {
                    self.runs.insert(number, Seen::Finished);
                    self.observe(number);
                }
            }
            Event::Vanish(index) => {
                let numbers: Vec<i64> = self.runs.keys().copied().collect();
                if !numbers.is_empty() {
                    let version = self.version(*index.get(&numbers));
                    self.runs.remove(index.get(&numbers));
                    self.ledger.forget(&version);
                }
            }
            Event::Wait(seconds) => self.second += seconds,
            Event::Restart => self.restart(),
        }
    }

    /// Another process knows what everybody can see, and nothing else.
    fn restart(&mut self) {
        self.starts.retain(|number, _| self.runs.get(number).is_some_and(|seen| *seen != Seen::New));
        self.ledger = Ledger::new(narrow());
        for number in self.runs.keys().copied().collect::<Vec<_>>() {
            self.observe(number);
        }
    }

    /// Starts within the window that ends now.
    fn recent(&self, of: impl Fn(i64) -> bool) -> usize {
        let is_recent = |(number, second): &(&i64, &i64)| **second > self.second - WINDOW && of(**number);
        self.starts.iter().filter(is_recent).count()
    }

    /// What holds at every moment; `advance` is the answer to the last look at the queue.
    fn check(&self, advance: &Advance) -> Result<(), TestCaseError> {
        let mut counted = Counts::default();
        for entry in self.ledger.runs.values().filter(|entry| entry.state.is_in_flight()) {
            counted.add(&entry.scopes);
        }
        prop_assert_eq!(&counted, self.ledger.in_flight());
        prop_assert!(counted.all() <= 4);
        for entry in self.ledger.runs.values() {
            prop_assert!(counted.namespace(&entry.scopes) <= 3 && counted.agent(&entry.scopes) <= 2);
            let State::Waiting { .. } = entry.state else { continue };
            let limit = self.ledger.limit(&entry.scopes, &entry.position);
            prop_assert!(limit.is_some(), "{:?} could start", entry.position.name);
            let comes_by_itself = matches!(limit, Some(Limit::Rate { .. }));
            prop_assert!(!comes_by_itself || advance.again_at.is_some_and(|at| at > self.now()));
        }
        let unfinished = self.runs.values().filter(|seen| **seen != Seen::Finished).count();
        prop_assert_eq!(self.ledger.runs.len(), unfinished);
        Ok(())
    }

    /// What holds of the runs that have just got their slots.
    fn check_new(&self, admitted: &BTreeSet<i64>) -> Result<(), TestCaseError> {
        for new in admitted {
            let is_near = |other: i64| other % 2 == new % 2;
            prop_assert!(self.recent(|_| true) <= 5 && self.recent(is_near) <= 3, "too many starts");
            let older = self.ledger.waiting.keys().map(number).filter(|waiting| waiting < new);
            let older: Vec<i64> = older.collect();
            prop_assert!(older.len() < 5 && older.iter().filter(|other| is_near(**other)).count() < 3);
            let overtaken = older.iter().find(|other| **other % 6 == new % 6);
            prop_assert_eq!(overtaken, None, "{} could have started before {}", overtaken.unwrap_or(&0), new);
        }
        Ok(())
    }
}

fn number(position: &Position) -> i64 {
    position.name.trim_start_matches("run-").parse().unwrap()
}

proptest! {
    /// [LIM-01] [LIM-02] [LIM-03] [LIM-04] [LIM-05] Whatever happens, in whatever order, restarts included: no
    /// scope ever holds, starts or skips more than its limits allow, the counts equal a count from scratch,
    /// nobody is left waiting who could start, and nobody starts before an older run of the same scopes.
    #[test]
    fn no_limit_is_ever_exceeded_and_no_slot_is_lost(events in prop::collection::vec(event(), 0..120)) {
        let mut model = Model::new();
        for event in events {
            let mut before = model.in_flight();
            model.act(&event);
            if matches!(event, Event::Restart) {
                before = model.in_flight();
            }
            let advance = model.ledger.advance(model.now());
            let admitted: BTreeSet<i64> = model.in_flight().difference(&before).copied().collect();
            for number in &admitted {
                model.starts.insert(*number, model.second);
            }
            model.check(&advance)?;
            model.check_new(&admitted)?;
        }
    }
}
