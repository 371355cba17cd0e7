//! The ready jobs for GitHub and GitLab: they can be read, and what they run and keep is what the gate takes and
//! writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use hallmark::yaml::{Source, parse_documents};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn job(name: &str) -> Value {
    let path = root().join("ci/gate").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // The parser refuses keys that stand twice, which the services would take the last of.
    parse_documents(&Source::new(path, text)).expect("YAML").remove(0).to_json()
}

/// What `cargo hallmark gate` gets in a line of a script; the one variable of it is the last version.
fn arguments(line: &str) -> Vec<String> {
    let line = line.strip_prefix("cargo hallmark ").expect("the alias of this repository");
    let words = line.split_whitespace().map(|word| word.trim_matches('"'));
    words.map(|word| if word.starts_with('$') { "no-such-ref" } else { word }.to_owned()).collect()
}

/// The gate understands the line: what it refuses is the ref, which no repository has.
fn assert_understood(line: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .args(arguments(line))
        .current_dir(root())
        .output()
        .expect("hallmark runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("`no-such-ref` is no folder, no file and no git ref"), "{line}: {told}");
    assert_eq!(output.status.code(), Some(i32::from(hallmark::exit::USAGE)));
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_workflow_of_github_gates_a_pull_request_and_keeps_the_reports() {
    let workflow = job("github.yml");
    let paths = texts(&workflow["on"]["pull_request"]["paths"]);
    for path in paths {
        let folder = path.strip_suffix("/**").expect("a folder");
        assert!(root().join(folder).is_dir(), "{path}");
    }
    assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}));
    let job = &workflow["jobs"]["gate"];
    assert!(job["runs-on"].is_string() && job["timeout-minutes"].is_u64());
    let steps = job["steps"].as_array().expect("steps");
    assert!(steps.iter().all(|step| step["run"].is_string() != step["uses"].is_string()), "{steps:?}");
    assert!(steps.iter().any(|step| step["with"]["go-version"] == go()), "{steps:?}");
    let used = |action: &str| {
        steps
            .iter()
            .find(|step| step["uses"].as_str().is_some_and(|uses| uses.split('@').next() == Some(action)))
    };
    let checkout = used("actions/checkout").expect("a checkout");
    assert_eq!(checkout["with"]["fetch-depth"], 0, "the last version is a commit of the history");
    let gate = steps.iter().find(|step| step["run"].as_str().is_some_and(|run| run.contains("hallmark")));
    let gate = gate.expect("the gate");
    let run = gate["run"].as_str().expect("a line");
    assert!(run.contains("--from \"$BASE\"") && gate["env"]["BASE"].is_string(), "{run}");
    assert_understood(run);
    let kept = used("actions/upload-artifact").expect("kept reports");
    assert_eq!(kept["if"], "always()", "the reports of a refused version are those that are read");
    assert_eq!(kept["with"]["path"], usual_report_folder());
    let summary = steps.iter().filter_map(|step| step["run"].as_str()).find(|run| run.starts_with("cat "));
    assert!(summary.expect("a summary").contains(&format!("{}/gate.md", usual_report_folder())));
}

#[test]
fn the_job_of_gitlab_gates_a_merge_request_and_keeps_the_reports() {
    let jobs = job("gitlab.yml");
    let job = &jobs["chart-gate"];
    assert_eq!(jobs.as_object().map(serde_json::Map::len), Some(1), "an include brings one job");
    assert!(job["image"].as_str().is_some_and(|image| image.starts_with(&format!("golang:{}-", go()))));
    assert!(job["rules"].is_array());
    assert_eq!(job["variables"]["GIT_DEPTH"], "0", "the last version is a commit of the history");
    for file in texts(&job["cache"]["key"]["files"]) {
        assert!(root().join(file).is_file(), "{file}");
    }
    for path in texts(&job["rules"][0]["changes"]) {
        let folder = path.strip_suffix("/**/*").expect("a folder");
        assert!(root().join(folder).is_dir(), "{path}");
    }
    let script = texts(&job["script"]);
    let [line] = script.as_slice() else { panic!("{script:?}") };
    assert!(line.contains("--from \"$CI_MERGE_REQUEST_DIFF_BASE_SHA\""), "{line}");
    assert_understood(line);
    assert_eq!(job["artifacts"]["when"], "always");
    assert_eq!(texts(&job["artifacts"]["paths"]), [usual_report_folder()]);
}

/// The release of Go that the programs of the cluster ask for at least, without its last number.
fn go() -> String {
    let version = |name: &str| {
        let path = root().join("ci/cluster").join(name).join("go.mod");
        let text = std::fs::read_to_string(path).expect("go.mod");
        let line = text.lines().find_map(|line| line.strip_prefix("go ")).expect("a version").to_owned();
        let numbers: Vec<u32> = line.split('.').filter_map(|number| number.parse().ok()).collect();
        (numbers[0], numbers[1])
    };
    let programs = ["etcd", "helm", "kubectl", "kubernetes"];
    let (major, minor) = programs.map(version).into_iter().max().expect("programs");
    format!("{major}.{minor}")
}

/// Where the gate leaves its reports, by its own help.
fn usual_report_folder() -> &'static str {
    const FOLDER: &str = "target/hallmark/gate";
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark")).args(["gate", "--help"]).output();
    let help = String::from_utf8(output.expect("hallmark runs").stdout).expect("text");
    assert!(help.contains(&format!("[default: {FOLDER}]")), "{help}");
    FOLDER
}
