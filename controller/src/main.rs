//! Entry point: see the library for what the controller does.

use std::io::Write as _;
use std::process::ExitCode;

use agents_controller::{Cli, exit};
use clap::Parser as _;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            // If even stderr is gone, the exit code has to say it alone.
            let _ = writeln!(std::io::stderr(), "agents-controller failed to {error:#}");
            ExitCode::from(exit::code(&error))
        }
    }
}
