//! The last entries of a record in one line each.

use std::sync::Arc;

use crate::record::{Change, Entry, Observation};

/// How many entries a failure shows.
const LINES: usize = 12;
/// Characters of a log line that are shown.
const LOG_WIDTH: usize = 200;

/// The last entries, oldest first, with the seconds since the record began.
pub fn trail(history: &[Arc<Entry>]) -> Vec<String> {
    let shown = history.len().saturating_sub(LINES);
    history
        .iter()
        .skip(shown)
        .map(|entry| format!("{:>9} {}", moment(history, entry), words(entry)))
        .collect()
}

/// When an entry was received: `+3.214 s` since the first entry.
pub(super) fn moment(history: &[Arc<Entry>], entry: &Entry) -> String {
    let start = history.first().map_or(entry.at, |first| first.at);
    let elapsed = entry.at.duration_since(start).as_secs_f64();
    format!("+{elapsed:.3} s")
}

/// The text, shortened to `width` characters.
pub(super) fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What the entry says, in one line.
pub(super) fn words(entry: &Entry) -> String {
    match &entry.observation {
        Observation::Object(version) => {
            let change = match version.change {
                Change::Added => "added",
                Change::Modified => "modified",
                Change::Deleted => "deleted",
            };
            let phase = version.object.pointer("/status/phase").and_then(serde_json::Value::as_str);
            let phase = phase.map(|phase| format!(" ({phase})")).unwrap_or_default();
            format!("{} {change}{phase}, resource version {}", version.describe(), version.resource_version)
        }
        Observation::Request(request) => {
            let code = request.request.get("code").map(ToString::to_string).unwrap_or_default();
            format!("request {}, code {code}", request.describe())
        }
        Observation::RequestMark => "all requests up to now are recorded".to_owned(),
        Observation::Answer { question, status, body } => {
            format!("{question} answered {status}: {}", cut(body.trim(), LOG_WIDTH))
        }
        Observation::CaseStarted { .. } => "the case began".to_owned(),
        Observation::CaseFinished { end, .. } => format!("the case ended: {}", end.word()),
        Observation::Bound { alias, object } => format!("{alias} is {} {}", object.kind, object.name),
        Observation::Written { resource_version, restored, .. } => {
            let who = if *restored { "the restore" } else { "the step" };
            format!("{who} wrote resource version {resource_version}")
        }
        Observation::Rendered { alias, objects } => {
            format!("{alias} is a rendering of {} objects", objects.len())
        }
        Observation::StepStarted { index, summary, .. } => {
            format!("step {} began: {}", index + 1, cut(summary, LOG_WIDTH))
        }
        Observation::StepFinished { index, ok, .. } => {
            format!("step {} {}", index + 1, if *ok { "done" } else { "failed" })
        }
        Observation::Log { line } => format!("log: {}", cut(line.as_str().unwrap_or_default(), LOG_WIDTH)),
        Observation::Subject { what, unexpected } => {
            format!("subject {what}{}", if *unexpected { ", unexpectedly" } else { "" })
        }
        Observation::Fault { what } => format!("fault: {what}"),
        Observation::Write { number, request, status } => {
            let status = status.map_or_else(|| "no answer".to_owned(), |status| format!("code {status}"));
            format!("write {number}: {request}, {status}")
        }
        Observation::FaultsOver { writes } => format!("faults are over, after {writes} writes"),
        Observation::Gap { kind, reason } => format!("watch of {kind} interrupted: {reason}"),
    }
}
