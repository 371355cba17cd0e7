//! Runs the build commands of an implementation file.

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
    let output = Command::new(program)
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
