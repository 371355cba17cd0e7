//! From a run to a bundle.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::error::EvidenceError;
use super::manifest::{
    FORMAT, FileRecord, ImplementationRecord, Manifest, RUN_FOLDER, RunRecord, SuiteRecord,
};
use super::open::open_bytes;
use crate::archive::{self, MANIFEST_FILE};
use crate::backup::Engine;
use crate::event::RunInfo;
use crate::record::{RECORD_FILE, Recording};
use crate::report::{HTML_FILE, JUNIT_FILE, REPORT_FILE, Statement};
use crate::scenario::suite::Suite;
use crate::subject::Implementation;
use crate::yaml::Source;

/// What a run leaves, in the order in which it is packed.
const RUN_FILES: [&str; 4] = [RECORD_FILE, REPORT_FILE, JUNIT_FILE, HTML_FILE];

/// Packs the bundle of the run whose reports are in a folder. The same run makes the same bytes.
///
/// Suite and implementation have to be those of the run; a changed one is an [`EvidenceError::Stranger`].
pub fn pack(
    suite: &Suite,
    implementation: Option<&Implementation>,
    report_dir: &Path,
) -> Result<Vec<u8>, EvidenceError> {
    let Recording { run, .. } = Recording::read(&report_dir.join(RECORD_FILE))?;
    belongs(&run, suite, implementation)?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for name in RUN_FILES {
        let path = report_dir.join(name);
        let content = std::fs::read(&path).map_err(|source| EvidenceError::Read { path, source })?;
        files.insert(format!("{RUN_FOLDER}/{name}"), content);
    }
    reported(&run, report_dir, files.get(&format!("{RUN_FOLDER}/{REPORT_FILE}")))?;
    let (root, suite_files) = laid_out(suite).map_err(EvidenceError::Pack)?;
    files.extend(suite_files);
    let implementation_file = implementation.map(|implementation| {
        let name = implementation.file().file_name().unwrap_or_default().to_string_lossy();
        let path = format!("implementation/{name}");
        files.insert(path.clone(), implementation.text().as_bytes().to_vec());
        path
    });
    let mut manifest = Manifest {
        format: FORMAT.to_owned(),
        engine: Engine { name: "hallmark".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        suite: SuiteRecord { name: suite.name().to_owned(), root, digest: suite.digest().to_owned() },
        implementation: ImplementationRecord {
            name: run.implementation.name,
            version: run.implementation.version,
            file: implementation_file,
            chart_digest: run.chart_digest,
            artifacts: run.artifacts,
        },
        run: RunRecord {
            id: run.run_id,
            kubernetes: run.cluster.kubernetes_version,
            distribution: run.cluster.distribution,
            helm: run.helm_version,
            host: run.host,
        },
        entries: files.iter().map(|(path, content)| FileRecord::of(path, content)).collect(),
        manifest_digest: String::new(),
    };
    let sealed = manifest.seal().map_err(EvidenceError::Manifest)?;
    let entries = files.iter().map(|(path, content)| (path.as_str(), content.as_slice()));
    archive::pack(std::iter::once((MANIFEST_FILE, sealed.as_slice())).chain(entries))
        .map_err(EvidenceError::Pack)
}

/// Writes a bundle that is read back and found whole, and returns its digest.
pub fn publish(bytes: &[u8], path: &Path) -> Result<String, EvidenceError> {
    Ok(archive::publish(bytes, path, |bytes, line| open_bytes(bytes, Some(line)))?)
}

/// Whether suite and implementation are those of the run.
fn belongs(
    run: &RunInfo,
    suite: &Suite,
    implementation: Option<&Implementation>,
) -> Result<(), EvidenceError> {
    same(
        "the digest of the suite",
        &run.suite_digest,
        suite.digest(),
        "a suite that has changed proves nothing about it: run it again",
    )?;
    let Some(implementation) = implementation else { return Ok(()) };
    let name = |name: &str, version: &str| format!("{name} {version}").trim_end().to_owned();
    let (then, now) = (&run.implementation, implementation.info());
    same(
        "the implementation",
        &name(&then.name, &then.version),
        &name(&now.name, &now.version),
        "name the file of the run with --implementation",
    )?;
    let file = sha256(implementation.text().as_bytes());
    same(
        "the digest of the implementation file",
        run.implementation_digest().unwrap_or(&file),
        &file,
        "a file that has changed is not the one of the run: run it again",
    )
}

/// Whether the report tells of the same run as the record.
fn reported(run: &RunInfo, folder: &Path, report: Option<&Vec<u8>>) -> Result<(), EvidenceError> {
    let text = String::from_utf8_lossy(report.map(Vec::as_slice).unwrap_or_default());
    let statement = Statement::parse(&Source::new(folder.join(REPORT_FILE), text))?;
    let id = statement.run.get("id").and_then(serde_json::Value::as_str).unwrap_or_default();
    same("the run of the report", &run.run_id, id, "the report folder holds files of two runs: run it again")
}

/// The digest of a file as records tell it.
pub(super) fn sha256(content: &[u8]) -> String {
    format!("sha256:{}", archive::digest(content))
}

fn same(what: &'static str, expected: &str, found: &str, help: &'static str) -> Result<(), EvidenceError> {
    if expected == found {
        return Ok(());
    }
    Err(EvidenceError::Stranger { what, expected: expected.to_owned(), found: found.to_owned(), help })
}

/// The folder of the suite in the bundle, and all files that belong to it as they were read.
///
/// A suite may name files outside of its folder. What is packed begins where all of them meet, so that the
/// paths in the suite lead to the same files.
fn laid_out(suite: &Suite) -> std::io::Result<(String, BTreeMap<String, Vec<u8>>)> {
    let root = cleaned(suite.root())?;
    let mut top = root.clone();
    let mut files = Vec::new();
    for source in suite.files() {
        let path = cleaned(source.path())?;
        while !path.starts_with(&top) && top.pop() {}
        files.push((path, source.text().as_bytes().to_vec()));
    }
    let inside = |path: &Path| {
        let below = path.strip_prefix(&top).unwrap_or(path);
        let mut name = "suite".to_owned();
        for part in below {
            name.push('/');
            name.push_str(&part.to_string_lossy());
        }
        name
    };
    let placed = files.into_iter().map(|(path, content)| (inside(&path), content)).collect();
    Ok((inside(&root), placed))
}

/// The absolute path without `.` and `..`, by its words alone.
fn cleaned(path: &Path) -> std::io::Result<PathBuf> {
    let mut cleaned = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => {
                cleaned.pop();
            }
            Component::CurDir => {}
            part => cleaned.push(part),
        }
    }
    Ok(cleaned)
}
