//! The runner of the test images: proves that a run's document reached its container.
//!
//! Reads the file named by `AGENT_RUN_SPEC`, prints the run's name and ends as the run's parameters ask.

use std::io::{self, Write};
use std::process::ExitCode;

use hallmark_images::Run;

/// The document's name says which file could not be used; nobody else reads this log but people.
fn read() -> Result<Run, String> {
    let path = std::env::var("AGENT_RUN_SPEC").map_err(|error| format!("AGENT_RUN_SPEC: {error}"))?;
    let json = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    Run::parse(&json).map_err(|error| format!("{path}: {error}"))
}

fn main() -> io::Result<ExitCode> {
    match read() {
        Ok(run) => {
            writeln!(io::stdout(), "agent run {}: {:?}", run.name, run.outcome)?;
            Ok(run.outcome.into())
        }
        Err(message) => {
            writeln!(io::stderr(), "runner: {message}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
