//! Rest at the end of a case.
//!
//! A case ends with its last claim, in the middle of what the subject does. Where its history is compared
//! with another one, what comes a moment later belongs to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::record::{Entry, Observation, Record};

/// How long no object may have changed. More than [`crate::check::Chance::AtTheEnd`] allows for.
const QUIET: Duration = Duration::from_secs(1);
/// Some subjects never rest.
const AT_MOST: Duration = Duration::from_secs(10);

/// Waits, bounded, until no object has changed for a while.
pub(super) async fn until_quiet(record: &Record, cancel: &CancellationToken) {
    let resting = tokio::time::timeout(AT_MOST, quiet_for(QUIET, record));
    let _restless = cancel.run_until_cancelled(resting).await;
}

async fn quiet_for(quiet: Duration, record: &Record) {
    let mut length = record.length();
    let mut seen = record.snapshot().len();
    let mut quiet_at = Instant::now() + quiet;
    while let Ok(Ok(())) = tokio::time::timeout_at(quiet_at, length.changed()).await {
        let entries = record.snapshot();
        let is_object = |entry: &Arc<Entry>| matches!(entry.observation, Observation::Object(_));
        if entries.iter().skip(seen).any(is_object) {
            quiet_at = Instant::now() + quiet;
        }
        seen = entries.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CaseId;
    use crate::record::{Change, ObjectVersion, RecordWriter};

    fn version() -> Observation {
        Observation::Object(ObjectVersion {
            change: Change::Modified,
            api_version: "v1".to_owned(),
            kind: "Run".to_owned(),
            namespace: "ns".to_owned(),
            name: "r".to_owned(),
            uid: "u".to_owned(),
            resource_version: 1,
            object: Arc::default(),
        })
    }

    /// How many of these entries, which come one after the other, a record has when it is at rest.
    async fn rested(entry: fn() -> Observation, times: usize) -> usize {
        let id = CaseId { scenario: "s".to_owned(), case: String::new() };
        let record = Record::new(id, RecordWriter::none());
        let writing = record.clone();
        let writer = tokio::spawn(async move {
            for _ in 0..times {
                tokio::time::sleep(Duration::from_millis(5)).await;
                writing.append(entry());
            }
        });
        quiet_for(Duration::from_millis(500), &record).await;
        writer.abort();
        record.snapshot().len()
    }

    #[tokio::test]
    async fn objects_keep_a_case_from_its_end_and_log_lines_do_not() {
        assert_eq!(rested(version, 150).await, 150);
        assert!(rested(|| Observation::Log { line: "busy".into() }, 100_000).await < 100_000);
    }
}
