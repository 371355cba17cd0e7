use serde_json::{Value, json};

use super::*;
use crate::drill::ledger::tests::{job, version};

fn run(phase: &str) -> Value {
    json!({"spec": {"text": "hello"}, "status": {"phase": phase}})
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A drill of three runs, one of each sort, that went well.
struct Case {
    before: Ledger,
    after: Ledger,
    snapshot: BTreeMap<String, u64>,
    writes: Vec<Write>,
    restore: RestoreEnd,
    timeline: Timeline,
    unsettled: Vec<String>,
    /// Before all had settled, and then.
    asked: Vec<Asked>,
    asked_late: Vec<Asked>,
    memory: Memory,
}

/// A write of a run that changes nothing.
fn asks(run: &str, accepted: bool) -> Asked {
    let text = format!("patch runs/status drill/{run}");
    Asked { resource: "runs".to_owned(), name: run.to_owned(), accepted, text }
}

impl Case {
    fn new() -> Self {
        let mut before = Ledger::new("Run");
        for entry in [
            version("Run", "ended", 1, 1, run("Succeeded")),
            job("ended-job", "ended", 2, 1),
            version("Run", "active", 3, 1, run("Running")),
            job("active-job", "active", 4, 1),
            version("Run", "waiting", 5, 1, run("Pending")),
            // After the snapshot at 10.
            version("Run", "late", 11, 3, run("Pending")),
        ] {
            before.read(&entry);
        }
        let mut after = Ledger::new("Run");
        for entry in [
            version("Run", "ended", 1, 21, run("Succeeded")),
            version("Run", "active", 2, 21, run("Running")),
            version("Run", "waiting", 3, 21, run("Pending")),
            version("Run", "active", 6, 31, run("Failed")),
            job("waiting-job", "waiting", 7, 31),
            version("Run", "waiting", 8, 32, run("Succeeded")),
        ] {
            after.read(&entry);
        }
        let write = |run: &str, revision, second| Write {
            run: run.to_owned(),
            effect: Effect::Created,
            revision: Some(revision),
            at: at(second),
        };
        let mut timeline = Timeline::default();
        for (moment, second) in [(Moment::T0, 10), (Moment::T1, 15), (Moment::T6, 30), (Moment::T8, 32)] {
            timeline.at(moment, at(second));
        }
        Self {
            before,
            after,
            snapshot: BTreeMap::from([("Run".to_owned(), 10)]),
            writes: vec![write("ended", 1, 1), write("late", 11, 3)],
            restore: RestoreEnd { complete: true, said: "3 created".to_owned() },
            timeline,
            unsettled: Vec::new(),
            asked: ["active", "waiting", "waiting"].map(|run| asks(run, true)).to_vec(),
            asked_late: Vec::new(),
            memory: Memory { hallmark: Some(10 << 20), controller: Some(10 << 20) },
        }
    }

    fn broken(&self) -> Vec<&'static str> {
        let asked: Vec<Asked> = self.asked.iter().chain(&self.asked_late).cloned().collect();
        let evidence = Evidence {
            run_kind: "Run",
            run_resource: "runs",
            before: &self.before,
            after: &self.after,
            snapshot: &self.snapshot,
            taken: at(2),
            writes: &self.writes,
            restore: &self.restore,
            restored: at(25),
            timeline: &self.timeline,
            unsettled: Some(&self.unsettled),
            asked: Some(&asked),
            before_rest: Some(self.asked.len()),
            quiet: Duration::from_secs(5),
            crash: None,
            promised: promise(None, 3),
            memory: self.memory,
        };
        let claims = evidence.judge();
        assert!(claims.iter().all(|claim| claim.verdict != Verdict::Open), "{claims:#?}");
        claims.iter().filter(|claim| claim.verdict == Verdict::Broken).map(|claim| claim.claim).collect()
    }

    fn with(change: impl FnOnce(&mut Self)) -> Vec<&'static str> {
        let mut case = Self::new();
        change(&mut case);
        case.broken()
    }
}

#[test]
fn a_drill_that_went_well_breaks_no_claim() {
    assert_eq!(Case::new().broken(), Vec::<&str>::new());
}

#[test]
fn a_second_execution_is_found_also_when_its_job_is_gone() {
    let broken = Case::with(|case| {
        case.after.read(&job("again", "ended", 9, 40));
        case.after.read(&version("Job", "again", 10, 41, Value::Null));
    });
    assert_eq!(broken, ["no run that had ended gets a Job"]);
    let broken = Case::with(|case| drop(case.after.read(&job("again", "active", 9, 40))));
    assert_eq!(broken, ["no run that was active is executed again"]);
    let broken = Case::with(|case| drop(case.after.read(&job("again", "waiting", 9, 40))));
    assert_eq!(broken, ["every run that waited gets one Job"]);
    let broken = Case::with(|case| drop(case.after.read(&job("again", "unheard-of", 9, 40))));
    assert_eq!(broken, ["every Job belongs to a run of the archive"]);
}

#[test]
fn what_comes_back_otherwise_or_not_at_all_is_found() {
    let faithful = "spec, status and metadata of every object are those of the snapshot";
    let exactly = "lost are the writes after the snapshot, and no other";
    let broken = Case::with(|case| {
        case.after.read(&version("Run", "active", 4, 22, json!({"spec": {"text": "hello"}})));
    });
    assert_eq!(broken, [faithful]);
    let broken = Case::with(|case| drop(case.after.read(&version("Run", "ended", 4, 22, Value::Null))));
    assert_eq!(broken, [faithful, exactly]);
}

#[test]
fn what_was_written_too_late_must_not_come_back() {
    let broken = Case::with(|case| drop(case.after.read(&version("Run", "late", 4, 22, run("Pending")))));
    assert_eq!(
        broken,
        [
            "spec, status and metadata of every object are those of the snapshot",
            "lost are the writes after the snapshot, and no other",
        ]
    );
}

#[test]
fn a_change_is_lost_unless_the_run_is_as_it_was_after_it() {
    let changed = json!({"spec": {"text": "hello"}, "status": {"phase": "Succeeded"}, "metadata": {"labels": {"a": "b"}}});
    let prepare = |case: &mut Case| {
        case.before.read(&version("Run", "ended", 12, 3, changed.clone()));
        let effect = Effect::Changed;
        case.writes.push(Write { run: "ended".to_owned(), effect, revision: Some(12), at: at(3) });
    };
    assert_eq!(Case::with(prepare), Vec::<&str>::new());
    let broken = Case::with(|case| {
        prepare(case);
        case.after.read(&version("Run", "ended", 4, 22, changed.clone()));
    });
    assert!(broken.contains(&"lost are the writes after the snapshot, and no other"), "{broken:?}");
}

#[test]
fn a_finished_run_that_changes_after_the_release_is_found() {
    for later in [run("Failed"), Value::Null] {
        let broken = Case::with(|case| drop(case.after.read(&version("Run", "ended", 9, 40, later))));
        assert_eq!(broken, ["what had ended stays as it was"]);
    }
}

#[test]
fn a_write_that_changes_nothing_is_found_by_its_request() {
    assert_eq!(Case::with(|case| case.asked.push(asks("ended", true))), ["what had ended stays as it was"]);
    let often =
        |accepted| Case::with(|case| case.asked.extend(vec![asks("waiting", accepted); WRITES_PER_RUN]));
    assert_eq!(often(true), ["no run that had not ended costs more than a few writes"]);
    // What the API server refuses costs nothing.
    assert_eq!(often(false), Vec::<&str>::new());
}

#[test]
fn too_much_memory_of_either_side_is_found() {
    let text = ["memory stays within its bounds"];
    assert_eq!(Case::with(|case| case.memory.hallmark = Some(1 << 30)), text);
    assert_eq!(Case::with(|case| case.memory.controller = Some(1 << 30)), text);
}

#[test]
fn what_goes_on_or_takes_too_long_is_found() {
    assert_eq!(
        Case::with(|case| case.unsettled.push("active".to_owned())),
        ["every run has come to its end"]
    );
    assert_eq!(
        Case::with(|case| case.asked_late.push(asks("active", true))),
        ["nothing is written once all have settled"]
    );
    let late = Case::with(|case| {
        case.timeline = Timeline::default();
        for (moment, second) in [(Moment::T0, 10), (Moment::T1, 15), (Moment::T6, 30), (Moment::T8, 76)] {
            case.timeline.at(moment, at(second));
        }
    });
    assert_eq!(late, ["the recovery takes no longer than promised"]);
}

#[test]
fn a_restore_that_is_not_whole_leaves_the_rest_open() {
    let mut case = Case::new();
    case.restore = RestoreEnd { complete: false, said: "3 of 5".to_owned() };
    case.timeline = Timeline::default();
    case.timeline.at(Moment::T0, at(10));
    let evidence = Evidence {
        run_kind: "Run",
        run_resource: "runs",
        before: &case.before,
        after: &Ledger::new("Run"),
        snapshot: &case.snapshot,
        taken: at(2),
        writes: &[],
        restore: &case.restore,
        restored: at(25),
        timeline: &case.timeline,
        unsettled: None,
        asked: None,
        before_rest: None,
        quiet: Duration::ZERO,
        crash: None,
        promised: None,
        memory: case.memory,
    };
    assert!(!evidence.is_whole());
    let open = evidence.judge().iter().filter(|claim| claim.verdict == Verdict::Open).count();
    assert_eq!(open, 9, "{:#?}", evidence.judge());
}
