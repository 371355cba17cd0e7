//! What the owner of a key means for a run that wants it.

use crate::api::AgentRun;
use crate::defects::Defect;

use super::super::restored;
use super::super::stage::Stage;
use super::super::status::{phase, reason};
use super::key::Owner;

/// Whether a run gets its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has it already.
    Own,
    /// Its owner is gone or was never executed: the run may take it.
    Free,
    /// Another run has it.
    Taken(Taken),
}

/// Another run has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Name of that run.
    pub by: String,
    /// Whether that run has ended.
    pub completed: bool,
}

impl Taken {
    /// The reason that the refused run shows.
    pub fn reason(&self) -> &'static str {
        if self.completed { reason::IDEMPOTENCY_KEY_COMPLETED } else { reason::IDEMPOTENCY_KEY_IN_USE }
    }

    /// The explanation that the refused run shows. It does not repeat the key.
    pub fn message(&self) -> String {
        let what = if self.completed { "was executed" } else { "is on its way" };
        format!(
            "AgentRun {:?} of the same Agent {what} with this idempotency key; the key is free again when that \
             run is deleted",
            self.by
        )
    }
}

/// What it means for `run` that the database gives its key to `owner`. `named` is the run of the owner's
/// name as the cluster has it now.
pub fn judge(run: &AgentRun, owner: &Owner, named: Option<&AgentRun>) -> Verdict {
    if owner.is(run) || Defect::DuplicatesStart.is_planted() {
        return Verdict::Own;
    }
    let taken = |completed| Verdict::Taken(Taken { by: owner.name.clone(), completed });
    match named.filter(|named| owner.is(named)) {
        None if Defect::LostRunsKeepTheirKey.is_planted() => taken(false),
        Some(named) if Stage::of(named) != Stage::Terminal => taken(false),
        Some(named) if was_executed(named) => taken(true),
        None | Some(_) => Verdict::Free,
    }
}

/// Whether something was done for a run that has ended. What could never start has no start.
pub(super) fn was_executed(run: &AgentRun) -> bool {
    let Some(status) = &run.status else { return false };
    status.started_at.is_some()
        || status.phase.as_deref() != Some(phase::FAILED)
        || status.reason.as_deref() == Some(reason::STATUS_LOST_IN_RESTORE)
}

/// Whether the run has used its key, or may have. `owns_job` tells whether a Job of the run is known
/// although its status does not show one.
pub(super) fn has_used_key(run: &AgentRun, owns_job: bool) -> bool {
    match Stage::of(run) {
        Stage::Accepted => true,
        Stage::Terminal => was_executed(run),
        Stage::New => owns_job || restored::lost(run).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const START: &str = "2026-01-01T00:00:00Z";

    fn run(name: &str, uid: &str, status: &Value) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "ns", "uid": uid},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}, "idempotencyKey": "k"},
            "status": status,
        }))
        .unwrap()
    }

    fn taken(completed: bool) -> Verdict {
        Verdict::Taken(Taken { by: "first".to_owned(), completed })
    }

    /// [DR-C16] [DR-C17]
    #[rstest]
    #[case::gone(None, Verdict::Free)]
    #[case::created_again(Some(run("first", "other", &json!({"phase": "Running"}))), Verdict::Free)]
    #[case::new(Some(run("first", "1", &json!({}))), taken(false))]
    #[case::running(Some(run("first", "1", &json!({"phase": "Running"}))), taken(false))]
    #[case::succeeded(Some(run("first", "1", &json!({"phase": "Succeeded", "startedAt": START}))), taken(true))]
    #[case::failed(Some(run("first", "1", &json!({"phase": "Failed", "startedAt": START}))), taken(true))]
    #[case::never_started(Some(run("first", "1", &json!({"phase": "Failed", "reason": "SubmitFailed"}))), Verdict::Free)]
    #[case::restored(
        Some(run("first", "new", &json!({"phase": "Succeeded", "startedAt": START, "observedUID": "1"}))),
        taken(true)
    )]
    #[case::lost(
        Some(run("first", "1", &json!({"phase": "Failed", "reason": "StatusLostInRestore"}))),
        taken(true)
    )]
    fn a_key_belongs_to_its_run_while_that_is_there(
        #[case] named: Option<AgentRun>,
        #[case] expected: Verdict,
    ) {
        let owner = Owner { name: "first".to_owned(), uid: "1".to_owned() };
        assert_eq!(judge(&run("second", "2", &json!({})), &owner, named.as_ref()), expected);
    }

    #[test]
    fn nobody_is_the_duplicate_of_itself() {
        let pending = run("first", "new", &json!({"phase": "Pending", "observedUID": "1"}));
        for uid in ["new", "1"] {
            let owner = Owner { name: "first".to_owned(), uid: uid.to_owned() };
            assert_eq!(judge(&pending, &owner, None), Verdict::Own);
        }
    }

    #[test]
    fn a_refused_run_is_told_which_run_to_look_at() {
        let (used, done) = [false, true].map(|completed| Taken { by: "r".to_owned(), completed }).into();
        assert_eq!((used.reason(), done.reason()), ("IdempotencyKeyInUse", "IdempotencyKeyCompleted"));
        assert!(used.message().contains("\"r\"") && done.message().contains("\"r\""));
    }
}
