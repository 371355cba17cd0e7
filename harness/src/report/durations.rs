//! How long cases took, by what an earlier run left.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::error::ReportError;
use crate::event::{CaseResult, Verdict};
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
                let has_passed = matches!(result.verdict, Verdict::Passed);
                add(&mut found, &result.id.to_string(), has_passed, result.elapsed);
            } else if line.starts_with(r#"{"name":"#) {
                let case: Case = serde_json::from_str(line).map_err(|error| unreadable(error.to_string()))?;
                case.add_to(&mut found);
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
            case.add_to(&mut found);
        }
    }
    Ok(found)
}

impl Case {
    fn add_to(&self, found: &mut Durations) {
        if self.verdict != "skipped" {
            let elapsed = Duration::try_from_secs_f64(self.seconds).unwrap_or_default();
            add(found, &self.name, self.verdict == "passed", elapsed);
        }
    }
}

/// A case that was never begun took no time, but one that passed took less than reports tell apart from none.
fn add(found: &mut Durations, name: &str, has_passed: bool, elapsed: Duration) {
    if has_passed || !elapsed.is_zero() {
        found.add(name, elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CaseId, RunEnd};
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

    /// Rendering a chart takes less than the thousandths of a second that reports tell.
    #[test]
    fn a_case_that_took_next_to_nothing_is_known_and_one_that_never_began_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let case = |name: &str, verdict: &str, seconds: f64| {
            format!(r#"{{"name":"{name}","verdict":"{verdict}","seconds":{seconds}}}"#)
        };
        let cases = [
            case("instant", "passed", 0.0),
            case("ended", "inconclusive", 0.2),
            case("never-began", "inconclusive", 0.0),
            case("skipped", "skipped", 0.0),
        ];
        let path = folder.path().join("cases.ndjson");
        std::fs::write(&path, cases.join("\n")).unwrap();
        let mut expected = Durations::default();
        expected.add("instant", Duration::ZERO);
        expected.add("ended", Duration::from_millis(200));
        assert_eq!(durations(&path).unwrap(), expected);
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
