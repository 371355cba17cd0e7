//! Calls of the helm program.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;

use super::server::Servers;
use crate::cluster::provision;
use crate::scratch::{self, Scratch};

/// Where helm keeps what, in a folder of our own.
const HOMES: [(&str, &str); 4] = [
    ("HELM_CONFIG_HOME", "config"),
    ("HELM_CACHE_HOME", "cache"),
    ("HELM_DATA_HOME", "data"),
    // Of what an API server serves; clusters that live for a run would fill the user's own.
    ("KUBECACHEDIR", "kube"),
];

/// How a call ended and what it printed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Answer {
    /// Exit code; a signal counts as -1.
    pub(super) code: i32,
    /// Standard output.
    pub(super) stdout: String,
    /// Standard error.
    pub(super) stderr: String,
}

impl Answer {
    /// Whether helm did what it should.
    pub(super) fn succeeded(&self) -> bool {
        self.code == 0
    }
}

/// The helm program with a private configuration folder.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    home: TempDir,
    /// Answer calls without a start for each, if this helm can.
    servers: Option<Servers>,
}

impl Program {
    /// Uses a helm that was found or built.
    pub(super) fn new(found: &provision::Helm) -> io::Result<Self> {
        let home = scratch::folder(Scratch::Helm)?;
        let servers = found.serves_calls.then(Servers::default);
        Ok(Self { path: found.path.clone(), home, servers })
    }

    /// One call: by a process that stays, where there is one, else by a process of its own.
    pub(super) async fn call(&self, arguments: &[OsString]) -> io::Result<Answer> {
        let text: Option<Vec<&str>> = arguments.iter().map(|argument| argument.to_str()).collect();
        match (&self.servers, text) {
            (Some(servers), Some(text)) => servers.call(|| self.command(), &text).await,
            // A line of JSON cannot carry a path that is no Unicode.
            _ => self.run(arguments).await,
        }
    }

    async fn run(&self, arguments: &[OsString]) -> io::Result<Answer> {
        let mut command = self.command();
        // It lives for less than a second; collecting garbage is a third of its work.
        command.env("GOGC", "off").args(arguments).stdin(Stdio::null());
        let output = command.output().await?;
        Ok(Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        for (variable, folder) in HOMES {
            command.env(variable, self.home.path().join(folder));
        }
        // Values of the user's shell such as HELM_NAMESPACE would change what the arguments mean.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
            command.env_remove(name);
        }
        command.kill_on_drop(true);
        command
    }
}

fn is_setting(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("HELM_") && !name.ends_with("_HOME"))
}
