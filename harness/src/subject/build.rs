//! Runs the build commands of an implementation file.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::error::SubjectError;
use super::implementation::{Build, Implementation};
use crate::event::EventSink;

/// Deadline of a build; the first one compiles every dependency.
const BUILD: Duration = Duration::from_mins(30);
/// Lines of a failed build that are shown.
const TAIL: usize = 40;

/// Whether `cargo run` or `cargo test` set the variable for the harness itself.
///
/// Build scripts (that of ring, for one) ask cargo to run them again when these differ, so that a build
/// from within cargo and one from a shell would each undo the other's work, minutes of it.
fn belongs_to_outer_cargo(variable: &OsStr) -> bool {
    let variable = variable.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
        .iter()
        .any(|start| variable.starts_with(start))
}

/// Runs one build command of `implementation` and tells when it begins and ends.
pub async fn build(
    implementation: &Implementation,
    build: &Build,
    events: &EventSink,
) -> Result<(), SubjectError> {
    let Some((program, arguments)) = build.command.split_first() else { return Ok(()) };
    let command = build.command.join(" ");
    let failed = |message: String| SubjectError::Build { command: command.clone(), message };
    let phase = format!("building {}", implementation.identity.name);
    let started = Instant::now();
    events.progress(&phase, &command);
    let mut build_command = Command::new(program);
    for (variable, _) in std::env::vars_os().filter(|(variable, _)| belongs_to_outer_cargo(variable)) {
        build_command.env_remove(variable);
    }
    let output = build_command
        .args(arguments)
        .envs(&build.environment)
        .current_dir(implementation.resolve(&build.directory))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(BUILD, output)
        .await
        .map_err(|_elapsed| failed(format!("not done within {} minutes", BUILD.as_secs() / 60)))?
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
        return Err(failed(format!("{}\n{tail}", output.status)));
    }
    events.progress_done(phase, started.elapsed());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_sees_no_variables_of_the_cargo_that_runs_the_harness() {
        for variable in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_BIN_EXE_hallmark", "CARGO_CRATE_NAME"]
        {
            assert!(belongs_to_outer_cargo(OsStr::new(variable)), "{variable}");
        }
        for variable in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO", "PATH", "CARGO_NET_OFFLINE"] {
            assert!(!belongs_to_outer_cargo(OsStr::new(variable)), "{variable}");
        }
    }
}
