//! Where charts come from: a folder, a package, or a revision of a git repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::chart::Chart;
use super::error::GateError;
use crate::scratch::{self, Scratch};
use crate::subject::package::{BadArchive, is_packed, unpack, unpack_chart};

/// The chart of a git ref that is named without a path.
pub const USUAL_PATH: &str = "charts/agents";
/// Deadline of a call of git.
const GIT: Duration = Duration::from_mins(1);

/// What is needed of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A Chart.yaml.
    Chart,
    /// At least one CRD.
    Crds,
}

/// A chart that was read, and where helm finds it.
#[derive(Debug)]
pub struct Opened {
    /// What was named, as people see it.
    pub label: String,
    /// Its documents.
    pub chart: Chart,
    /// Where it comes from.
    pub origin: Origin,
    folder: PathBuf,
    /// Holds what was unpacked.
    _unpacked: Option<TempDir>,
}

/// Where a chart comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A folder or file of this machine.
    Folder,
    /// A packed chart.
    Package,
    /// A revision.
    Git {
        /// The top folder of the repository.
        repository: PathBuf,
        /// The commit.
        commit: String,
    },
}

impl Opened {
    /// Opens what `name` stands for: a folder, a packed chart, a file with CRDs, REF or REF:PATH.
    ///
    /// A ref without a path has the chart where `beside`, the one it is compared with, has it.
    pub async fn open(name: &str, beside: &str, need: Need) -> Result<Self, GateError> {
        let path = Path::new(name);
        let opened = if path.is_dir() {
            let chart = Chart::read(name, &files_of(path)?)?;
            Self {
                label: name.to_owned(),
                chart,
                origin: Origin::Folder,
                folder: path.to_owned(),
                _unpacked: None,
            }
        } else if path.is_file() && is_packed(path) {
            let packed = std::fs::read(path).map_err(|source| file("read", path, source))?;
            let files = unpack_chart(packed.as_slice()).map_err(archive(name))?;
            Self::laid_out(name, &files, Origin::Package)?
        } else if path.is_file() {
            let content = std::fs::read(path).map_err(|source| file("read", path, source))?;
            let chart = Chart::read("", &BTreeMap::from([(name.to_owned(), content)]))?;
            Self {
                label: name.to_owned(),
                chart,
                origin: Origin::Folder,
                folder: path.to_owned(),
                _unpacked: None,
            }
        } else {
            Self::of_revision(name, beside).await?
        };
        opened.require(need)
    }

    async fn of_revision(name: &str, beside: &str) -> Result<Self, GateError> {
        let (revision, path) = match name.split_once(':') {
            Some((revision, path)) => (revision, Some(path.to_owned())),
            None => (name, None),
        };
        let no_source = || GateError::NoSource { name: name.to_owned() };
        let top =
            git(Path::new("."), &["rev-parse", "--show-toplevel"]).await.map_err(|_none| no_source())?;
        let repository = PathBuf::from(String::from_utf8_lossy(&top).trim());
        let wanted = format!("{revision}^{{commit}}");
        let commit = git(&repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])
            .await
            .map_err(|_unknown| no_source())?;
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        let path = path.unwrap_or_else(|| path_within(&repository, beside));
        let label = format!("{revision}:{path}");
        let tree = format!("{commit}:{path}");
        let packed = git(&repository, &["archive", "--format=tar", &tree]).await?;
        let files = unpack(packed.as_slice()).map_err(archive(&label))?;
        Self::laid_out(&label, &files, Origin::Git { repository, commit })
    }

    /// Writes files where helm can read them.
    fn laid_out(label: &str, files: &BTreeMap<String, Vec<u8>>, origin: Origin) -> Result<Self, GateError> {
        let unpacked = scratch::folder(Scratch::Chart)
            .map_err(|source| file("make a folder in", &std::env::temp_dir(), source))?;
        lay_out(unpacked.path(), files)?;
        let chart = Chart::read(label, files)?;
        let folder = unpacked.path().to_owned();
        Ok(Self { label: label.to_owned(), chart, origin, folder, _unpacked: Some(unpacked) })
    }

    fn require(self, need: Need) -> Result<Self, GateError> {
        let missing = |what, help| GateError::Incomplete { what, source_name: self.label.clone(), help };
        match need {
            Need::Chart if !self.chart.digests.contains_key("Chart.yaml") => {
                Err(missing("Chart.yaml", "name the folder of a chart, a packed chart (.tgz), or REF:PATH"))
            }
            Need::Crds if self.chart.crds.is_empty() => {
                Err(missing("CRD", "name a chart with `crds/`, a folder of CRDs, or one file"))
            }
            _ => Ok(self),
        }
    }

    /// Where helm finds the chart.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Exports a whole revision into a folder, once per commit: builds in it are worth keeping.
pub async fn export(repository: &Path, commit: &str, into: &Path) -> Result<PathBuf, GateError> {
    let folder = into.join(commit);
    if folder.is_dir() {
        return Ok(folder);
    }
    let packed = git(repository, &["archive", "--format=tar", commit]).await?;
    let files = unpack(packed.as_slice()).map_err(archive(commit))?;
    let failed = |source| file("make a folder in", into, source);
    std::fs::create_dir_all(into).map_err(failed)?;
    // Under another name until it is whole.
    let partial = tempfile::Builder::new().prefix(".partial-").tempdir_in(into).map_err(failed)?;
    lay_out(partial.path(), &files)?;
    match std::fs::rename(partial.path(), &folder) {
        // Another process was faster; both have the same.
        Err(_) if folder.is_dir() => Ok(folder),
        Err(source) => Err(file("make", &folder, source)),
        Ok(()) => Ok(folder),
    }
}

fn lay_out(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), GateError> {
    for (path, content) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| file("make", parent, source))?;
        }
        std::fs::write(&path, content).map_err(|source| file("write", &path, source))?;
    }
    Ok(())
}

/// The path of a folder within the repository that it is in, else the usual one.
fn path_within(repository: &Path, beside: &str) -> String {
    let inside = Path::new(beside).canonicalize().ok().filter(|path| path.is_dir());
    let relative = inside.and_then(|path| Some(path.strip_prefix(repository).ok()?.to_str()?.to_owned()));
    relative.filter(|path| !path.is_empty()).unwrap_or_else(|| USUAL_PATH.to_owned())
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, GateError> {
    let failed = |message: String| GateError::Git { action: arguments.join(" "), message };
    let call = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(GIT, call)
        .await
        .map_err(|_elapsed| failed(format!("not done within {} s", GIT.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// What is wrong with an archive, under the name that people gave it.
fn archive(name: &str) -> impl FnOnce(BadArchive) -> GateError {
    |error| GateError::Archive { name: name.to_owned(), reason: error.to_string() }
}

fn files_of(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, GateError> {
    let mut files = BTreeMap::new();
    collect(folder, folder, &mut files)?;
    Ok(files)
}

fn collect(top: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), GateError> {
    let failed = |source| file("read", folder, source);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect(top, &path, files)?;
        } else if let Some(name) = path.strip_prefix(top).ok().and_then(Path::to_str) {
            let content = std::fs::read(&path).map_err(|source| file("read", &path, source))?;
            files.insert(name.to_owned(), content);
        }
    }
    Ok(())
}

fn file(action: &'static str, path: &Path, source: std::io::Error) -> GateError {
    GateError::File { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::package::pack;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    #[tokio::test]
    async fn a_folder_a_package_and_a_revision_hold_the_same_chart() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &str| folder.path().join(path).display().to_string();
        write(folder.path(), "c/Chart.yaml", "version: 1.0.0\n");
        write(folder.path(), "c/crds/a.yaml", "kind: CustomResourceDefinition\n");
        std::fs::write(
            folder.path().join("c.tgz"),
            pack(&[
                ("c/Chart.yaml", "version: 1.0.0\n"),
                ("c/crds/a.yaml", "kind: CustomResourceDefinition\n"),
            ]),
        )
        .expect("written");
        for name in [at("c"), at("c.tgz")] {
            let opened = Opened::open(&name, "", Need::Chart).await.expect("opens");
            assert_eq!(opened.chart.text("version"), "1.0.0");
            assert!(opened.folder().join("crds/a.yaml").is_file());
            assert!(Opened::open(&name, "", Need::Crds).await.is_ok());
        }
        let only_crds = Opened::open(&at("c/crds/a.yaml"), "", Need::Crds).await.expect("opens");
        assert_eq!(only_crds.chart.crds.len(), 1);
        let error = Opened::open(&at("c/crds"), "", Need::Chart).await.expect_err("no chart");
        assert!(error.to_string().contains("help: "), "{error}");
    }

    #[tokio::test]
    async fn what_is_nothing_is_refused_with_help() {
        let error = Opened::open("no-such-thing", "", Need::Chart).await.expect_err("nothing");
        assert!(
            matches!(error, GateError::NoSource { .. }) && error.to_string().contains("help: "),
            "{error}"
        );
    }
}
