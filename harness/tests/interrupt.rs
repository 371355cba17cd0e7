//! A run that is interrupted or killed in the middle: it says so, and no process of it stays behind.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests, too"
)]

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hallmark::yaml::{Source, parse_documents};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

/// Everything that has to be built on a fresh machine before a run starts.
const PREPARED: Duration = Duration::from_mins(20);
/// How long an interrupted run may take to end.
const ENDED: Duration = Duration::from_secs(15);
/// How long the processes of a killed run may live on.
const GONE: Duration = Duration::from_secs(15);

/// A run of the patient suite whose processes all know `folder` by their arguments or environment.
struct Run {
    child: Child,
    folder: TempDir,
    /// Ends with everything the run said.
    said: JoinHandle<String>,
}

impl Run {
    /// Starts it and waits until its cases begin.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hallmark"))
            .args(["run", "patient", "--cluster", "local", "--color", "never", "--report-dir"])
            .arg(folder.path().join("report"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites"))
            .env("TMPDIR", folder.path().join("tmp"))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let running = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                said.push_str(&line);
                said.push('\n');
                if line.starts_with("running 1 case ") {
                    return true;
                }
            }
            false
        };
        let running = timeout(PREPARED, running).await.expect("prepared in time");
        assert!(running, "{said}");
        let said = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        Self { child, folder, said }
    }

    /// Waits until the controller runs, the last of the processes to come.
    async fn until_the_subject_runs(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut often = interval(Duration::from_millis(20));
        while !self.processes().iter().any(Process::is_subject) {
            assert!(Instant::now() < deadline, "no subject: {:#?}", self.processes());
            often.tick().await;
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap()
    }

    fn processes(&self) -> Vec<Process> {
        processes_of(self.folder.path())
    }

    /// Waits for the end of the harness.
    async fn ended(&mut self, within: Duration) -> ExitStatus {
        timeout(within, self.child.wait()).await.expect("the harness ends in time").unwrap()
    }

    async fn assert_no_process_stays(&self) {
        let deadline = Instant::now() + GONE;
        let mut often = interval(Duration::from_millis(20));
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still running: {left:#?}");
            often.tick().await;
        }
    }

    fn report(&self) -> Value {
        let path = self.folder.path().join("report/report.yaml");
        let text = fs::read_to_string(&path).unwrap();
        parse_documents(&Source::new(path, text)).unwrap()[0].to_json()
    }
}

/// A running process.
#[derive(Debug)]
struct Process {
    /// Its program.
    program: PathBuf,
    /// Its arguments, for messages.
    #[expect(dead_code, reason = "shown by Debug where a test fails")]
    arguments: String,
}

impl Process {
    fn is_subject(&self) -> bool {
        self.program.ends_with("agents-controller")
    }
}

/// The processes that have `folder` in their arguments or environment, zombies left out.
fn processes_of(folder: &Path) -> Vec<Process> {
    let folder = folder.to_str().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.ok()?.path();
            let arguments = fs::read(entry.join("cmdline")).ok()?;
            let environment = fs::read(entry.join("environ")).unwrap_or_default();
            let known = [&arguments, &environment];
            let ours = known.iter().any(|bytes| String::from_utf8_lossy(bytes).contains(folder));
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            let program = fs::read_link(entry.join("exe")).ok()?;
            ours.then_some(Process { program, arguments })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_is_inconclusive_and_leaves_nothing() {
    let mut run = Run::start().await;
    run.until_the_subject_runs().await;
    kill_process(run.pid(), Signal::INT).unwrap();
    let status = run.ended(ENDED).await;
    run.assert_no_process_stays().await;
    let said = (&mut run.said).await.unwrap();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    let report = run.report();
    assert_eq!(report["result"], "inconclusive");
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["cases"][0]["verdict"], "inconclusive");
    let left: Vec<_> = fs::read_dir(run.folder.path().join("tmp")).unwrap().map(Result::unwrap).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_leaves_no_process() {
    let mut run = Run::start().await;
    run.until_the_subject_runs().await;
    let before = run.processes();
    assert!(before.len() >= 9, "the harness, three components, a subject, four supervisors: {before:#?}");
    kill_process(run.pid(), Signal::KILL).unwrap();
    assert_eq!(run.ended(ENDED).await.signal(), Some(9));
    run.assert_no_process_stays().await;
}
