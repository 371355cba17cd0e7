//! Describing and starting a supervised process.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

use super::exit::Message;
use super::output::{Output, Stream};
use super::supervise::GUARD;
use super::supervised::Supervised;
use super::supervisor::Supervisor;

/// How long a supervisor may take to start its child, also on a machine under heavy load.
const START: Duration = Duration::from_secs(15);

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such program.
    #[error("program `{}` was not found", .0.display())]
    NotFound(PathBuf),
    /// The log file cannot be written.
    #[error("open the log file `{}`", .0.display())]
    Log(PathBuf, #[source] io::Error),
    /// The system refused a socket or a process.
    #[error("start `{}` under the supervisor `{}`", .program.display(), .supervisor.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The supervising binary.
        supervisor: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The supervising binary did not behave like one.
    #[error("`{}` does not act as a supervisor: it must be the `hallmark` command", .0.display())]
    NoSupervisor(PathBuf),
}

/// A program to be run under a supervisor.
#[derive(Debug, Clone)]
pub struct SupervisedCommand {
    supervisor: Supervisor,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    clear_env: bool,
    dir: Option<PathBuf>,
    output: Output,
}

impl SupervisedCommand {
    /// Runs `program`, a path or a name to be found in `PATH`.
    pub fn new(supervisor: &Supervisor, program: impl Into<PathBuf>) -> Self {
        Self {
            supervisor: supervisor.clone(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            clear_env: false,
            dir: None,
            output: Output::Discard,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts from an empty environment instead of the harness's.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.clear_env = true;
        self
    }

    /// Sets the working folder.
    #[must_use]
    pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Says where standard output and standard error go; they are discarded otherwise.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Starts it and waits until its process exists.
    ///
    /// A program that exits at once is no error here; see [`Supervised::exit`].
    pub async fn spawn(self) -> Result<Supervised, SpawnError> {
        if !self.program_exists() {
            return Err(SpawnError::NotFound(self.program));
        }
        if std::env::var_os(GUARD).is_some() {
            return Err(SpawnError::NoSupervisor(self.supervisor.path().to_owned()));
        }
        let (stdout, stderr) = self.output.open().map_err(|error| match &self.output {
            Output::File(path) => SpawnError::Log(path.clone(), error),
            Output::Discard | Output::Lines(_) => self.start_error(error),
        })?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| self.start_error(error))?;
        let theirs = blocking_fd(theirs).map_err(|error| self.start_error(error))?;
        let mut child = self
            .command()
            .stdin(theirs)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(|error| self.start_error(error))?;
        if let Some(pipe) = child.stdout.take() {
            tokio::spawn(self.output.clone().forward(Stream::Stdout, pipe));
        }
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(self.output.clone().forward(Stream::Stderr, pipe));
        }
        let (reader, writer) = ours.into_split();
        let mut messages = BufReader::new(reader).lines();
        let first = tokio::time::timeout(START, messages.next_line()).await;
        match first.ok().and_then(Result::ok).flatten().as_deref().and_then(Message::parse) {
            Some(Message::Started(pid)) => Ok(Supervised::new(pid, child, messages, writer)),
            Some(Message::Ended(_)) | None => {
                Err(SpawnError::NoSupervisor(self.supervisor.path().to_owned()))
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.supervisor.path());
        // Linked as `/proc/self/exe` the process would be shown as `exe` in process lists.
        command.arg0("hallmark").args(["supervise", "--"]).arg(&self.program).args(&self.args);
        if self.clear_env {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value))).env(GUARD, "1");
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }

    fn program_exists(&self) -> bool {
        if self.program.components().count() > 1 {
            return self.dir.as_deref().unwrap_or(Path::new("")).join(&self.program).exists();
        }
        let own = if self.clear_env { None } else { std::env::var_os("PATH") };
        let path = self.env.iter().rev().find(|(name, _)| name == OsStr::new("PATH"));
        let path = path.map(|(_, value)| value.clone()).or(own).unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(&self.program).is_file())
    }

    fn start_error(&self, source: io::Error) -> SpawnError {
        SpawnError::Start {
            program: self.program.clone(),
            supervisor: self.supervisor.path().to_owned(),
            source,
        }
    }
}

/// The supervisor reads with plain threads, so its end must block.
fn blocking_fd(socket: UnixStream) -> io::Result<Stdio> {
    let socket = socket.into_std()?;
    socket.set_nonblocking(false)?;
    Ok(OwnedFd::from(socket).into())
}
