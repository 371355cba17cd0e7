//! What the watches of one cluster delivered, in short: of each version of an object when it came, at which
//! revision, and a digest of what a restore has to bring back. Pure.
//!
//! The objects themselves are not kept: ten thousand runs with their Jobs would need gigabytes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::backup::{digest, is_terminal, to_canonical};
use crate::record::{Change, Entry, ObjectVersion, Observation};

/// Kind and name.
pub(super) type Key = (String, String);

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// When the watch delivered it.
    pub(super) at: Timestamp,
    /// The revision of the datastore.
    pub(super) revision: u64,
    /// Of what a restore has to bring back.
    pub(super) digest: String,
    /// `status.phase`; empty if there is none.
    pub(super) phase: String,
    /// Whether there is a status.
    pub(super) has_status: bool,
    /// Whether the object is gone with it.
    pub(super) deleted: bool,
}

impl Version {
    /// Whether the work has come to its end.
    pub(super) fn is_terminal(&self) -> bool {
        is_terminal(&self.phase)
    }
}

/// A Job that was there at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobSeen {
    /// Its name.
    pub(super) name: String,
    /// The run that owns it.
    pub(super) run: Option<String>,
    /// The revision of its first version.
    pub(super) revision: u64,
}

/// A Job that has just appeared.
#[derive(Debug, Clone)]
pub(super) struct NewJob {
    /// The run that owns it.
    pub(super) run: Option<String>,
    /// How many Jobs of that run there have been, this one included.
    pub(super) number: usize,
    /// The Job.
    pub(super) version: ObjectVersion,
}

/// The history of one cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    run_kind: String,
    objects: BTreeMap<Key, Vec<Version>>,
    /// By uid.
    jobs: BTreeMap<String, JobSeen>,
    /// uids of the Jobs of each run.
    of_run: BTreeMap<String, BTreeSet<String>>,
    gaps: Vec<String>,
}

impl Ledger {
    /// An empty one; objects of `run_kind` own Jobs.
    pub(super) fn new(run_kind: &str) -> Self {
        Self { run_kind: run_kind.to_owned(), ..Self::default() }
    }

    /// Takes in what was observed; returns a Job that was not there before.
    pub(super) fn read(&mut self, entry: &Entry) -> Option<NewJob> {
        match &entry.observation {
            Observation::Object(version) => {
                if version.kind == "Job" {
                    return self.job(version);
                }
                let key = (version.kind.clone(), version.name.clone());
                self.objects.entry(key).or_default().push(short(version, entry.at));
            }
            Observation::Gap { kind, reason } => self.gaps.push(format!("{kind}: {reason}")),
            _ => {}
        }
        None
    }

    fn job(&mut self, version: &ObjectVersion) -> Option<NewJob> {
        if version.change == Change::Deleted || self.jobs.contains_key(&version.uid) {
            return None;
        }
        let run = self.owner(version);
        let seen =
            JobSeen { name: version.name.clone(), run: run.clone(), revision: version.resource_version };
        self.jobs.insert(version.uid.clone(), seen);
        let number = run.as_ref().map_or(0, |run| {
            let jobs = self.of_run.entry(run.clone()).or_default();
            jobs.insert(version.uid.clone());
            jobs.len()
        });
        Some(NewJob { run, number, version: version.clone() })
    }

    fn owner(&self, version: &ObjectVersion) -> Option<String> {
        let references = version.object.pointer("/metadata/ownerReferences")?.as_array()?;
        let text = |reference: &Value, field| reference.get(field).and_then(Value::as_str).map(str::to_owned);
        let of_kind = |reference: &&Value| text(reference, "kind").as_ref() == Some(&self.run_kind);
        text(references.iter().find(of_kind)?, "name")
    }

    /// All versions of an object, in their order.
    pub(super) fn versions(&self, key: &Key) -> &[Version] {
        self.objects.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// All versions of a run.
    pub(super) fn run(&self, name: &str) -> &[Version] {
        self.versions(&(self.run_kind.clone(), name.to_owned()))
    }

    /// The last version of a run, if it is there.
    pub(super) fn latest(&self, name: &str) -> Option<&Version> {
        self.run(name).last().filter(|version| !version.deleted)
    }

    /// How many Jobs of a run there have ever been.
    pub(super) fn jobs_of(&self, run: &str) -> usize {
        self.of_run.get(run).map_or(0, BTreeSet::len)
    }

    /// How many Jobs of a run there had been at a revision.
    pub(super) fn jobs_of_until(&self, run: &str, revision: u64) -> usize {
        let jobs = self.of_run.get(run).into_iter().flatten().filter_map(|uid| self.jobs.get(uid));
        jobs.filter(|job| job.revision <= revision).count()
    }

    /// The revision at which the last of a run's Jobs appeared.
    pub(super) fn last_job_of(&self, run: &str) -> Option<u64> {
        self.of_run.get(run)?.iter().filter_map(|uid| Some(self.jobs.get(uid)?.revision)).max()
    }

    /// Every Job there has ever been.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &JobSeen> {
        self.jobs.values()
    }

    /// Where watches were interrupted: something may be missing.
    pub(super) fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// What was there at a revision, which may be another one for each kind.
    pub(super) fn at_revision(&self, revision: impl Fn(&str) -> Option<u64>) -> BTreeMap<Key, Version> {
        self.states(|(kind, _), version| revision(kind).is_some_and(|last| version.revision <= last))
    }

    /// What was known to be there at a time.
    pub(super) fn at_time(&self, time: Timestamp) -> BTreeMap<Key, Version> {
        self.states(|_, version| version.at <= time)
    }

    fn states(&self, counts: impl Fn(&Key, &Version) -> bool) -> BTreeMap<Key, Version> {
        let last = |(key, versions): (&Key, &Vec<Version>)| {
            let version = versions.iter().rfind(|version| counts(key, version))?;
            (!version.deleted).then(|| (key.clone(), version.clone()))
        };
        self.objects.iter().filter_map(last).collect()
    }
}

fn short(version: &ObjectVersion, at: Timestamp) -> Version {
    let phase = version.object.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default();
    Version {
        at,
        revision: version.resource_version,
        digest: digest(&to_canonical(&content(&version.object))),
        phase: phase.to_owned(),
        has_status: version.object.get("status").is_some_and(|status| !is_nothing(status)),
        deleted: version.change == Change::Deleted,
    }
}

/// What a restore has to bring back: not what the server sets, and not the generation that the status has
/// seen, which is that of the new object.
fn content(object: &Value) -> Value {
    let mut content = Map::new();
    for (name, pointer) in [
        ("spec", "/spec"),
        ("status", "/status"),
        ("labels", "/metadata/labels"),
        ("annotations", "/metadata/annotations"),
        ("finalizers", "/metadata/finalizers"),
    ] {
        let mut value = object.pointer(pointer).cloned().unwrap_or_default();
        if let (true, Value::Object(fields)) = (name == "status", &mut value) {
            fields.shift_remove("observedGeneration");
        }
        if !is_nothing(&value) {
            content.insert(name.to_owned(), value);
        }
    }
    Value::Object(content)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    /// An entry with a version of an object, `second` seconds after the beginning.
    pub(in crate::drill) fn version(
        kind: &str,
        name: &str,
        revision: u64,
        second: i64,
        object: Value,
    ) -> Entry {
        let change = if object.is_null() { Change::Deleted } else { Change::Modified };
        Entry {
            sequence: 0,
            at: Timestamp::from_second(second).unwrap(),
            observation: Observation::Object(ObjectVersion {
                change,
                api_version: "example.dev/v1".to_owned(),
                kind: kind.to_owned(),
                namespace: "drill".to_owned(),
                name: name.to_owned(),
                uid: format!("uid-of-{name}"),
                resource_version: revision,
                object: Arc::new(object),
            }),
        }
    }

    /// An entry with a Job of a run.
    pub(in crate::drill) fn job(name: &str, run: &str, revision: u64, second: i64) -> Entry {
        let owner = json!({"kind": "Run", "name": run, "uid": "u", "controller": true});
        version("Job", name, revision, second, json!({"metadata": {"ownerReferences": [owner]}}))
    }

    #[test]
    fn a_state_is_what_the_last_version_before_it_says() {
        let mut ledger = Ledger::new("Run");
        let running = json!({"spec": {"a": 1}, "status": {"phase": "Running"}});
        ledger.read(&version("Run", "one", 3, 1, running.clone()));
        ledger.read(&version("Run", "one", 7, 2, json!({"spec": {"a": 1}, "status": {"phase": "Failed"}})));
        ledger.read(&version("Run", "two", 4, 3, running));
        ledger.read(&version("Run", "two", 8, 4, Value::Null));
        let key = |name: &str| ("Run".to_owned(), name.to_owned());
        let early = ledger.at_revision(|_| Some(7));
        assert_eq!(early[&key("one")].phase, "Failed");
        assert!(early.contains_key(&key("two")));
        assert_eq!(early[&key("two")].digest, ledger.versions(&key("one"))[0].digest);
        assert!(!ledger.at_revision(|_| Some(8)).contains_key(&key("two")));
        assert_eq!(ledger.at_time(Timestamp::from_second(1).unwrap()).len(), 1);
        assert!(ledger.latest("one").unwrap().is_terminal() && ledger.latest("two").is_none());
    }

    #[test]
    fn only_what_a_restore_cannot_bring_back_has_no_part_in_a_digest() {
        let digest = |object: Value| digest(&to_canonical(&content(&object)));
        let one = json!({
            "metadata": {"uid": "a", "generation": 7, "labels": {"a": "b"}, "finalizers": ["f"]},
            "spec": {}, "status": {"phase": "Failed", "observedGeneration": 7},
        });
        let mut other = one.clone();
        other["metadata"]["uid"] = json!("b");
        other["metadata"]["generation"] = json!(1);
        other["status"]["observedGeneration"] = json!(1);
        assert_eq!(digest(one.clone()), digest(other));
        for pointer in ["/metadata/labels/a", "/metadata/finalizers/0", "/status/phase"] {
            let mut changed = one.clone();
            *changed.pointer_mut(pointer).unwrap() = json!("changed");
            assert_ne!(digest(one.clone()), digest(changed), "{pointer}");
        }
    }

    #[test]
    fn a_job_counts_once_also_when_it_is_gone() {
        let mut ledger = Ledger::new("Run");
        assert_eq!(ledger.read(&job("a", "one", 1, 1)).unwrap().number, 1);
        assert!(ledger.read(&job("a", "one", 2, 2)).is_none());
        assert_eq!(ledger.read(&job("b", "one", 3, 3)).unwrap().number, 2);
        ledger.read(&version("Job", "b", 4, 4, Value::Null));
        let stray = ledger.read(&version("Job", "c", 5, 5, json!({}))).unwrap();
        assert_eq!((stray.run, stray.number), (None, 0));
        assert_eq!((ledger.jobs_of("one"), ledger.jobs().count()), (2, 3));
        assert_eq!(ledger.last_job_of("one"), Some(3));
    }
}
