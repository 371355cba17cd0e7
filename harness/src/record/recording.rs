//! Reading a stored record.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::entry::{Entry, Observation};
use crate::event::{CaseResult, RunEnd, RunInfo};

/// A record that was read from its file.
#[derive(Debug)]
pub struct Recording {
    /// What the run was about.
    pub run: RunInfo,
    /// The entries by case id, each in the order in which they were recorded.
    pub cases: BTreeMap<String, Vec<Arc<Entry>>>,
    /// How cases ended, in that order, as reporters heard it then; records of older versions hold none.
    pub results: Vec<CaseResult>,
    /// The end of the run; absent if it was killed.
    pub end: Option<RunEnd>,
}

/// A file that is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// It could not be read.
    #[error("read the record `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not what a record holds there.
    #[error("{}:{line}: {}", path.display(), hint(*line))]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Entries of a case are missing or in another order.
    #[error("{}:{line}: entry {found} of case `{case}` stands where entry {expected} belongs", path.display())]
    Hole {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Id of the case.
        case: String,
        /// Sequence number that was found.
        found: u64,
        /// Sequence number that comes next.
        expected: u64,
    },
}

fn hint(line: usize) -> &'static str {
    if line == 1 {
        "no record of this version of hallmark: its first line tells what the run was about"
    } else {
        "no entry of a record; was the run cut short?"
    }
}

#[derive(Deserialize)]
struct Header {
    run: RunInfo,
}

/// An entry, the end of a case or the end of the run. Without `flatten`, which reads every object twice.
#[derive(Deserialize)]
struct Line {
    case: Option<String>,
    sequence: Option<u64>,
    at: Option<Timestamp>,
    observation: Option<Observation>,
    result: Option<CaseResult>,
    end: Option<RunEnd>,
}

impl Recording {
    /// Whether the run did not come to its end: it was stopped, or killed before it could say so.
    pub fn is_interrupted(&self) -> bool {
        // Older versions wrote neither results nor an end.
        let is_older = self.results.is_empty() && !self.cases.is_empty();
        self.end.map_or(!is_older, |end| end.interrupted)
    }

    /// Reads the record that a run wrote as `events.ndjson`.
    pub fn read(path: &Path) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::Read { path: path.to_owned(), source };
        let mut lines = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?).split(b'\n');
        let invalid = |line| move |source| RecordingError::Line { path: path.to_owned(), line, source };
        let first = lines.next().transpose().map_err(failed)?.unwrap_or_default();
        let Header { run } = serde_json::from_slice(&first).map_err(invalid(1))?;
        let mut cases: BTreeMap<String, Vec<Arc<Entry>>> = BTreeMap::new();
        let (mut results, mut end) = (Vec::new(), None);
        for (number, line) in (2..).zip(lines) {
            let line: Line = serde_json::from_slice(&line.map_err(failed)?).map_err(invalid(number))?;
            let (case, sequence, at, observation) = match line {
                Line { result: Some(result), .. } => {
                    results.push(result);
                    continue;
                }
                Line { end: Some(told), .. } => {
                    end = Some(told);
                    continue;
                }
                Line {
                    case: Some(case),
                    sequence: Some(number),
                    at: Some(at),
                    observation: Some(what),
                    ..
                } => (case, number, at, what),
                _ => {
                    let source = serde::de::Error::custom("neither an entry nor an end");
                    return Err(invalid(number)(source));
                }
            };
            let entries = cases.entry(case.clone()).or_default();
            let expected = entries.len() as u64;
            if sequence != expected {
                let path = path.to_owned();
                return Err(RecordingError::Hole { path, line: number, case, found: sequence, expected });
            }
            entries.push(Arc::new(Entry { sequence, at, observation }));
        }
        Ok(Self { run, cases, results, end })
    }

    /// When the last entry was made, if there is one.
    pub fn last(&self) -> Option<Timestamp> {
        self.cases.values().filter_map(|entries| entries.last()).map(|entry| entry.at).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CaseId;
    use crate::record::{Record, RecordWriter};
    use crate::report::fixture;

    fn file(lines: &[&str]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        file
    }

    #[test]
    fn what_was_written_is_read_again() {
        let file = file(&[]);
        let writer = RecordWriter::create(file.path(), &fixture::info(Vec::new(), false)).unwrap();
        let id = CaseId { scenario: "s".to_owned(), case: "c".to_owned() };
        let record = Record::new(id, writer.clone());
        record.append(Observation::CaseStarted { namespace: "ns".to_owned() });
        record.append(Observation::RequestMark);
        let end = RunEnd { elapsed: std::time::Duration::from_secs(3), interrupted: true };
        writer.result(&CaseResult {
            id: CaseId { scenario: "s".to_owned(), case: "c".to_owned() },
            verdict: fixture::failed(),
            elapsed: std::time::Duration::from_millis(20),
            namespace: "ns".to_owned(),
            timeline: Vec::new(),
            history: None,
        });
        writer.finish(end).unwrap();
        let recording = Recording::read(file.path()).unwrap();
        assert_eq!(recording.run.suite, fixture::info(Vec::new(), false).suite);
        let entries = &recording.cases["s/c"];
        assert!(
            matches!(&entries[0].observation, Observation::CaseStarted { namespace } if namespace == "ns")
        );
        assert!(matches!(entries[1].observation, Observation::RequestMark));
        let [result] = &recording.results[..] else { panic!("{:?}", recording.results) };
        assert_eq!(format!("{:?}", result.verdict), format!("{:?}", fixture::failed()));
        assert_eq!(recording.end, Some(end));
    }

    #[test]
    fn what_is_no_record_is_refused_by_line() {
        let header = serde_json::json!({"run": fixture::info(Vec::new(), false)}).to_string();
        let entry = |sequence: u64| {
            serde_json::json!({"case": "a", "sequence": sequence, "at": "2026-01-01T00:00:00Z", "observation": "requestMark"})
                .to_string()
        };
        for (lines, expected) in [
            (vec![entry(0)], ":1: no record of this version"),
            (vec![header.clone(), "{\"case\": \"a\", \"seq".to_owned()], ":2: no entry of a record"),
            (vec![header.clone(), "{\"case\": \"a\"}".to_owned()], ":2: no entry of a record"),
            (vec![header.clone(), entry(0), entry(2)], ":3: entry 2 of case `a` stands where entry 1"),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let error = Recording::read(file(&lines).path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
