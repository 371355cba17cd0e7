//! The report files and how they get to disk.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::aggregate::Aggregate;
use super::error::ReportError;
use super::format::Format;
use super::markdown;

/// Name of the page for a browser in the report folder.
pub const HTML_FILE: &str = "report.html";

/// Name of the badge in the report folder.
pub const BADGE_FILE: &str = "badge.svg";

/// Name of the `JUnit` file in the report folder.
pub const JUNIT_FILE: &str = "junit.xml";

/// Name of the conformance report in the report folder.
pub const REPORT_FILE: &str = "report.yaml";

/// Name of the list of cases in the report folder, one JSON object a line.
pub const CASES_FILE: &str = "cases.ndjson";

/// Name of the summary in the report folder, in Markdown.
pub const SUMMARY_FILE: &str = "summary.md";

/// Writes every report of the run as it stands at `now`.
pub fn write_all(folder: &Path, run: &Aggregate, now: Timestamp) -> Result<(), ReportError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| ReportError::CreateFolder { path: folder.to_owned(), source })?;
    for format in Format::ALL {
        write(folder, format.file(), &format.render(run, now)?)?;
    }
    Ok(())
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
