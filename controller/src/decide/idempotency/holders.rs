//! Which runs of the cluster have which keys: what the database must know after it was lost, restored or
//! away.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::AgentRun;

use super::judge::has_used_key;
use super::key::{Key, Owner};

/// All runs with a key, version by version.
#[derive(Debug, Default)]
pub struct Holders {
    /// By uid.
    runs: HashMap<String, Holder>,
}

#[derive(Debug)]
struct Holder {
    key: Key,
    owner: Owner,
    /// When it began to use its key, unless it did not.
    used_since: Option<Timestamp>,
}

/// Place of a run with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Holders {
    /// Takes in a version of a run. `owns_job` tells whether a Job of the run is known although its status
    /// does not show one.
    pub fn observe(&mut self, run: &AgentRun, owns_job: bool) {
        let Some(key) = Key::of(run) else { return };
        let status = run.status.as_ref();
        let began = status.and_then(|status| Some(status.started_at.as_ref()?.0));
        let created = run.creation_timestamp().map(|time| time.0).unwrap_or_default();
        let used_since = has_used_key(run, owns_job).then(|| began.unwrap_or(created));
        let owner = Owner::of(run);
        self.runs.insert(owner.uid.clone(), Holder { key, owner, used_since });
    }

    /// The run is gone; returns the key it had.
    pub fn forget(&mut self, uid: &str) -> Option<Key> {
        self.runs.remove(uid).map(|holder| holder.key)
    }

    /// Keeps only the runs that `exists` knows by namespace, name and uid, after a watch has missed
    /// deletions.
    pub fn retain(&mut self, exists: impl Fn(&str, &str, &str) -> bool) {
        self.runs.retain(|uid, holder| exists(&holder.key.namespace, &holder.owner.name, uid));
    }

    /// Every key that was used and who has it. Of several runs that were executed with one key, because
    /// nobody had looked at keys, the first one has it.
    pub fn owners(&self) -> Vec<(Key, Owner)> {
        let mut first: BTreeMap<&Key, (Timestamp, &Owner)> = BTreeMap::new();
        for holder in self.runs.values() {
            let Some(since) = holder.used_since else { continue };
            let mine = (since, &holder.owner);
            let known = first.entry(&holder.key).or_insert(mine);
            if (mine.0, &mine.1.name) < (known.0, &known.1.name) {
                *known = mine;
            }
        }
        first.into_iter().map(|(key, (_, owner))| (key.clone(), owner.clone())).collect()
    }

    /// All runs with a key. The key of any other run is free.
    pub fn present(&self) -> Vec<Present> {
        let place = |holder: &Holder| Present {
            namespace: holder.key.namespace.clone(),
            name: holder.owner.name.clone(),
        };
        self.runs.values().map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(name: &str, key: &str, status: &Value) -> AgentRun {
        serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "ns", "uid": format!("uid-of-{name}"),
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}, "idempotencyKey": key},
            "status": status,
        }))
        .unwrap()
    }

    fn holders(runs: &[AgentRun]) -> Holders {
        let mut holders = Holders::default();
        for run in runs {
            holders.observe(run, false);
        }
        holders
    }

    fn owners(holders: &Holders) -> Vec<String> {
        holders.owners().into_iter().map(|(_, owner)| owner.name).collect()
    }

    /// [DR-C18]
    #[test]
    fn only_runs_that_were_executed_have_their_key() {
        let refused = json!({"phase": "Failed", "reason": "IdempotencyKeyInUse"});
        let holders = holders(&[
            run("new", "1", &json!({})),
            run("refused", "2", &refused),
            run("running", "3", &json!({"phase": "Running"})),
            run("ended", "4", &json!({"phase": "Succeeded"})),
            run("without", " ", &json!({"phase": "Running"})),
        ]);
        let mut names = owners(&holders);
        names.sort();
        assert_eq!(names, ["ended", "running"]);
        assert_eq!(holders.present().len(), 4);
    }

    #[test]
    fn a_job_that_no_status_shows_uses_the_key() {
        let mut holders = Holders::default();
        holders.observe(&run("new", "1", &json!({})), true);
        assert_eq!(owners(&holders), ["new"]);
    }

    #[test]
    fn of_two_executed_runs_the_first_has_the_key_whatever_their_order() {
        let late = run("a", "k", &json!({"phase": "Running", "startedAt": "2026-01-03T00:00:00Z"}));
        let early = run("b", "k", &json!({"phase": "Succeeded", "startedAt": "2026-01-02T00:00:00Z"}));
        assert_eq!(owners(&holders(&[late.clone(), early.clone()])), ["b"]);
        assert_eq!(owners(&holders(&[early, late])), ["b"]);
    }

    #[test]
    fn a_run_that_is_gone_has_no_key() {
        let mut holders = holders(&[
            run("a", "1", &json!({"phase": "Running"})),
            run("b", "2", &json!({"phase": "Running"})),
        ]);
        assert!(holders.forget("uid-of-a").is_some());
        assert_eq!(holders.forget("uid-of-a"), None);
        holders.retain(|namespace, name, uid| (namespace, name, uid) == ("ns", "b", "another"));
        assert_eq!((owners(&holders).len(), holders.present().len()), (0, 0));
    }
}
