//! Where the binary is whose `supervise` subcommand starts children.

use std::path::{Path, PathBuf};

/// The binary that supervises child processes.
///
/// A program that embeds the harness, for example a `cargo test` binary, has no `supervise` subcommand of
/// its own and must name the `hallmark` binary with [`Supervisor::at`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor(PathBuf);

impl Supervisor {
    /// The running program itself, which must be the `hallmark` command.
    ///
    /// On Linux the path is the link to the running image: it stays good when a build replaces the file.
    pub fn current_exe() -> std::io::Result<Self> {
        let link = Path::new("/proc/self/exe");
        if link.exists() { Ok(Self(link.to_owned())) } else { std::env::current_exe().map(Self) }
    }

    /// The `hallmark` binary at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path to start.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::current_exe().unwrap_or_else(|_no_own_path| Self::at("hallmark"))
    }
}
