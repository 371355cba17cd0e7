//! The supervisor's side: the hidden subcommand `hallmark supervise`.
//!
//! It runs as a process of its own with standard input being the harness's socket. Two plain threads and
//! no runtime keep its start within a millisecond and its memory small. It has two stages, because the
//! death signal of a parent can only be asked for by the child itself:
//!
//! - `supervise -- PROGRAM ARGS…` watches the socket and the child;
//! - `supervise --exec PARENT -- PROGRAM ARGS…` is the child: it asks to be killed should the supervisor
//!   itself be killed, then becomes the program.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use super::exit::{Exit, Message};
use super::supervisor::Supervisor;
use super::tree::{kill_children, signal_group};

/// Marks the environment of a supervisor. It guards against a binary that is no `hallmark`, for example a
/// test binary, and would start itself again and again.
pub(super) const GUARD: &str = "HALLMARK_SUPERVISOR";

/// How long killed processes may take to disappear before the supervisor stops waiting for them.
const REAP: Duration = Duration::from_secs(5);

/// Exit code when the program cannot be started, as shells use it.
const CANNOT_START: u8 = 127;

/// Runs `hallmark supervise` with everything that follows this word on the command line.
///
/// The exit code is the child's, or 128 plus the number of the signal that killed it.
pub fn supervisor_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    let outcome = match args.split_first() {
        Some((flag, [parent, separator, program, args @ ..])) if flag == "--exec" && separator == "--" => {
            Err(become_program(parent, program, args))
        }
        Some((separator, [program, args @ ..])) if separator == "--" => supervise(program, args),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: supervise -- PROGRAM [ARGUMENT]…")),
    };
    outcome.unwrap_or_else(|error| {
        // This process is none of the run's: its error stream is the log of the child.
        let _no_log = writeln!(io::stderr(), "hallmark supervise: {error}");
        ExitCode::from(CANNOT_START)
    })
}

fn become_program(parent: &OsStr, program: &OsStr, args: &[OsString]) -> io::Error {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    let expected = parent.to_str().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    if rustix::process::getppid() != expected {
        return io::Error::other("the supervisor died before the program started");
    }
    Command::new(program).args(args).env_remove(GUARD).exec()
}

fn supervise(program: &OsStr, args: &[OsString]) -> io::Result<ExitCode> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Signals to the terminal's process group are for the harness, which then stops its children in order.
    rustix::process::setsid()?;
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;

    let child = Command::new(Supervisor::current_exe()?.path())
        .arg0("hallmark")
        .args(["supervise", "--exec"])
        .arg(std::process::id().to_string())
        .arg("--")
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()?;
    let Some(leader) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return Err(io::Error::other("the child has no process id"));
    };
    writeln!(socket, "{}", Message::Started(child.id().cast_signed()))?;

    let (ended, end) = mpsc::channel();
    let control = socket.try_clone()?;
    thread::Builder::new().name("control".to_owned()).spawn(move || obey(control, leader, &end))?;

    let exit = wait_for(leader)?;
    let _harness_gone = writeln!(socket, "{}", Message::Ended(exit));
    signal_group(leader, Signal::KILL);
    reap_descendants();
    let _not_listening = ended.send(());
    Ok(ExitCode::from(match exit {
        Exit::Code(code) => u8::try_from(code).unwrap_or(u8::MAX),
        Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Exit::Unknown => u8::MAX,
    }))
}

/// Passes each byte on as a signal of that number; kills everything when the harness is gone.
fn obey(mut control: UnixStream, leader: Pid, end: &mpsc::Receiver<()>) {
    let mut byte = [0];
    while let Ok(1) = control.read(&mut byte) {
        let [number] = byte;
        if let Some(signal) = Signal::from_named_raw(i32::from(number)) {
            signal_group(leader, signal);
        }
    }
    signal_group(leader, Signal::KILL);
    kill_children();
    // A process in an uninterruptible wait dies later by the same signal; nobody waits for it here.
    if end.recv_timeout(REAP) == Err(RecvTimeoutError::Timeout) {
        std::process::exit(i32::from(CANNOT_START));
    }
}

/// Waits for the end of `leader`, reaping orphans that end meanwhile.
fn wait_for(leader: Pid) -> io::Result<Exit> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == leader => return Ok(exit_of(status)),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Kills and reaps until no descendant is left: each death may hand over further orphans.
fn reap_descendants() {
    loop {
        kill_children();
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_no_children) => return,
        }
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}
