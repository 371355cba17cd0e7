//! Child processes under the supervisor of the real `hallmark` binary.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hallmark::cluster::process::{Exit, Output, SpawnError, Stream, SupervisedCommand, Supervisor};

const DEADLINE: Duration = Duration::from_secs(20);

fn shell(script: &str) -> SupervisedCommand {
    let supervisor = Supervisor::at(env!("CARGO_BIN_EXE_hallmark"));
    SupervisedCommand::new(&supervisor, "sh").args(["-c", script])
}

/// Reads a process id that a script writes into `path`.
async fn pid_in(path: &Path) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Ok(text) = fs::read_to_string(path)
            && text.ends_with('\n')
        {
            return text.trim().to_owned();
        }
        assert!(Instant::now() < deadline, "nothing in {}", path.display());
        tokio::task::yield_now().await;
    }
}

fn runs(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

#[tokio::test]
async fn the_exit_of_the_program_is_told() {
    let mut process = shell("exit 7").spawn().await.unwrap();
    assert_eq!(process.wait().await, Exit::Code(7));
    let mut process = shell("kill -ABRT $$").spawn().await.unwrap();
    assert_eq!(process.wait().await, Exit::Signal(6));
}

#[tokio::test]
async fn output_arrives_line_by_line_with_its_stream() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let output = Output::Lines(Arc::new(move |stream, line| {
        sink.lock().unwrap().push((stream, line.to_owned()));
    }));
    let script = "echo $GREETING; echo oops >&2; printf 'no newline'";
    let mut process = shell(script).env("GREETING", "hello").output(output).spawn().await.unwrap();
    process.wait().await;
    let expected = [(Stream::Stdout, "hello"), (Stream::Stdout, "no newline"), (Stream::Stderr, "oops")];
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut seen = lines.lock().unwrap().clone();
        seen.sort_by_key(|(stream, _)| *stream == Stream::Stderr);
        if seen.iter().map(|(stream, line)| (*stream, line.as_str())).eq(expected) {
            return;
        }
        assert!(Instant::now() < deadline, "{seen:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_the_grace() {
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let script = format!("trap '' TERM; echo $$ > {}; while :; do sleep 1; done", ready.display());
    let process = shell(&script).spawn().await.unwrap();
    assert_eq!(pid_in(&ready).await, process.id().to_string());
    let begin = Instant::now();
    assert_eq!(process.stop(Duration::from_millis(300)).await, Exit::Signal(9));
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_program_that_ends_on_sigterm_is_not_killed() {
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let script = format!("trap 'exit 3' TERM; echo $$ > {}; sleep 1000 & wait", ready.display());
    let process = shell(&script).spawn().await.unwrap();
    pid_in(&ready).await;
    assert_eq!(process.stop(DEADLINE).await, Exit::Code(3));
}

#[tokio::test]
async fn descendants_in_sessions_of_their_own_end_with_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let script = format!("setsid sh -c 'echo $$ > {}; exec sleep 1000' & wait", pid.display());
    let process = shell(&script).spawn().await.unwrap();
    let escaped = pid_in(&pid).await;
    assert!(runs(&escaped));
    process.stop(DEADLINE).await;
    assert!(!runs(&escaped));
}

#[tokio::test]
async fn dropping_the_handle_kills_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let process = shell(&format!("echo $$ > {}; exec sleep 1000", ready.display())).spawn().await.unwrap();
    let pid = pid_in(&ready).await;
    let ended = process.ended();
    drop(process);
    assert_eq!(tokio::time::timeout(DEADLINE, ended).await, Ok(Exit::Signal(9)));
    assert!(!runs(&pid));
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let supervisor = Supervisor::at(env!("CARGO_BIN_EXE_hallmark"));
    let error = SupervisedCommand::new(&supervisor, "no-such-program").spawn().await.unwrap_err();
    assert!(matches!(&error, SpawnError::NotFound(name) if name == Path::new("no-such-program")), "{error}");
}

#[tokio::test]
async fn a_binary_that_is_no_supervisor_is_an_error() {
    let error = SupervisedCommand::new(&Supervisor::at("/bin/true"), "sh").spawn().await.unwrap_err();
    assert!(matches!(error, SpawnError::NoSupervisor(_)), "{error}");
}
