//! A suite as the tests of `cargo test`, seen from outside: this program is the facade over the planted
//! suite if `FACADE` is set, and otherwise tests itself in that role.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};

use hallmark::libtest;
use libtest_mimic::{Arguments, Failed, Trial};

const FACADE: &str = "HALLMARK_TEST_FACADE";

fn main() -> ExitCode {
    if std::env::var_os(FACADE).is_some() {
        return libtest::main(&libtest::Settings {
            suite: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites/planted"),
            hallmark: env!("CARGO_BIN_EXE_hallmark").into(),
            jobs: 16,
        });
    }
    let tests = vec![
        test("listing_names_every_case_and_starts_nothing", listing_names_every_case_and_starts_nothing),
        test("verdicts_become_results_of_tests", verdicts_become_results_of_tests),
        test("the_tests_of_a_filter_are_the_only_ones", the_tests_of_a_filter_are_the_only_ones),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn test(name: &str, body: fn()) -> Trial {
    Trial::test(name, move || -> Result<(), Failed> {
        body();
        Ok(())
    })
}

fn facade(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env(FACADE, "1");
    command
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

fn listing_names_every_case_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Neither programs to start nor a trace of having looked for some.
    let output = facade(&["--list", "--format", "terse"])
        .env("PATH", folder.path())
        .env("HALLMARK_KUBE_BIN", folder.path())
        .env("HALLMARK_CACHE", folder.path())
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    let cases = ["claim-of-another-day", "claim-that-fails", "claim-that-holds", "claim-without-an-answer"];
    assert_eq!(listed, cases.map(|case| format!("[scenario] {case}: test")));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn verdicts_become_results_of_tests() {
    let output = facade(&["--format", "pretty", "--color", "never"]).output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert!(text.contains("1 passed; 2 failed; 1 ignored"), "{text}");
    let result = |case: &str| {
        let line = text.lines().find(|line| line.starts_with("test ") && line.contains(case));
        line.and_then(|line| line.split_whitespace().last()).map(ToOwned::to_owned)
    };
    assert_eq!(result("claim-that-holds").as_deref(), Some("ok"), "{text}");
    assert_eq!(result("claim-that-fails").as_deref(), Some("FAILED"), "{text}");
    assert_eq!(result("claim-without-an-answer").as_deref(), Some("FAILED"), "{text}");
    assert_eq!(result("claim-of-another-day").as_deref(), Some("ignored"), "{text}");
    assert!(text.contains("spec.replicas"), "the failure is explained: {text}");
    assert!(text.contains("inconclusive: "), "{text}");
}

fn the_tests_of_a_filter_are_the_only_ones() {
    let output = facade(&["--exact", "claim-that-holds"]).output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out"), "{text}");
}
