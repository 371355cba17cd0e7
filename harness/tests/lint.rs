//! What `hallmark lint` says about suites with mistakes, and how it ends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests, too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites")
}

/// Exit code and stderr of `hallmark lint <suite>` in `folder`.
fn lint(folder: &Path, suite: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .args(["lint", suite, "--color", "never"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "stdout is for data");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// `file:line:column message` of each problem; the line and the place of the caret below it are compared
/// with the file.
fn problems(folder: &Path, stderr: &str) -> Vec<String> {
    stderr
        .split("\n\n")
        .filter_map(|block| block.strip_prefix("error: "))
        .map(|it| problem(folder, it))
        .collect()
}

fn problem(folder: &Path, block: &str) -> String {
    let mut lines = block.lines();
    let message = lines.next().unwrap();
    let place = lines.next().and_then(|line| line.trim_start().strip_prefix("--> ")).unwrap();
    let [file, line, column] = place.split(':').collect::<Vec<_>>()[..] else { panic!("no place: {place}") };
    let line: usize = line.parse().unwrap();
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let written = text.lines().nth(line - 1).unwrap();
    let (number, shown) = lines.nth(1).unwrap().split_once(" | ").unwrap();
    assert_eq!((number.trim(), shown), (line.to_string().as_str(), written), "{block}");
    let (_, under) = lines.next().unwrap().split_once(" | ").unwrap();
    assert_eq!(under.find('^').map(|at| (at + 1).to_string()).as_deref(), Some(column), "{block}");
    let file = Path::new(file).file_name().unwrap().to_string_lossy();
    format!("{file}:{line}:{column} {message}")
}

#[test]
fn a_suite_without_problems_ends_with_0() {
    let said = "no problems in suite planted (4 cases)\n".to_owned();
    assert_eq!(lint(&suites(), "planted"), (Some(0), said));
}

#[test]
fn all_mistakes_of_a_suite_are_shown_at_once_with_their_places() {
    let (code, stderr) = lint(&suites(), "mistakes");
    assert_eq!(code, Some(2));
    assert_eq!(problems(&suites(), &stderr).len(), 6, "{stderr}");
    insta::assert_snapshot!(stderr);
}

#[rstest]
#[case::misspelled_step("misspelled-step.yaml", "9:7 unknown variant `rendr`")]
#[case::wrong_type("wrong-type.yaml", "11:24 invalid type: string \"several\"")]
#[case::unknown_requirement("unknown-requirement.yaml", "5:18 unknown requirement `TRIAL-03`")]
#[case::cel_syntax("cel-that-does-not-parse.yaml", "11:72 this is no CEL expression")]
#[case::cel_name("cel-with-an-unknown-name.yaml", "11:51 unknown name `slef`")]
#[case::missing_fixture("missing-fixture.yaml", "9:22 cannot read `alone/fixtures/setings.yaml`")]
fn a_mistake_alone_is_one_problem(#[case] file: &str, #[case] expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("alone");
    fs::create_dir(&suite).unwrap();
    for name in ["suite.yaml", "requirements.yaml", file] {
        fs::copy(suites().join("mistakes").join(name), suite.join(name)).unwrap();
    }
    let (code, stderr) = lint(folder.path(), "alone");
    assert_eq!(code, Some(2));
    let problems = problems(folder.path(), &stderr);
    let [problem] = &problems[..] else { panic!("not one problem: {stderr}") };
    assert!(problem.starts_with(&format!("{file}:{expected}")), "{problem}");
    assert!(stderr.ends_with("\n1 problem in alone\n"), "{stderr}");
}

#[test]
fn all_mistakes_of_one_file_are_found_in_one_go() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("alone");
    fs::create_dir(&suite).unwrap();
    for name in ["suite.yaml", "requirements.yaml"] {
        fs::copy(suites().join("mistakes").join(name), suite.join(name)).unwrap();
    }
    let scenario = "\
apiVersion: hallmark.dev/v1alpha1
kind: Scenario
metadata: {name: everything}
spec:
  requirements: [TRIAL-03]
  summary: Holds every mistake.
  steps:
    - creat: {file: a.yaml}
    - create: {file: fixtures/gone.yaml}
    - eventually: {job: {}, exists: maybe}
    - eventually: {job: {}, cel: self.spec. }
    - eventually: {job: {}, cel: slef.spec == 1}
";
    fs::write(suite.join("everything.yaml"), scenario).unwrap();
    let (code, stderr) = lint(folder.path(), "alone");
    assert_eq!(code, Some(2));
    let places: Vec<String> = problems(folder.path(), &stderr)
        .iter()
        .filter_map(|problem| Some(problem.split(':').nth(1)?.to_owned()))
        .collect();
    assert_eq!(places, ["5", "8", "9", "10", "11", "12"], "{stderr}");
}

#[test]
fn scenarios_that_make_no_sense_are_found() {
    let (code, stderr) = lint(&suites(), "nonsense");
    assert_eq!(code, Some(2));
    let expected = [
        "a-database-for-everybody.yaml:3:18 a scenario with a database of its own has a subject of its own",
        "a-database-for-everybody.yaml:7:21 `database..url` is no path",
        "a-database-that-is-not-given.yaml:9:7 this step needs a database",
        "a-database-that-is-not-given.yaml:10:7 no step before this one dumps the database as `older`",
        "a-database-that-is-not-given.yaml:10:7 this step needs a database",
        "alias-before-its-definition.yaml:9:7 no step before this one creates `mine`",
        "alias-before-its-definition.yaml:11:7 no step before this one makes the archive `saved`",
        "claims-nothing.yaml:3:18 the scenario claims nothing and cannot fail",
        "claims-that-make-no-sense.yaml:9:53 `count` of no object at all",
        "claims-that-make-no-sense.yaml:10:70 unknown name `index` in a template",
        "claims-that-make-no-sense.yaml:11:7 a question over HTTP needs a subject",
        "claims-that-make-no-sense.yaml:12:7 `atMost` without `count`",
        "claims-that-make-no-sense.yaml:13:7 `versions` without `atMost`",
        "claims-that-make-no-sense.yaml:14:7 rendered objects have no history",
        "claims-that-make-no-sense.yaml:15:7 requests are recorded only where this is required",
        "faults-in-a-cluster-that-is-lost.yaml:3:18 a scenario that loses its cluster has no faults",
        "restart-of-a-shared-subject.yaml:9:7 this step needs a subject that no other scenario uses",
        "restart-of-a-shared-subject.yaml:11:7 this step needs a subject that no other scenario uses",
        "same-name.yaml:9:7 the name `same-name` is used by another scenario",
        "suite.yaml:8:12 an alias cannot be claimed of every case",
        "suite.yaml:9:12 unknown requirement `TRIAL-09`",
        "suite.yaml:10:12 an invariant is exactly one claim",
        "suite.yaml:11:12 requests are not counted in every case",
        "suite.yaml:12:69 an order has several groups, and each value once",
        "suite.yaml:13:12 `settled` without `path`",
    ];
    assert_eq!(problems(&suites(), &stderr), expected, "{stderr}");
}
