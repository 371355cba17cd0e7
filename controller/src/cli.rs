//! The command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

#[cfg(feature = "defects")]
use crate::defects::Defect;
use crate::{crds, exit, process};

/// Turns `AgentRuns` into Kubernetes Jobs.
#[derive(Debug, Parser)]
#[command(version, after_help = exit::HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller; settings come from the environment.
    Run,
    /// Write the CRDs, one file per kind.
    Crds {
        /// Directory of the files.
        #[arg(long)]
        out: PathBuf,
        /// Write nothing; fail when a file differs.
        #[arg(long)]
        check: bool,
    },
    /// List the defects that scenarios can notice, one JSON object per line.
    #[cfg(feature = "defects")]
    Defects,
}

/// Does what the command line of this process asks for; the exit code tells how it went.
pub fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            // If even stderr is gone, the exit code has to say it alone.
            let _ = writeln!(std::io::stderr(), "agents-controller failed to {error:#}");
            ExitCode::from(exit::code(&error))
        }
    }
}

impl Cli {
    /// Does what the command line asks for.
    fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run => {
                let mut runtime = tokio::runtime::Builder::new_multi_thread();
                // One thread is plenty for a process that waits for the API server, and keeps it small: each
                // has a heap of its own, and what one has used for a list is of no use to the others.
                let runtime =
                    runtime.worker_threads(1).enable_all().build().context("start the event loop")?;
                Ok(runtime.block_on(process::run())?)
            }
            Command::Crds { out, check: false } => Ok(crds::write(&out)?),
            Command::Crds { out, check: true } => Ok(crds::check(&out)?),
            #[cfg(feature = "defects")]
            Command::Defects => {
                let mut out = std::io::stdout().lock();
                for defect in Defect::ALL {
                    writeln!(out, "{}", defect.describe()).context("write the list of defects")?;
                }
                Ok(())
            }
        }
    }
}
