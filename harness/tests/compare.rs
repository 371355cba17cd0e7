//! Two controllers side by side: the reference controller with itself, and with itself under a defect.
//!
//! The first run on a machine builds the controller twice and the Kubernetes binaries, which takes minutes.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// A cheap case that notices the defect.
const CASE: &str = "a-short-ttl-becomes-30-seconds/five";
const DEFECT: &str = "ttl-without-minimum";

struct Compared {
    code: Option<i32>,
    stderr: String,
    written: Value,
}

/// Compares as told, narrowed to [`CASE`].
fn compare<S: AsRef<OsStr>>(sides: &[S], more: &[&str], folder: &Path) -> Compared {
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .arg("compare")
        .args(sides)
        .args(more)
        .args(["--cluster", "local", "--name", CASE, "--color", "never", "--report-dir"])
        .arg(folder)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let written =
        fs::read_to_string(folder.join("compare.json")).unwrap_or_else(|_missing| "null".to_owned());
    Compared { code: output.status.code(), stderr, written: serde_json::from_str(&written).unwrap() }
}

#[test]
fn a_defect_is_told_by_its_requirement_and_the_first_field_and_without_one_there_is_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let none: [&str; 0] = [];
    let with_defect = compare(&none, &["--defect-b", DEFECT], folder.path());
    assert_eq!(with_defect.code, Some(1), "{}", with_defect.stderr);
    let told = [
        "TTL-04  MUST  passed in A, failed in B",
        "OTHER VERDICT  a-short-ttl-becomes-30-seconds/five: passed in A, failed in B",
        "Job demo-job, spec.ttlSecondsAfterFinished: 30 in A (+",
        "1 case compared: 1 with another verdict",
    ];
    for told in told {
        assert!(with_defect.stderr.contains(told), "{told}: {}", with_defect.stderr);
    }
    let first = &with_defect.written["cases"][0]["divergences"][0];
    assert_eq!(first["place"], json!({"field": "spec.ttlSecondsAfterFinished"}));
    assert_eq!([&first["a"]["value"], &first["b"]["value"]], ["30", "5"]);
    assert!(folder.path().join("compare.html").exists());

    // The record of the run without a defect, beside a run that is made now.
    let (sound, broken) = (folder.path().join("a"), folder.path().join("b"));
    let implementation = Path::new("controller/implementation.yaml");
    let again = compare(&[sound.as_path(), implementation], &[], &folder.path().join("again"));
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(
        again.stderr.ends_with(&format!("no difference  {CASE}\n\nno difference in 1 case\n")),
        "{}",
        again.stderr
    );

    let offline = compare(&[sound.as_path(), broken.as_path()], &[], &folder.path().join("offline"));
    assert_eq!(offline.code, Some(1), "{}", offline.stderr);
    assert_eq!(offline.written["cases"], with_defect.written["cases"]);
    assert!(!offline.stderr.contains("local cluster"), "{}", offline.stderr);
}

#[test]
fn what_cannot_be_compared_is_wrong_usage_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let missing = compare(&["no/such.ndjson"], &[], folder.path());
    let not_alive = compare(&["no/such.ndjson"], &["--defect-a", DEFECT], folder.path());
    for (refused, why) in [(missing, "read the record"), (not_alive, "cannot be given the defect")] {
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(why) && !refused.stderr.contains("cluster"), "{}", refused.stderr);
        assert_eq!(refused.written, Value::Null);
    }
}
