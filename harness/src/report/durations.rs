//! How long cases took, by what an earlier run left.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::error::ReportError;
use crate::event::CaseResult;
use crate::scenario::Durations;

/// A case as reports tell it.
#[derive(Deserialize)]
struct Case {
    name: String,
    verdict: String,
    seconds: f64,
}

/// The line of a record that tells of the end of a case.
#[derive(Deserialize)]
struct Ended {
    result: CaseResult,
}

/// The durations in a report (`report.yaml`, `cases.ndjson`) or in a record (`events.ndjson`); cases that
/// were not run have none.
pub fn durations(path: &Path) -> Result<Durations, ReportError> {
    let unreadable = |reason: String| ReportError::Read { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let mut found = Durations::default();
    if path.extension().is_some_and(|extension| extension == "ndjson") {
        for line in text.lines() {
            // Most lines of a record are entries, which are not read.
            if line.starts_with(r#"{"result":"#) {
                let Ended { result } =
                    serde_json::from_str(line).map_err(|error| unreadable(error.to_string()))?;
                if !result.elapsed.is_zero() {
                    found.add(&result.id.to_string(), result.elapsed);
                }
            } else if line.starts_with(r#"{"name":"#) {
                let case = serde_json::from_str(line).map_err(|error| unreadable(error.to_string()))?;
                add(&mut found, &case);
            }
        }
    } else {
        let documents = crate::yaml::parse_documents(&crate::yaml::Source::new(path, text))
            .map_err(|problem| unreadable(problem.to_string()))?;
        let mut report = documents.first().map(crate::yaml::Node::to_json).unwrap_or_default();
        let cases = report.get_mut("cases").map(serde_json::Value::take);
        let cases = cases.ok_or_else(|| unreadable("it lists no cases".to_owned()))?;
        let cases: Vec<Case> =
            serde_json::from_value(cases).map_err(|error| unreadable(error.to_string()))?;
        for case in &cases {
            add(&mut found, case);
        }
    }
    Ok(found)
}

fn add(found: &mut Durations, case: &Case) {
    let duration = Duration::try_from_secs_f64(case.seconds).unwrap_or_default();
    if case.verdict != "skipped" && !duration.is_zero() {
        found.add(&case.name, duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CaseId, RunEnd, Verdict};
    use crate::record::RecordWriter;
    use crate::report::fixture::{self, Run, failed, passed, skipped};
    use crate::report::write_all;

    #[test]
    fn a_report_and_a_list_of_cases_tell_the_same_and_nothing_of_skipped_ones() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::of([passed(), failed(), skipped()]).aggregate();
        write_all(folder.path(), &run, jiff::Timestamp::UNIX_EPOCH).unwrap();
        let mut expected = Durations::default();
        for name in ["case-1", "case-2"] {
            expected.add(name, Duration::from_millis(1250));
        }
        for file in ["report.yaml", "cases.ndjson"] {
            assert_eq!(durations(&folder.path().join(file)).unwrap(), expected, "{file}");
        }
    }

    #[test]
    fn a_record_tells_them_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.ndjson");
        let writer = RecordWriter::create(&path, &fixture::info(Vec::new(), false)).unwrap();
        let id = CaseId { scenario: "s".to_owned(), case: "c".to_owned() };
        let elapsed = Duration::from_millis(20);
        let (namespace, timeline) = (String::new(), Vec::new());
        writer.result(&CaseResult {
            id,
            verdict: Verdict::Passed,
            elapsed,
            namespace,
            timeline,
            history: None,
        });
        writer.finish(RunEnd { elapsed, interrupted: false }).unwrap();
        let mut expected = Durations::default();
        expected.add("s/c", elapsed);
        assert_eq!(durations(&path).unwrap(), expected);
    }

    #[test]
    fn another_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a: 1\n").unwrap();
        assert!(durations(file.path()).unwrap_err().to_string().contains("it lists no cases"));
    }
}
