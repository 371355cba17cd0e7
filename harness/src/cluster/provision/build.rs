//! Building a binary with Go, once per recipe.
//!
//! A build that is interrupted is resumed by Go's own cache. If the harness is killed, a running `go` ends
//! by itself and has only warmed that cache: the result gets its final name by us alone.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::cache::Cache;
use super::error::ProvisionError;
use super::progress::Phase;
use super::recipe::Recipe;
use crate::count::count;
use crate::event::EventSink;

/// How many of Go's last lines an error shows.
const LINES: usize = 20;

/// The cached binary of `recipe`; builds it if it is not there.
pub(super) async fn build(recipe: &Recipe, events: &EventSink) -> Result<PathBuf, ProvisionError> {
    let cache = Cache::open()?;
    let key = recipe.key();
    let binary = cache.binary(&key);
    if binary.exists() {
        return Ok(binary);
    }
    let mut phase = Phase::new(events, format!("building {} {}", recipe.label, recipe.version));
    phase.tick("once per version");
    let _lock = cache.lock(&key, &mut phase).await?;
    // Another process may have built it while we waited.
    if !binary.exists() {
        build_locked(recipe, &cache, &binary, &mut phase).await?;
    }
    phase.done();
    Ok(binary)
}

async fn build_locked(
    recipe: &Recipe,
    cache: &Cache,
    binary: &Path,
    phase: &mut Phase<'_>,
) -> Result<(), ProvisionError> {
    let sources = cache.sources(&recipe.key());
    let failed = |action, path: &Path| ProvisionError::cache(recipe.name, action, path);
    fs::create_dir_all(&sources).map_err(failed("create the folder", &sources))?;
    for (name, text) in &recipe.files {
        let path = sources.join(name);
        fs::write(&path, text).map_err(failed("write", &path))?;
    }
    if let Some(dir) = binary.parent() {
        fs::create_dir_all(dir).map_err(failed("create the folder", dir))?;
    }
    // The lock makes us the only writer of this name, so what an interrupted build left is overwritten.
    let unfinished = binary.with_added_extension("partial");
    let go = start_go(recipe, &sources, &unfinished)?;
    follow(recipe, go, cache, phase).await?;
    fs::rename(&unfinished, binary).map_err(failed("rename to", binary))
}

fn start_go(recipe: &Recipe, sources: &Path, output: &Path) -> Result<Child, ProvisionError> {
    Command::new("go")
        .args(recipe.go_args(&output.display().to_string()))
        .current_dir(sources)
        .env("CGO_ENABLED", "0")
        // The user's workspace and flags are for the user's modules.
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| {
            let name = format!("{} {}", recipe.name, recipe.version);
            if source.kind() == io::ErrorKind::NotFound {
                ProvisionError::NoGo { name }
            } else {
                ProvisionError::Go { name, source }
            }
        })
}

/// Tells the progress of a running `go build` and judges its end.
async fn follow(
    recipe: &Recipe,
    mut go: Child,
    cache: &Cache,
    phase: &mut Phase<'_>,
) -> Result<(), ProvisionError> {
    let name = format!("{} {}", recipe.name, recipe.version);
    let stderr = go.stderr.take();
    let mut output = Output::default();
    if let Some(stderr) = stderr {
        let mut lines = BufReader::new(stderr).lines();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                line = lines.next_line() => match line {
                    Ok(Some(line)) => output.add(line),
                    Ok(None) | Err(_) => break,
                },
                _ = second.tick() => phase.tick(&output.summary()),
            }
        }
    }
    let status = go.wait().await.map_err(|source| ProvisionError::Go { name: name.clone(), source })?;
    if status.success() {
        return Ok(());
    }
    let output = output.end();
    if output.contains("no space left on device") {
        return Err(ProvisionError::DiskFull { name, path: cache.dir().to_owned() });
    }
    Err(ProvisionError::Build { name, status: status.to_string(), output })
}

/// What Go printed: a count of its progress and the last lines.
#[derive(Debug, Default)]
struct Output {
    downloaded: usize,
    compiled: usize,
    last: VecDeque<String>,
}

impl Output {
    fn add(&mut self, line: String) {
        if line.starts_with("go: downloading ") {
            self.downloaded += 1;
        } else if is_package(&line) {
            self.compiled += 1;
        } else {
            if self.last.len() == LINES {
                self.last.pop_front();
            }
            self.last.push_back(line);
        }
    }

    fn summary(&self) -> String {
        match (self.downloaded, self.compiled) {
            (0, 0) => "compiling and linking".to_owned(),
            (modules, 0) => format!("{} downloaded", count(modules, "module")),
            (_, packages) => format!("{} compiled", count(packages, "package")),
        }
    }

    fn end(self) -> String {
        if self.last.is_empty() { "(nothing)".to_owned() } else { Vec::from(self.last).join("\n") }
    }
}

/// Whether a line of `go build -v` is the path of a package that is being compiled.
fn is_package(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#') && !line.contains([' ', ':', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_counted_and_errors_are_kept() {
        let mut output = Output::default();
        assert_eq!(output.summary(), "compiling and linking");
        output.add("go: downloading k8s.io/api v0.35.4".to_owned());
        assert_eq!(output.summary(), "1 module downloaded");
        output.add("k8s.io/api/core/v1".to_owned());
        output.add("# hallmark.dev/ci/cluster/kubernetes".to_owned());
        output.add("./main.go:3:1: undefined: nothing".to_owned());
        assert_eq!(output.summary(), "1 package compiled");
        let end = output.end();
        assert!(end.contains("undefined: nothing") && !end.contains("core/v1"), "{end}");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut output = Output::default();
        for number in 0..100 {
            output.add(format!("error: {number}"));
        }
        assert_eq!(output.end().lines().count(), LINES);
    }
}
