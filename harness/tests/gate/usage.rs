//! What stands for the last version.

use std::path::Path;
use std::process::Command;

#[test]
fn a_report_alone_says_nothing_of_charts_and_is_told_so_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.yaml");
    std::fs::write(&report, "result: conformant\n").expect("written");
    for argument in ["--static", "--no-suite"] {
        let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
            .args(["gate", argument, "--from"])
            .arg(&report)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .output()
            .expect("hallmark runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(hallmark::exit::USAGE)), "{told}");
        assert!(told.contains("holds no chart") && told.contains("help"), "{told}");
    }
}
