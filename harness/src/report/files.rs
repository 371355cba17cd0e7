//! The report files and how they get to disk.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::aggregate::Aggregate;
use super::error::ReportError;
use super::{badge, conformance, html, junit, markdown};

/// Name of the page for a browser in the report folder.
pub const HTML_FILE: &str = "report.html";

/// Name of the badge in the report folder.
pub const BADGE_FILE: &str = "badge.svg";

/// Name of the `JUnit` file in the report folder.
pub const JUNIT_FILE: &str = "junit.xml";

/// Name of the conformance report in the report folder.
pub const REPORT_FILE: &str = "report.yaml";

/// Writes every report of the run as it stands at `now`.
pub(crate) fn write_all(folder: &Path, run: &Aggregate, now: Timestamp) -> Result<(), ReportError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| ReportError::CreateFolder { path: folder.to_owned(), source })?;
    write(folder, JUNIT_FILE, &junit::render(run)?)?;
    write(folder, BADGE_FILE, &badge::render(run))?;
    write(folder, HTML_FILE, &html::render(run, now)?)?;
    write(folder, REPORT_FILE, &conformance::render(run, now)?)
}

/// Writes what a command without events came to: `<stem>.json` for programs, `<stem>.html` for a browser.
pub fn save(folder: &Path, stem: &str, value: &impl Serialize, page: &str) -> Result<(), ReportError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| ReportError::CreateFolder { path: folder.to_owned(), source })?;
    write(folder, &format!("{stem}.json"), &serde_json::to_string_pretty(value)?)?;
    write(folder, &format!("{stem}.html"), page)
}

/// Appends the summary to a file that others write to as well.
pub(super) fn append_summary(path: &Path, run: &Aggregate) -> Result<(), ReportError> {
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(markdown::render(run).as_bytes()))
        .map_err(|source| ReportError::Write { path: path.to_owned(), source })
}

/// Readers see the old file or the new one, never a part of one.
fn write(folder: &Path, name: &str, text: &str) -> Result<(), ReportError> {
    let path = folder.join(name);
    let mode = std::fs::Permissions::from_mode(0o666);
    tempfile::Builder::new()
        .permissions(mode)
        .tempfile_in(folder)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        })
        .map_err(|source| ReportError::Write { path, source })
}
