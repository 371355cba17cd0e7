//! Helms that stay: lines of arguments go in, lines of answers come out (`ci/cluster/helm/main.go`).
//!
//! A short call spends most of its time on starting up, and a suite about a chart renders it some hundred
//! times. One that talks to the API server finds its connection and all that it knows of it again, too.

use std::io;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;

use super::program::Answer;

/// The argument that makes helm stay.
const SERVE: &str = "serve-calls";
/// How many processors each of them may use: a call has nothing to do at the same time.
const PROCESSORS: &str = "1";
/// Per cent by which the heap of a process may grow before garbage is collected.
const GARBAGE: &str = "400";

/// The processes, started by the calls that find none idle and again after one that did not end well.
#[derive(Debug)]
pub(super) struct Servers {
    idle: Mutex<Vec<Running>>,
    places: Semaphore,
}

#[derive(Debug)]
struct Running {
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// Killed when it is dropped.
    _process: Child,
}

impl Default for Servers {
    /// One more process than there are processors: a call waits for the API server now and then, and each
    /// process has to learn of the cluster what the others know already.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { idle: Mutex::default(), places: Semaphore::new(processors + 1) }
    }
}

impl Servers {
    /// One call; `helm` makes the command that starts the program.
    pub(super) async fn call(
        &self,
        helm: impl FnOnce() -> Command,
        arguments: &[&str],
    ) -> io::Result<Answer> {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        // Not idle while it works: a call that fails or is given up takes the process along, and its late
        // answer cannot be taken for that of the next call.
        let mut running = match self.idle().pop() {
            Some(running) => running,
            None => Running::start(helm())?,
        };
        let answer = running.ask(arguments).await?;
        self.idle().push(running);
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Running>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn start(mut helm: Command) -> io::Result<Self> {
        helm.arg(SERVE)
            .env("GOGC", GARBAGE)
            .env("GOMAXPROCS", PROCESSORS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // What a call has to say is in its answer; warnings of the API server would reach the user's screen.
        let mut process = helm.stderr(Stdio::null()).spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("helm was started without pipes"));
        };
        Ok(Self { input, answers: BufReader::new(output).lines(), _process: process })
    }

    async fn ask(&mut self, arguments: &[&str]) -> io::Result<Answer> {
        let mut line = serde_json::to_vec(arguments)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        match self.answers.next_line().await? {
            Some(answer) => Ok(serde_json::from_str(&answer)?),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "helm ended without an answer")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A helm made of a shell script, which answers each line with its process id and the line itself.
    fn helm() -> Command {
        let script = r#"while read -r line; do
            case $line in *die*) exit 1;; *sleep*) sleep 60;; esac
            printf '{"code":0,"stdout":"%s","stderr":"%s"}\n' $$ "$(echo "$line" | tr -d '"')"
        done"#;
        let mut command = Command::new("sh");
        command.args(["-c", script]).kill_on_drop(true);
        command
    }

    #[tokio::test]
    async fn calls_after_each_other_share_a_process() {
        let server = Servers::default();
        let first = server.call(helm, &["a", "b c"]).await.unwrap();
        assert_eq!(first.stderr, "[a,b c]");
        let second = server.call(helm, &["d"]).await.unwrap();
        assert_eq!((first.stdout, "[d]"), (second.stdout, second.stderr.as_str()));
    }

    #[tokio::test]
    async fn a_call_waits_for_no_other_while_there_are_few() {
        let servers = Servers::default();
        let slow = servers.call(helm, &["sleep"]);
        let quick = async {
            tokio::task::yield_now().await;
            servers.call(helm, &["a"]).await.unwrap().stderr
        };
        tokio::select! {
            biased;
            _ = slow => panic!("it sleeps"),
            answer = quick => assert_eq!(answer, "[a]"),
        }
    }

    #[tokio::test]
    async fn a_call_that_fails_harms_no_other() {
        let server = Servers::default();
        let first = server.call(helm, &["a"]).await.unwrap();
        let failed = server.call(helm, &["die"]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::UnexpectedEof);
        let next = server.call(helm, &["b"]).await.unwrap();
        assert_ne!(first.stdout, next.stdout);
    }

    #[tokio::test]
    async fn the_answer_of_a_call_that_was_given_up_is_never_that_of_another() {
        let server = Servers::default();
        let call = server.call(helm, &["sleep"]);
        tokio::time::timeout(std::time::Duration::from_millis(100), call).await.unwrap_err();
        assert_eq!(server.call(helm, &["b"]).await.unwrap().stderr, "[b]");
    }
}
