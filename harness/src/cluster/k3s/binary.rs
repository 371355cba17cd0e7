//! Static binaries of this workspace, which need no base image.
//!
//! Only the binary itself is linked differently; its dependencies are those of an ordinary release build
//! and are shared with it. The result also runs outside of a container.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use crate::event::EventSink;

/// How long a build may take, dependencies included.
const BUILD_DEADLINE: Duration = Duration::from_mins(30);

/// A binary that was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinaryError {
    /// Cargo does not run.
    #[error("run cargo to build `{binary}`")]
    Cargo {
        /// The binary.
        binary: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Cargo took too long.
    #[error("build `{binary}` within {} s", BUILD_DEADLINE.as_secs())]
    Deadline {
        /// The binary.
        binary: String,
    },
    /// Cargo failed.
    #[error("build `{binary}`; cargo says:\n{output}")]
    Failed {
        /// The binary.
        binary: String,
        /// What cargo and the compiler said.
        output: String,
    },
    /// Cargo named no executable.
    #[error("find `{binary}` among what cargo built")]
    Absent {
        /// The binary.
        binary: String,
    },
}

/// Builds a binary of the workspace in the release profile without dynamic libraries and returns where it
/// is. `workspace` is any folder of the workspace.
pub async fn build_static(
    workspace: &Path,
    package: &str,
    binary: &str,
    events: &EventSink,
) -> Result<PathBuf, BinaryError> {
    let begun = Instant::now();
    let phase = format!("building {binary}");
    events.progress(&phase, "");
    // Set where cargo itself runs the harness, so that both are the same version.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = Command::new(cargo)
        .current_dir(workspace)
        .args(["rustc", "--release", "--package", package, "--bin", binary])
        .args(["--message-format=json-render-diagnostics", "--", "-Ctarget-feature=+crt-static"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(BUILD_DEADLINE, build)
        .await
        .map_err(|_| BinaryError::Deadline { binary: binary.to_owned() })?
        .map_err(|source| BinaryError::Cargo { binary: binary.to_owned(), source })?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(BinaryError::Failed { binary: binary.to_owned(), output });
    }
    let path = executable(&String::from_utf8_lossy(&output.stdout), binary)
        .ok_or_else(|| BinaryError::Absent { binary: binary.to_owned() })?;
    events.progress_done(phase, begun.elapsed());
    Ok(path)
}

/// Finds the executable in cargo's messages, one JSON object per line.
fn executable(messages: &str, binary: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(binary))
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_by_the_name_of_its_target() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"program","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other","kind":["bin"]},"executable":"/t/release/other"}
{"reason":"compiler-artifact","target":{"name":"program","kind":["bin"]},"executable":"/t/release/program"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages, "program"), Some(PathBuf::from("/t/release/program")));
        assert_eq!(executable(messages, "absent"), None);
    }
}
