//! A helm that stays: lines of arguments go in, lines of answers come out (`ci/cluster/helm/main.go`).
//!
//! A short call spends most of its time on starting up, and a suite about a chart renders it some hundred
//! times.

use std::io;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::program::Answer;

/// The argument that makes helm stay.
const SERVE: &str = "serve-calls";

/// The process, started by the first call and again after one that did not end well.
#[derive(Debug, Default)]
pub(super) struct Server {
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// Killed when it is dropped.
    _process: Child,
}

impl Server {
    /// One call; `helm` makes the command that starts the program.
    pub(super) async fn call(
        &self,
        helm: impl FnOnce() -> Command,
        arguments: &[&str],
    ) -> io::Result<Answer> {
        let mut place = self.running.lock().await;
        // Out of its place while it works: a call that fails or is given up takes the process along, and
        // its late answer cannot be taken for that of the next call.
        let mut running = match place.take() {
            Some(running) => running,
            None => Running::start(helm())?,
        };
        let answer = running.ask(arguments).await?;
        *place = Some(running);
        Ok(answer)
    }
}

impl Running {
    fn start(mut helm: Command) -> io::Result<Self> {
        let mut process = helm.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
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
    async fn calls_share_a_process() {
        let server = Server::default();
        let first = server.call(helm, &["a", "b c"]).await.unwrap();
        assert_eq!(first.stderr, "[a,b c]");
        let second = server.call(helm, &["d"]).await.unwrap();
        assert_eq!((first.stdout, "[d]"), (second.stdout, second.stderr.as_str()));
    }

    #[tokio::test]
    async fn a_call_that_fails_harms_no_other() {
        let server = Server::default();
        let first = server.call(helm, &["a"]).await.unwrap();
        let failed = server.call(helm, &["die"]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::UnexpectedEof);
        let next = server.call(helm, &["b"]).await.unwrap();
        assert_ne!(first.stdout, next.stdout);
    }

    #[tokio::test]
    async fn the_answer_of_a_call_that_was_given_up_is_never_that_of_another() {
        let server = Server::default();
        let call = server.call(helm, &["sleep"]);
        tokio::time::timeout(std::time::Duration::from_millis(100), call).await.unwrap_err();
        assert_eq!(server.call(helm, &["b"]).await.unwrap().stderr, "[b]");
    }
}
