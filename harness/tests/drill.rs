//! Drills on real clusters that are really destroyed: a sound recovery keeps every claim, and a wrong one is
//! noticed and named.
//!
//! The controller is a debug build, which knows the defects and has none unless one is planted.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests, too"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hallmark::yaml::{Source, parse_documents, to_yaml};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

const FAITHFUL: &str = "spec, status and metadata of every object are those of the snapshot";
const NOTHING_ELSE_IS_LOST: &str = "lost are the writes after the snapshot, and no other";
const ENDED_GET_NO_JOB: &str = "no run that had ended gets a Job";
const ACTIVE_GET_NO_JOB: &str = "no run that was active is executed again";
const WAITING_GET_ONE_JOB: &str = "every run that waited gets one Job";
const ALL_END: &str = "every run has come to its end";
const ENDED_STAY: &str = "what had ended stays as it was";
const IN_TIME: &str = "the recovery takes no longer than promised";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The reference implementation with debug builds, in a folder of its own.
fn implementation(folder: &TempDir) -> PathBuf {
    let path = root().join("controller/implementation.yaml");
    let source = Source::new(&path, fs::read_to_string(&path).unwrap());
    let mut document = parse_documents(&source).unwrap()[0].to_json();
    let spec = document["spec"].as_object_mut().unwrap();
    spec.shift_remove("images");
    let words = "cargo build --package agents-controller --features defects --bin agents-controller \
                 --bin agents-controller-defects --target-dir target";
    let build = json!({"command": words.split_whitespace().collect::<Vec<_>>(), "directory": root()});
    let program = |name: &str| json!(root().join("target/debug").join(name));
    for chart in ["path", "previous"] {
        let relative = spec["install"]["chart"][chart].as_str().unwrap();
        spec["install"]["chart"][chart] = json!(root().join("controller").join(relative));
    }
    spec["process"]["build"] = build.clone();
    spec["process"]["programs"] = json!({"/agents-controller": program("agents-controller")});
    spec["defects"]["build"] = build;
    spec["defects"]["programs"] = json!({"/agents-controller": program("agents-controller-defects")});
    spec["defects"]["list"] = json!([program("agents-controller-defects"), "defects"]);
    let file = folder.path().join("implementation.yaml");
    fs::write(&file, to_yaml(&document)).unwrap();
    file
}

/// What a drill leaves.
struct Outcome {
    code: Option<i32>,
    stderr: String,
    drill: Value,
    page: String,
}

impl Outcome {
    fn broken(&self) -> Vec<&str> {
        let claims = self.drill["claims"].as_array().unwrap().iter();
        claims
            .filter(|claim| claim["verdict"] == "broken")
            .map(|claim| claim["claim"].as_str().unwrap())
            .collect()
    }
}

fn drill(arguments: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .args(["drill", "--quiet", "--color", "never", "--json", "--quiet-for", "2s", "--implementation"])
        .arg(implementation(&folder))
        .arg("--report-dir")
        .arg(&reports)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let Ok(page) = fs::read_to_string(reports.join("drill.html")) else { panic!("no report: {stderr}") };
    let drill: Value = serde_json::from_slice(&output.stdout).unwrap();
    let saved: Value =
        serde_json::from_str(&fs::read_to_string(reports.join("drill.json")).unwrap()).unwrap();
    assert_eq!(drill, saved);
    Outcome { code: output.status.code(), stderr, drill, page }
}

#[test]
fn a_sound_recovery_keeps_every_claim_and_is_timed() {
    let outcome = drill(&["--runs", "50"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let drill = &outcome.drill;
    let moments: Vec<_> =
        drill["timeline"].as_array().unwrap().iter().map(|mark| mark["name"].as_str().unwrap()).collect();
    assert_eq!(moments, ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"]);
    assert!(drill["recoverySeconds"].as_f64().unwrap() > 0.0, "{drill}");
    assert!(drill["memory"]["hallmark"].as_u64() > Some(0), "{drill}");
    assert!(drill["memory"]["controller"].as_u64() > Some(0), "{drill}");
    assert_eq!(drill["states"], json!({"ended": 46, "active": 2, "waiting": 2, "workflows": 5}));
    // One new run, one label and one deletion; and 50 runs before them.
    assert_eq!((&drill["lost"]["writes"], &drill["lost"]["of"]), (&json!(3), &json!(53)));
    assert!(drill["claims"].as_array().unwrap().iter().all(|claim| claim["verdict"] == "kept"), "{drill}");
    assert!(outcome.page.contains("Recovery drill"));
}

#[rstest]
#[case::a_finished_run_is_executed_again("restored-runs-start-afresh", &[ENDED_GET_NO_JOB, ENDED_STAY])]
#[case::a_run_in_flight_is_executed_again("lost-runs-are-repeated", &[ACTIVE_GET_NO_JOB])]
#[case::what_had_ended_is_written("terminal-run-follows-its-job", &[ENDED_STAY])]
#[case::what_waited_never_starts("restored-runs-never-start", &[WAITING_GET_ONE_JOB, ALL_END])]
#[case::a_write_before_the_snapshot_is_lost("engine-loses-a-run", &[FAITHFUL, NOTHING_ELSE_IS_LOST])]
#[case::a_finalizer_is_lost("engine-drops-finalizers", &[FAITHFUL])]
#[case::a_status_is_lost("engine-drops-status", &[FAITHFUL])]
fn a_wrong_recovery_breaks_the_claim_that_it_is_about(#[case] defect: &str, #[case] broken: &[&str]) {
    let outcome = drill(&["--runs", "10", "--defect", defect]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(outcome.broken(), broken, "{}", outcome.stderr);
}

#[test]
fn a_recovery_that_takes_too_long_breaks_the_promise_alone() {
    let outcome = drill(&["--runs", "10", "--recovery", "1s"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(outcome.broken(), [IN_TIME], "{}", outcome.stderr);
}

/// What it does, and so what else is broken and whether anybody releases it, depends on how far the restore is when
/// it begins.
#[test]
fn a_controller_that_knows_no_hold_is_noticed() {
    // So many that the restore is still at work when the controller sees the first of them.
    let outcome = drill(&["--runs", "150", "--defect", "hold-ignored"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let broken = outcome.broken();
    assert!(broken.contains(&FAITHFUL), "{broken:?}");
}

#[test]
fn a_defect_that_nobody_has_is_a_mistake_of_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .args(["drill", "--defect", "unheard-of", "--implementation"])
        .arg(implementation(&folder))
        .current_dir(root())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("hold-ignored") && stderr.contains("engine-drops-status"), "{stderr}");
}
