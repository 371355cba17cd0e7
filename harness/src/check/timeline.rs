//! A record as moments on one axis, for reports.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::path::{Path, Segment};
use super::trail::{cut, is_invariant_that_held, words};
use crate::record::{Change, Entry, Observation};

/// How many changed paths of a version are shown.
const CHANGES: usize = 8;
/// Characters of a value that are shown.
const VALUE_WIDTH: usize = 60;

/// One entry of a record, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Milliseconds since the first entry.
    pub at: u64,
    /// What it belongs to: `steps`, `controller`, `requests`, `faults`, `events`, or an object as `Job demo`.
    pub lane: String,
    /// What happened.
    pub text: String,
    /// Which paths of the object have another value than in the version before, at most a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// Whether it went wrong: a failed step, a crash, an interrupted watch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bad: bool,
}

/// The entries that say something to people, in order, up to the end of the case.
pub fn timeline(history: &[Arc<Entry>]) -> Vec<Moment> {
    let Some(first) = history.first() else { return Vec::new() };
    let mut versions: HashMap<&str, &Arc<Value>> = HashMap::new();
    let mut moments = Vec::new();
    for (place, entry) in history.iter().enumerate() {
        if is_invariant_that_held(history, place) {
            continue;
        }
        let Some(lane) = lane(&entry.observation) else { continue };
        let mut changes = Vec::new();
        if let Observation::Object(version) = &entry.observation {
            let before = versions.insert(&version.uid, &version.object);
            if let Some(before) = before.filter(|_| version.change == Change::Modified) {
                changed(
                    &mut Path::root(),
                    Some(before.as_ref()),
                    Some(version.object.as_ref()),
                    &mut changes,
                );
            }
        }
        moments.push(Moment {
            at: u64::try_from(entry.at.duration_since(first.at).as_millis()).unwrap_or(0),
            lane,
            text: words(entry),
            changes,
            bad: is_bad(&entry.observation),
        });
        // What follows is the removal of what the case made.
        if matches!(entry.observation, Observation::CaseFinished { .. }) {
            break;
        }
    }
    moments
}

fn lane(observation: &Observation) -> Option<String> {
    let lane = match observation {
        // Each has a name of its own that says nothing.
        Observation::Object(version) if version.kind == "Event" => "events".to_owned(),
        Observation::Object(version) => format!("{} {}", version.kind, version.name),
        Observation::Request(_) | Observation::Write { .. } => "requests".to_owned(),
        Observation::Fault { .. } | Observation::FaultsOver { .. } => "faults".to_owned(),
        Observation::Log { .. } | Observation::Subject { .. } | Observation::Answer { .. } => {
            "controller".to_owned()
        }
        Observation::StepStarted { .. }
        | Observation::StepFinished { ok: false, .. }
        | Observation::CaseFinished { .. }
        | Observation::Gap { .. } => "steps".to_owned(),
        Observation::CaseStarted { .. }
        | Observation::Bound { .. }
        | Observation::Written { .. }
        | Observation::Rendered { .. }
        | Observation::RequestMark
        | Observation::StepFinished { ok: true, .. } => return None,
    };
    Some(lane)
}

fn is_bad(observation: &Observation) -> bool {
    match observation {
        Observation::StepFinished { ok, .. } => !ok,
        Observation::Subject { unexpected, .. } => *unexpected,
        Observation::CaseFinished { end, .. } => *end != crate::record::End::Passed,
        Observation::Gap { .. } => true,
        _ => false,
    }
}

/// Writes down where two values differ, deepest path first found, until there are enough.
pub(super) fn changed(
    path: &mut Path,
    before: Option<&Value>,
    after: Option<&Value>,
    changes: &mut Vec<String>,
) {
    if before == after || changes.len() >= CHANGES || is_bookkeeping(path) {
        return;
    }
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, after) {
        let added = after.keys().filter(|key| !before.contains_key(*key));
        for key in before.keys().chain(added) {
            path.push(Segment::Field(key.clone()));
            changed(path, before.get(key), after.get(key), changes);
            path.pop();
        }
        return;
    }
    let shown = |value: Option<&Value>| {
        value.map_or_else(|| "absent".to_owned(), |value| cut(&value.to_string(), VALUE_WIDTH))
    };
    changes.push(format!("{path}: {} → {}", shown(before), shown(after)));
}

/// What the API server changes with every write.
fn is_bookkeeping(path: &Path) -> bool {
    let [Segment::Field(parent), Segment::Field(name)] = path.segments() else { return false };
    parent == "metadata" && (name == "managedFields" || name == "resourceVersion")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::ObjectVersion;

    fn entry(sequence: u64, millis: i64, observation: Observation) -> Arc<Entry> {
        let at = jiff::Timestamp::from_millisecond(1_000_000 + millis).unwrap();
        Arc::new(Entry { sequence, at, observation })
    }

    fn job(change: Change, version: u64, object: Value) -> Observation {
        Observation::Object(ObjectVersion {
            change,
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            namespace: "ns".to_owned(),
            name: "demo".to_owned(),
            uid: "u".to_owned(),
            resource_version: version,
            object: Arc::new(object),
        })
    }

    #[test]
    fn a_version_is_shown_by_what_changed() {
        let before =
            json!({"metadata": {"resourceVersion": "1", "name": "demo"}, "spec": {"a": 1, "gone": true}});
        let after =
            json!({"metadata": {"resourceVersion": "2", "name": "demo"}, "spec": {"a": 2, "new": [1]}});
        let history = [
            entry(0, 0, Observation::CaseStarted { namespace: "ns".to_owned() }),
            entry(1, 20, job(Change::Added, 1, before)),
            entry(2, 150, job(Change::Modified, 2, after)),
        ];
        let moments = timeline(&history);
        assert_eq!(moments.iter().map(|moment| moment.at).collect::<Vec<_>>(), [20, 150]);
        assert!(moments.iter().all(|moment| moment.lane == "Job demo" && !moment.bad));
        assert!(moments[0].changes.is_empty());
        let expected = ["spec.a: 1 → 2", "spec.gone: true → absent", "spec.new: absent → [1]"];
        assert_eq!(moments[1].changes, expected);
    }

    #[test]
    fn steps_that_end_well_are_not_told_twice() {
        let start = |index| Observation::StepStarted {
            index,
            summary: "act".to_owned(),
            assertion: false,
            digest: String::new(),
        };
        let end = |index, ok| Observation::StepFinished { index, ok, judged: None };
        let history = [
            entry(0, 0, start(0)),
            entry(1, 1, end(0, true)),
            entry(2, 2, start(1)),
            entry(3, 3, end(1, false)),
        ];
        let bad: Vec<bool> = timeline(&history).iter().map(|moment| moment.bad).collect();
        assert_eq!(bad, [false, false, true]);
    }
}
