//! A run that has ended, as its history remembers it.

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::AgentRun;

use super::super::stage::Stage;
use super::key::Key;

/// The row of a run in the history. Nothing of its contents is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Uid of the run when it ended, so that a restore makes no second row of it.
    pub uid: String,
    /// Namespace of the run.
    pub namespace: String,
    /// Name of the run.
    pub name: String,
    /// Name of its Agent.
    pub agent: String,
    /// Hex SHA-256 of its key, if it had one.
    pub key: Option<String>,
    /// How it ended.
    pub phase: String,
    /// Why.
    pub reason: String,
    /// When it was started, if it was.
    pub started_at: Option<Timestamp>,
    /// When it ended, if that is known.
    pub finished_at: Option<Timestamp>,
}

impl Finished {
    /// The row of a run, if it has ended.
    pub fn of(run: &AgentRun) -> Option<Self> {
        let status = run.status.as_ref().filter(|_| Stage::of(run) == Stage::Terminal)?;
        let uid = status.observed_uid.clone().or_else(|| run.uid());
        Some(Self {
            uid: plain(&uid.unwrap_or_default()),
            namespace: run.namespace().unwrap_or_default(),
            name: run.name_any(),
            agent: plain(run.spec.agent_ref.name.trim()),
            key: Key::of(run).map(|key| key.digest),
            phase: plain(status.phase.as_deref().unwrap_or_default()),
            reason: plain(status.reason.as_deref().unwrap_or_default()),
            started_at: status.started_at.as_ref().and_then(|time| plausible(time.0)),
            finished_at: status.finished_at.as_ref().and_then(|time| plausible(time.0)),
        })
    }
}

/// The text as the database can store it: without NUL, which the API server lets pass.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// The time, unless it is one that no run has seen and that the database may not even be able to store.
fn plausible(time: Timestamp) -> Option<Timestamp> {
    (time >= Timestamp::UNIX_EPOCH).then_some(time)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(status: &Value) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": "r", "namespace": "ns", "uid": "new"},
            "spec": {"agentRef": {"name": "a\0"}, "runtime": {"type": "job"}, "idempotencyKey": "k"},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_run_is_remembered_once_it_has_ended() {
        assert_eq!(Finished::of(&run(&json!({"phase": "Running"}))), None);
        let ended = run(&json!({
            "phase": "Failed", "reason": "JobFailed\0", "observedUID": "old",
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z",
        }));
        let row = Finished::of(&ended).unwrap();
        assert_eq!((row.uid.as_str(), row.agent.as_str(), row.reason.as_str()), ("old", "a", "JobFailed"));
        assert_eq!(row.finished_at.unwrap().duration_since(row.started_at.unwrap()).as_secs(), 5);
        assert_eq!(row.key.map(|key| key.len()), Some(64));
    }

    #[test]
    fn a_time_that_nobody_has_seen_is_left_out() {
        let row =
            Finished::of(&run(&json!({"phase": "Failed", "startedAt": "0000-01-01T00:00:00Z"}))).unwrap();
        assert_eq!(row.started_at, None);
    }
}
