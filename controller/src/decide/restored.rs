//! Runs that came through a restore: how they are recognised, and what becomes of them.
//!
//! A restored object has a uid of its own. Two witnesses tell the one it had: the status, and a mark in
//! the metadata for the case that the status did not come along.

use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::AgentRun;
use crate::defects::Defect;

use super::stage::Stage;
use super::status::{phase, reason};
use super::{spec_hash, text};

/// Annotation with the [`Mark`] of a run.
pub const MARK: &str = "agents.proompteng.ai/accepted";
/// Annotation that makes Velero restore the status of an object.
const RESTORE_STATUS: &str = "velero.io/restore-status";
/// Annotation with which an operator decides about a run that has lost its status.
pub const RELEASE: &str = "agents.proompteng.ai/release-after-restore";

/// What is known of a run before anything is done for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Uid of the run that was marked.
    pub uid: String,
    /// Its name: a copy under another name is no restore.
    pub name: String,
    /// Its phase at that time.
    #[serde(default)]
    pub phase: String,
    /// Its end, if it had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Hex SHA-256 of its spec, unless it had ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spec_hash: String,
}

/// The annotations that a run gets before anything is done for it. One that has lost its status keeps the mark
/// that tells so: it may come with the mark and without what is written along with it.
pub fn annotations(run: &AgentRun) -> Value {
    with_mark(&mark_of_lost(run).unwrap_or_else(|| mark_of(run)))
}

fn with_mark(mark: &Mark) -> Value {
    json!({MARK: json!(mark).to_string(), RESTORE_STATUS: "true"})
}

fn mark_of(run: &AgentRun) -> Mark {
    let status = run.status.as_ref();
    Mark {
        uid: run.uid().unwrap_or_default(),
        name: run.name_any(),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_else(|| phase::PENDING.to_owned()),
        finished_at: status.and_then(|status| Some(status.finished_at.as_ref()?.0.to_string())),
        // The cache keeps no spec of a run that has ended.
        spec_hash: match Stage::of(run) {
            Stage::Terminal => String::new(),
            Stage::New | Stage::Accepted => spec_hash::compute(&run.spec),
        },
    }
}

/// Whether the status was written for the object that this one is the restored copy of.
pub fn is_restored(run: &AgentRun) -> bool {
    let observed = run.status.as_ref().and_then(|status| text::given(status.observed_uid.as_ref()));
    let differs = observed.is_some_and(|observed| Some(observed) != run.metadata.uid.as_deref());
    differs && !Defect::RestoredRunsLookOrdinary.is_planted()
}

/// What becomes of a run whose status was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Nobody has decided: it may have been executed, so it is not.
    Undecided,
    /// It counts as done.
    Done(Mark),
}

/// Whether the status of a run was lost and nobody has had it executed again.
pub fn lost(run: &AgentRun) -> Option<Lost> {
    let mark = mark_of_lost(run)?;
    match decision(run) {
        Some("run") => None,
        Some("done") => Some(Lost::Done(mark)),
        _ => Some(Lost::Undecided),
    }
}

/// Whether the status of a run was lost and somebody has decided that it is executed.
pub fn is_released(run: &AgentRun) -> bool {
    mark_of_lost(run).is_some() && decision(run) == Some("run")
}

/// The annotations that make a released run an ordinary new one. The decision was about one restore: if the
/// next one loses the status again, somebody has to decide again.
pub fn renewed(run: &AgentRun) -> Value {
    let mut annotations = with_mark(&mark_of(run));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(RELEASE.to_owned(), Value::Null);
    }
    annotations
}

fn decision(run: &AgentRun) -> Option<&str> {
    run.annotations().get(RELEASE).map(|decision| decision.trim())
}

fn mark_of_lost(run: &AgentRun) -> Option<Mark> {
    if Stage::of(run) != Stage::New || Defect::LostStatusLooksNew.is_planted() {
        return None;
    }
    let mark = mark(run)?;
    let is_copy = run.metadata.uid.as_deref() != Some(&mark.uid);
    (is_copy && !has_status(run)).then_some(mark)
}

/// The uid that the run had when it was marked.
pub fn marked_uid(run: &AgentRun) -> Option<String> {
    mark(run).map(|mark| mark.uid)
}

/// The mark of this run; a copy under another name carries that of somebody else.
fn mark(run: &AgentRun) -> Option<Mark> {
    let mark: Mark = serde_json::from_str(run.annotations().get(MARK)?).ok()?;
    (mark.name == run.name_any()).then_some(mark)
}

/// Whether a status came along, other than the one that tells of the loss.
fn has_status(run: &AgentRun) -> bool {
    let Some(status) = &run.status else { return false };
    let told = status.conditions.iter().any(|condition| {
        condition.type_ == reason::BLOCKED
            && condition.status == "True"
            && condition.reason == reason::STATUS_LOST_IN_RESTORE
    });
    status.phase.is_some() && !told
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn run(uid: &str, annotations: &Value, status: &Value) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": "r", "namespace": "ns", "uid": uid, "annotations": annotations},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}}, "status": status,
        }))
        .unwrap()
    }

    fn marked(uid: &str, release: &Value, status: &Value) -> AgentRun {
        let mut annotations = annotations(&run("old", &json!({}), &json!({})));
        if let Some(release) = release.as_str() {
            annotations[RELEASE] = release.into();
        }
        run(uid, &annotations, status)
    }

    fn blocked(reason: &str) -> Value {
        json!({"phase": "Pending", "conditions": [{
            "type": "Blocked", "status": "True", "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]})
    }

    /// [DR-C04]
    #[rstest]
    #[case(json!({}), false)]
    #[case(json!({"phase": "Running"}), false)]
    #[case(json!({"phase": "Running", "observedUID": " "}), false)]
    #[case(json!({"phase": "Running", "observedUID": "uid"}), false)]
    #[case(json!({"phase": "Running", "observedUID": "old"}), true)]
    fn a_run_is_restored_if_its_status_was_that_of_another_uid(
        #[case] status: Value,
        #[case] expected: bool,
    ) {
        assert_eq!(is_restored(&run("uid", &json!({}), &status)), expected);
    }

    /// [DR-C02]
    #[rstest]
    #[case::crash_before_the_first_status("old", json!(null), json!({}), None)]
    #[case::status_lost("uid", json!(null), json!({}), Some("undecided"))]
    #[case::told_already("uid", json!(null), blocked(reason::STATUS_LOST_IN_RESTORE), Some("undecided"))]
    #[case::released("uid", json!("run"), blocked(reason::STATUS_LOST_IN_RESTORE), None)]
    #[case::done("uid", json!(" done "), json!({}), Some("done"))]
    #[case::nonsense("uid", json!("yes"), json!({}), Some("undecided"))]
    #[case::status_came_along("uid", json!(null), json!({"phase": "Pending"}), None)]
    #[case::waits_for_a_slot("uid", json!(null), blocked("QueueLimit"), None)]
    #[case::running("uid", json!(null), json!({"phase": "Running"}), None)]
    #[case::ended("uid", json!("run"), json!({"phase": "Succeeded"}), None)]
    fn a_run_without_the_status_it_had_waits_for_a_decision(
        #[case] uid: &str,
        #[case] release: Value,
        #[case] status: Value,
        #[case] expected: Option<&str>,
    ) {
        let found = lost(&marked(uid, &release, &status));
        let word = found.map(|lost| match lost {
            Lost::Undecided => "undecided",
            Lost::Done(_) => "done",
        });
        assert_eq!(word, expected);
    }

    /// [DR-C02] The mark that comes with the start tells the next restore apart, and the decision is gone.
    #[test]
    fn a_release_is_good_for_one_restore() {
        let released = marked("uid", &json!("run"), &json!({}));
        assert!(is_released(&released));
        let mut annotations = json!(released.annotations());
        json_patch::merge(&mut annotations, &renewed(&released));
        let mut ordinary = run("uid", &annotations, &json!({}));
        assert_eq!((lost(&ordinary), is_released(&ordinary)), (None, false));
        ordinary.metadata.uid = Some("next".to_owned());
        assert_eq!((lost(&ordinary), is_released(&ordinary)), (Some(Lost::Undecided), false));
    }

    #[test]
    fn a_copy_under_another_name_is_no_restore() {
        let mut copy = marked("uid", &json!(null), &json!({}));
        copy.metadata.name = Some("copy".to_owned());
        assert_eq!(lost(&copy), None);
    }

    /// [DR-C02] Whatever took the finalizer away that is put back with the mark.
    #[test]
    fn a_run_whose_status_was_lost_keeps_the_mark_that_tells_so() {
        let lost_run = marked("uid", &json!(null), &json!({}));
        assert_eq!(annotations(&lost_run)[MARK], lost_run.annotations()[MARK].as_str());
        let followed = marked("uid", &json!(null), &json!({"phase": "Running"}));
        assert_ne!(annotations(&followed)[MARK], followed.annotations()[MARK].as_str());
    }

    #[test]
    fn the_mark_tells_what_the_status_told() {
        let ended = json!({"phase": "Failed", "finishedAt": "2026-01-01T00:00:00Z"});
        let annotations = annotations(&run("u", &json!({}), &ended));
        let mark: Mark = serde_json::from_str(annotations[MARK].as_str().unwrap()).unwrap();
        assert_eq!(
            (mark.phase.as_str(), mark.finished_at.as_deref()),
            ("Failed", Some("2026-01-01T00:00:00Z"))
        );
        assert_eq!((mark.uid.as_str(), mark.name.as_str(), mark.spec_hash.len()), ("u", "r", 0));
        let fresh: Mark = serde_json::from_str(
            super::annotations(&run("u", &json!({}), &json!({})))[MARK].as_str().unwrap(),
        )
        .unwrap();
        assert_eq!((fresh.phase.as_str(), fresh.spec_hash.len()), ("Pending", 64));
        assert_eq!(annotations[RESTORE_STATUS], "true");
    }
}
