//! The key of a run, and who has it.

use kube::ResourceExt as _;

use crate::api::AgentRun;

use super::super::{restored, spec_hash, text};

/// What must be unique: a key among the runs of one Agent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace of the run.
    pub namespace: String,
    /// Name of its Agent.
    pub agent: String,
    /// Hex SHA-256 of the trimmed key: it is as long for any key, and tells nobody what users put into theirs.
    pub digest: String,
}

impl Key {
    /// The key of a run, unless it has none.
    pub fn of(run: &AgentRun) -> Option<Self> {
        let key = text::given(run.spec.idempotency_key.as_ref())?;
        Some(Self {
            namespace: run.namespace().unwrap_or_default(),
            agent: run.spec.agent_ref.name.trim().to_owned(),
            digest: spec_hash::sha256_hex(key.as_bytes()),
        })
    }
}

/// A run as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Name of the run.
    pub name: String,
    /// Its uid when it took the key.
    pub uid: String,
}

impl Owner {
    /// `run` as an owner.
    pub fn of(run: &AgentRun) -> Self {
        Self { name: run.name_any(), uid: run.uid().unwrap_or_default() }
    }

    /// Whether `run` is this owner, or what a restore has made of it: an object of the same name that
    /// carries the uid of the one it was.
    pub fn is(&self, run: &AgentRun) -> bool {
        let observed = run.status.as_ref().and_then(|status| status.observed_uid.as_ref());
        self.name == run.name_any()
            && (run.metadata.uid.as_ref() == Some(&self.uid)
                || observed == Some(&self.uid)
                || restored::marked_uid(run).as_ref() == Some(&self.uid))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn run(key: &Value) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {"name": "r", "namespace": "ns", "uid": "u"},
            "spec": {"agentRef": {"name": " a "}, "runtime": {"type": "job"}, "idempotencyKey": key},
        }))
        .unwrap()
    }

    #[rstest]
    #[case(json!(null))]
    #[case(json!(""))]
    #[case(json!(" \t"))]
    fn a_blank_key_is_none(#[case] key: Value) {
        assert_eq!(Key::of(&run(&key)), None);
    }

    #[test]
    fn keys_are_compared_without_white_space_around_them_and_nobody_can_read_them() {
        let key = Key::of(&run(&json!(" order-7 "))).unwrap();
        assert_eq!(Some(&key), Key::of(&run(&json!("order-7"))).as_ref());
        assert_ne!(Some(&key), Key::of(&run(&json!("order-8"))).as_ref());
        assert_eq!((key.namespace.as_str(), key.agent.as_str(), key.digest.len()), ("ns", "a", 64));
        assert!(!format!("{key:?}").contains("order"));
    }

    /// [DR-C16]
    #[rstest]
    #[case::itself("r", "u", true)]
    #[case::restored_with_its_status("r", "seen", true)]
    #[case::restored_without_it("r", "marked", true)]
    #[case::created_again("r", "gone", false)]
    #[case::another("s", "u", false)]
    fn a_restored_run_is_the_run_that_it_was(#[case] name: &str, #[case] uid: &str, #[case] same: bool) {
        let mut run = run(&json!("k"));
        run.status = Some(serde_json::from_value(json!({"observedUID": "seen"})).unwrap());
        let mark = json!({"uid": "marked", "name": "r"}).to_string();
        run.annotations_mut().insert(restored::MARK.to_owned(), mark);
        let owner = Owner { name: name.to_owned(), uid: uid.to_owned() };
        assert_eq!(owner.is(&run), same);
    }

    #[test]
    fn a_copy_under_another_name_is_another_run() {
        let mut run = run(&json!("k"));
        let mark = json!({"uid": "marked", "name": "original"}).to_string();
        run.annotations_mut().insert(restored::MARK.to_owned(), mark);
        assert!(!Owner { name: "r".to_owned(), uid: "marked".to_owned() }.is(&run));
    }
}
