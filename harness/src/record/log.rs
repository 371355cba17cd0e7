//! The growing log of one case, and the file that all cases share.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

use super::entry::{Entry, Observation};
use crate::event::{CaseId, CaseResult, RunEnd, RunInfo};
use crate::schema;

/// The log of one case. Clones write into the same log.
#[derive(Debug, Clone)]
pub struct Record(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    case: CaseId,
    entries: Mutex<Entries>,
    length: watch::Sender<u64>,
    writer: RecordWriter,
}

#[derive(Debug, Default)]
struct Entries {
    /// How many entries were taken away.
    taken: u64,
    held: Vec<Arc<Entry>>,
}

impl Record {
    /// An empty log whose entries are also written to `writer`.
    pub fn new(case: CaseId, writer: RecordWriter) -> Self {
        Self(Arc::new(Inner { case, entries: Mutex::default(), length: watch::Sender::new(0), writer }))
    }

    /// Adds what was observed now; returns the sequence number of the entry.
    pub fn append(&self, observation: Observation) -> u64 {
        let mut entries = lock(&self.0.entries);
        let sequence = entries.taken + entries.held.len() as u64;
        let entry = Arc::new(Entry { sequence, at: Timestamp::now(), observation });
        entries.held.push(Arc::clone(&entry));
        // Written under the lock, so that the file has the order of the log.
        self.0.writer.write(&self.0.case, &entry);
        drop(entries);
        self.0.length.send_replace(sequence + 1);
        sequence
    }

    /// All entries so far, but for those that were taken.
    pub fn snapshot(&self) -> Vec<Arc<Entry>> {
        lock(&self.0.entries).held.clone()
    }

    /// The entries since the last call, which the log forgets: for a history of which only a summary fits
    /// into memory.
    pub fn take(&self) -> Vec<Arc<Entry>> {
        let mut entries = lock(&self.0.entries);
        entries.taken += entries.held.len() as u64;
        std::mem::take(&mut entries.held)
    }

    /// The number of entries, for waiting on growth.
    pub fn length(&self) -> watch::Receiver<u64> {
        self.0.length.subscribe()
    }
}

/// A poisoned lock still holds whole entries: they are only ever pushed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Name of the record in the report folder.
pub const RECORD_FILE: &str = "events.ndjson";

/// Writes the entries of all cases, one JSON object per line, as they happen. Clones share the file.
#[derive(Debug, Clone)]
pub struct RecordWriter(Option<Arc<Mutex<Sink>>>);

#[derive(Debug)]
struct Sink {
    file: BufWriter<File>,
    failure: Option<std::io::Error>,
}

/// A line of `events.ndjson`.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "Line")]
enum Line<'a> {
    /// The first line.
    Run {
        /// What the run is about.
        run: &'a RunInfo,
    },
    /// Something that was observed in a case.
    Entry {
        /// Id of the case: `scenario`, `scenario/row`, and `#2` behind it for its second run.
        case: String,
        /// What was observed, and when.
        #[serde(flatten)]
        entry: &'a Entry,
    },
    /// The end of a case, skipped ones included.
    Result {
        /// How the case ended, as its reporters heard it.
        result: &'a CaseResult,
    },
    /// The last line; without it the run was killed.
    End {
        /// How the run ended.
        end: RunEnd,
    },
}

/// The JSON Schema of each line of `events.ndjson`.
pub fn record_schema() -> serde_json::Value {
    schema::of_output::<Line<'_>>()
}

impl RecordWriter {
    /// Begins the file anew, with what the run is about.
    pub fn create(path: &Path, run: &RunInfo) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = BufWriter::with_capacity(1 << 16, File::create(path)?);
        serde_json::to_writer(&mut file, &Line::Run { run })?;
        file.write_all(b"\n")?;
        Ok(Self(Some(Arc::new(Mutex::new(Sink { file, failure: None })))))
    }

    /// A writer that writes nowhere.
    pub fn none() -> Self {
        Self(None)
    }

    fn write(&self, case: &CaseId, entry: &Entry) {
        self.line(&Line::Entry { case: case.to_string(), entry });
    }

    /// Tells how a case ended, skipped ones included, so that the reports can be made again from the file.
    pub fn result(&self, result: &CaseResult) {
        let result = &CaseResult { timeline: Vec::new(), ..result.clone() };
        self.line(&Line::Result { result });
    }

    fn line(&self, line: &Line<'_>) {
        let Some(sink) = &self.0 else { return };
        let mut sink = lock(sink);
        if sink.failure.is_some() {
            return;
        }
        let written = serde_json::to_writer(&mut sink.file, line)
            .map_err(std::io::Error::from)
            .and_then(|()| sink.file.write_all(b"\n"));
        sink.failure = written.err();
    }

    /// Tells the end of the run and writes what is buffered; returns the first error of any write.
    pub fn finish(&self, end: RunEnd) -> std::io::Result<()> {
        self.line(&Line::End { end });
        let Some(sink) = &self.0 else { return Ok(()) };
        let mut sink = lock(sink);
        match sink.failure.take() {
            Some(error) => Err(error),
            None => sink.file.flush(),
        }
    }
}

#[cfg(test)]
mod schema_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn every_entry_stands_in_the_file_in_the_order_of_the_log() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("deep/events.ndjson");
        let writer = RecordWriter::create(&path, &fixture::info(Vec::new(), false)).expect("file");
        let id = CaseId { scenario: "s".to_owned(), case: "c".to_owned() };
        let record = Record::new(id, writer.clone());
        for line in ["one", "two"] {
            record.append(Observation::Log { line: line.into() });
        }
        let end = RunEnd { elapsed: std::time::Duration::from_secs(1), interrupted: false };
        writer.finish(end).expect("written");
        let text = std::fs::read_to_string(&path).expect("readable");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[3]["end"]["interrupted"], false);
        assert!(lines[0]["run"].is_object());
        assert_eq!(lines[2]["case"], "s/c");
        assert_eq!(lines[2]["sequence"], 1);
        assert_eq!(lines[2]["observation"]["log"]["line"], "two");
        assert_eq!(*record.length().borrow(), 2);
    }

    #[test]
    fn what_is_taken_is_forgotten_and_its_numbers_are_not_given_again() {
        let id = CaseId { scenario: "s".to_owned(), case: "c".to_owned() };
        let record = Record::new(id, RecordWriter::none());
        record.append(Observation::RequestMark);
        record.append(Observation::RequestMark);
        assert_eq!(record.take().len(), 2);
        assert!(record.snapshot().is_empty());
        assert_eq!(record.append(Observation::RequestMark), 2);
        assert_eq!(*record.length().borrow(), 3);
    }
}
