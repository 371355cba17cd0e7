//! The rules one by one, and then all of them against a model that counts from scratch.

use std::time::Duration;

use proptest::prelude::*;
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
        ledger.observe(&run, false, at(0));
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
    ledger.observe(&running(1, 0), false, at(0));
    ledger.observe(&run(2), true, at(0));
    ledger.observe(&run(3), false, at(0));
    let (answer, _) = ledger.ask(&run(3), at(0));
    assert_eq!(answer, Answer::Wait(Limit::Concurrency { scope: Scope::Namespace, most: 2 }));
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
    ledger.observe(&running(1, -50), false, at(0));
    ledger.observe(&finished(2), false, at(0));
    ledger.observe(&run(3), false, at(0));
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

#[derive(Debug, Clone)]
enum Event {
    Arrive(i64),
    Ask(i64),
    Start(i64),
    Finish(i64),
    Vanish(i64),
    Wait,
}

fn event() -> impl Strategy<Value = Event> {
    let number = 1..20_i64;
    prop_oneof![
        3 => number.clone().prop_map(Event::Arrive),
        4 => number.clone().prop_map(Event::Ask),
        2 => number.clone().prop_map(Event::Start),
        2 => number.clone().prop_map(Event::Finish),
        1 => number.prop_map(Event::Vanish),
        1 => Just(Event::Wait),
    ]
}

fn placed(number: i64, status: serde_json::Value) -> AgentRun {
    let namespace = if number % 2 == 0 { "even" } else { "odd" };
    in_state(number, namespace, if number % 3 == 0 { "x" } else { "y" }, status)
}

proptest! {
    /// [LIM-01] Whatever happens, in whatever order: no scope ever holds more than its limit, the counts
    /// equal a count from scratch, and nobody is left waiting who could start.
    #[test]
    fn no_limit_is_ever_exceeded_and_no_slot_is_lost(events in prop::collection::vec(event(), 0..200)) {
        let concurrency = Concurrency { namespace: 3, agent: 2, cluster: 4, ..lifted().concurrency };
        let mut ledger = Ledger::new(Limits { concurrency, ..lifted() });
        let mut alive: BTreeMap<i64, &str> = BTreeMap::new();
        let mut second = 0;
        for event in events {
            match event {
                Event::Arrive(number) if !alive.contains_key(&number) => {
                    ledger.observe(&placed(number, json!({})), false, at(second));
                    alive.insert(number, "new");
                }
                Event::Ask(number) if alive.get(&number) == Some(&"new") => {
                    ledger.ask(&placed(number, json!({})), at(second));
                }
                Event::Start(number) if alive.get(&number) == Some(&"new") => {
                    // Only who was admitted is started by the controller.
                    let run = placed(number, json!({}));
                    if ledger.ask(&run, at(second)).0 == Answer::Start {
                        ledger.observe(&placed(number, json!({"phase": "Running"})), false, at(second));
                        alive.insert(number, "running");
                    }
                }
                Event::Finish(number) if alive.get(&number) == Some(&"running") => {
                    ledger.observe(&placed(number, json!({"phase": "Failed"})), false, at(second));
                    alive.remove(&number);
                }
                Event::Vanish(number) if alive.remove(&number).is_some() => {
                    ledger.forget(&placed(number, json!({})));
                }
                Event::Wait => second += 1,
                _ => {}
            }
            ledger.advance(at(second));
            let mut counted = Counts::default();
            for entry in ledger.runs.values().filter(|entry| entry.state.is_in_flight()) {
                counted.add(&entry.scopes);
            }
            prop_assert_eq!(&counted, ledger.in_flight());
            prop_assert!(counted.all() <= 4);
            for entry in ledger.runs.values() {
                prop_assert!(counted.namespace(&entry.scopes) <= 3 && counted.agent(&entry.scopes) <= 2);
                let waits = matches!(entry.state, State::Waiting { .. });
                let blocked = ledger.limit(&entry.scopes, &entry.position).is_some();
                prop_assert!(!waits || blocked, "{:?} could start", entry.position.name);
            }
            prop_assert_eq!(ledger.runs.len(), alive.len());
        }
    }
}
