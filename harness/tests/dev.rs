//! `hallmark dev`: what depends on a saved file runs again, on the cluster and with the controller that are
//! there, until somebody ends it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests, too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

/// Everything that has to be built on a fresh machine before the first round.
const PREPARED: Duration = Duration::from_mins(20);
/// How long a round may take on a busy machine.
const ROUND: Duration = Duration::from_mins(1);

const SUITE: &str = "apiVersion: hallmark.dev/v1alpha1
kind: Suite
metadata: {name: desk}
spec: {requirements: requirements.yaml, settings: settings.yaml}
";
const REQUIREMENTS: &str = "apiVersion: hallmark.dev/v1alpha1
kind: Requirements
requirements:
  - {id: OPEN-01, statement: The settings are there., level: MUST, feature: core, source: D}
";
const FIXTURE: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {given: now}}";

fn scenario(name: &str, values: &str, given: &str) -> String {
    format!(
        "apiVersion: hallmark.dev/v1alpha1
kind: Scenario
metadata: {{name: {name}, labels: {{area: desk}}}}
spec:
  requirements: [OPEN-01]
  summary: The settings are what they were made.
  given: {{values: {values}, objects: [fixtures/settings.yaml]}}
  steps:
    - eventually: {{object: settings, matches: {{data: {{given: {given}}}}}, within: 200ms}}
"
    )
}

/// `hallmark dev` in a folder of its own that all its processes know.
struct Dev {
    folder: TempDir,
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Dev {
    fn start(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let suite = folder.path().join("suite");
        for path in ["suite/fixtures", "tmp"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(suite.join("suite.yaml"), SUITE).unwrap();
        fs::write(suite.join("requirements.yaml"), REQUIREMENTS).unwrap();
        fs::write(suite.join("fixtures/settings.yaml"), FIXTURE).unwrap();
        fs::copy(root.join("scenarios/settings.yaml"), suite.join("settings.yaml")).unwrap();
        for name in ["one", "two"] {
            fs::write(suite.join(name).with_extension("yaml"), scenario(name, "{}", "now")).unwrap();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_hallmark"))
            .args(["dev", name, "--cluster", "local", "--color", "never", "--implementation"])
            .arg(root.join("controller/command-implementation.yaml"))
            .args(["--suite", "suite", "--report-dir", "reports"])
            .current_dir(folder.path())
            .env("TMPDIR", folder.path().join("tmp"))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { folder, child, lines }
    }

    fn save(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join("suite").join(file), text).unwrap();
    }

    /// What is said up to a line that holds `text`.
    async fn until(&mut self, text: &str, within: Duration) -> String {
        let mut said = String::new();
        let found = timeout(within, async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                said.push_str(&line);
                said.push('\n');
                if line.contains(text) {
                    return;
                }
            }
            panic!("it ended before it said `{text}`");
        });
        assert!(found.await.is_ok(), "it never said `{text}`:\n{said}");
        said
    }

    /// Process ids of the controllers.
    fn controllers(&self) -> Vec<String> {
        self.processes()
            .into_iter()
            .filter(|(_, program)| program.ends_with("agents-controller"))
            .map(|(id, _)| id)
            .collect()
    }

    /// Ids and programs of what runs with this folder in its arguments or environment.
    fn processes(&self) -> Vec<(String, PathBuf)> {
        let folder = self.folder.path().to_str().unwrap();
        let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        entries
            .filter_map(|entry| {
                let program = fs::read_link(entry.join("exe")).ok()?;
                let known = ["cmdline", "environ"].map(|file| fs::read(entry.join(file)).unwrap_or_default());
                let ours = known.iter().any(|bytes| String::from_utf8_lossy(bytes).contains(folder));
                let id = entry.file_name()?.to_str()?.to_owned();
                ours.then_some((id, program))
            })
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_file_runs_what_depends_on_it_with_the_controller_that_is_there() {
    let mut dev = Dev::start("one");
    dev.until("1 passed of 1 case", PREPARED).await;
    let first = dev.controllers();
    assert_eq!(first.len(), 1);

    dev.save("one.yaml", &scenario("one", "{}", "later"));
    let said = dev.until("0 passed, 1 failed of 1 case", ROUND).await;
    assert!(said.contains("changed: suite/one.yaml") && said.contains("data.given"), "{said}");

    dev.save("one.yaml", "steps: [");
    let said = dev.until("waiting for a change", ROUND).await;
    assert!(said.contains("--> suite/one.yaml:1:"), "{said}");

    // It says the same again, and now that is right.
    dev.save("fixtures/settings.yaml", &FIXTURE.replace("now", "later"));
    dev.until("waiting for a change", ROUND).await;
    dev.save("one.yaml", &scenario("one", "{}", "later"));
    dev.until("1 passed of 1 case", ROUND).await;
    dev.save("two.yaml", &scenario("two", "{}", "soon"));
    dev.until("no selected case depends on suite/two.yaml", ROUND).await;
    assert_eq!(dev.controllers(), first, "equal values are served by the controller that runs");

    let values = "{controller: {jobTtlSecondsAfterFinished: 120}}";
    dev.save("one.yaml", &scenario("one", values, "later"));
    dev.until("1 passed of 1 case", ROUND).await;
    assert_eq!(dev.controllers().len(), 2, "other values need another controller");

    let id = Pid::from_raw(dev.child.id().unwrap().cast_signed()).unwrap();
    kill_process(id, Signal::INT).unwrap();
    let status = timeout(ROUND, dev.child.wait()).await.expect("it ends in time").unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(dev.processes(), Vec::new());
    let left: Vec<_> = fs::read_dir(dev.folder.path().join("tmp")).unwrap().map(Result::unwrap).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(dev.folder.path().join("reports/report.html").exists());
}
