//! The last entries of a record in one line each.

use std::sync::Arc;

use crate::count::count;
use crate::record::{Change, Entry, Observation};
use crate::scenario::step::INVARIANT;

/// How many entries a failure shows.
const LINES: usize = 12;
/// Characters of a log line that are shown.
const LOG_WIDTH: usize = 200;

/// The last entries, oldest first, with the seconds since the record began.
pub fn trail(history: &[Arc<Entry>]) -> Vec<String> {
    let places = 0..history.len();
    let told: Vec<&Arc<Entry>> = places
        .filter(|place| !is_invariant_that_held(history, *place))
        .filter_map(|place| history.get(place))
        .filter(|entry| !is_granted(&entry.observation))
        .collect();
    let shown = told.len().saturating_sub(LINES);
    told.into_iter()
        .skip(shown)
        .map(|entry| format!("{:>9} {}", moment(history, entry), words(entry)))
        .collect()
}

/// Whether the entry is a request that the API server did as asked: what came of it, if anything, is told by
/// the objects, and the reads of a controller would leave no line for them.
fn is_granted(observation: &Observation) -> bool {
    let Observation::Request(request) = observation else { return false };
    request.request.get("code").and_then(serde_json::Value::as_u64).is_some_and(|code| code < 400)
}

/// Whether the entry tells nothing but that a standing invariant was judged and held: each case has many of
/// them at its end, and nothing happens there.
pub(super) fn is_invariant_that_held(history: &[Arc<Entry>], place: usize) -> bool {
    let observation = |place: usize| history.get(place).map(|entry| &entry.observation);
    let began = |place| match observation(place) {
        Some(Observation::StepStarted { summary, .. }) => summary.starts_with(INVARIANT),
        _ => false,
    };
    let held = |place| matches!(observation(place), Some(Observation::StepFinished { ok: true, .. }));
    (began(place) && held(place + 1)) || (held(place) && place.checked_sub(1).is_some_and(began))
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
            format!("{alias} is a rendering of {}", count(objects.len(), "object"))
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
        Observation::FaultsOver { writes } => format!("faults are over, after {}", count(*writes, "write")),
        Observation::Gap { kind, reason } => format!("watch of {kind} interrupted: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::testing::History;

    fn step(history: History, index: usize, summary: &str, ok: bool) -> History {
        let started = Observation::StepStarted {
            index,
            summary: summary.to_owned(),
            assertion: true,
            digest: String::new(),
        };
        history.push(started).push(Observation::StepFinished { index, ok, judged: Some(1) })
    }

    #[test]
    fn of_requests_only_those_that_were_refused_are_told() {
        let request = |name: &str, code| json!({"verb": "patch", "resource": "jobs", "namespace": "n", "name": name, "code": code});
        let history =
            History::default().request("a", &request("granted", 200)).request("b", &request("refused", 409));
        let told = trail(&history.0);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with("request patch jobs n/refused, code 409"), "{told:?}");
    }

    #[test]
    fn invariants_that_held_are_not_told_and_the_one_that_did_not_is() {
        let history = step(History::default(), 0, "never", true);
        let history = step(history, 1, "invariant INV-01 never", true);
        let history = step(history, 2, "invariant INV-02 never", false);
        let told = trail(&history.0);
        let told: Vec<&str> = told.iter().filter_map(|line| line.split(" s ").nth(1)).collect();
        let expected =
            ["step 1 began: never", "step 1 done", "step 3 began: invariant INV-02 never", "step 3 failed"];
        assert_eq!(told, expected);
    }
}
