//! What a history comes down to: how every object ended, without anything that differs from run to run.
//!
//! Two lives of the same scenario are equal if the same objects existed, each as often, each went through the
//! same phases, and each ended in the same state. Times, uids, resource versions, the name of the namespace
//! and names that the API server makes up are others in every run, so they are replaced by what they stand for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::path::Path;
use super::plain::{Plain, name};
use super::timeline::changed;
use crate::count::count;
use crate::record::{Change, Entry};

/// How a case ended, by object (`Job demo`).
#[derive(Debug, PartialEq)]
pub struct Ending {
    objects: BTreeMap<String, ObjectEnding>,
}

#[derive(Debug, PartialEq)]
struct ObjectEnding {
    /// How many objects ever had the name: more than one means that it was made again.
    incarnations: usize,
    /// The values of `status.phase`, each once in a row.
    phases: Vec<String>,
    /// The last state; `None` if it is gone.
    state: Option<Value>,
}

impl Ending {
    /// The ending of a history, which is looked at up to the end of the case.
    pub fn of(history: &[Arc<Entry>]) -> Self {
        let plain = Plain::of(history);
        let mut objects: BTreeMap<String, (Vec<&str>, ObjectEnding)> = BTreeMap::new();
        for (_, version) in &plain.versions {
            let (uids, ending) = objects.entry(name(version)).or_insert_with(|| {
                (Vec::new(), ObjectEnding { incarnations: 0, phases: Vec::new(), state: None })
            });
            if !uids.contains(&version.uid.as_str()) {
                uids.push(&version.uid);
                ending.incarnations = uids.len();
            }
            let phase = version.object.pointer("/status/phase").and_then(Value::as_str);
            if let Some(phase) = phase.filter(|phase| ending.phases.last().is_none_or(|last| last != phase)) {
                ending.phases.push(phase.to_owned());
            }
            ending.state = (version.change != Change::Deleted).then(|| plain.object(&version.object));
        }
        Self { objects: objects.into_iter().map(|(name, (_, ending))| (name, ending)).collect() }
    }

    /// Where the other ending differs from this one, in words; empty if they are equal.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let added = other.objects.keys().filter(|name| !self.objects.contains_key(*name));
        for name in self.objects.keys().chain(added) {
            match (self.objects.get(name), other.objects.get(name)) {
                (Some(one), Some(other)) => one.differences(name, other, &mut differences),
                (Some(_), None) => differences.push(format!("{name} never existed")),
                (None, _) => differences.push(format!("{name} should never have existed")),
            }
        }
        differences
    }
}

impl ObjectEnding {
    fn differences(&self, name: &str, other: &Self, differences: &mut Vec<String>) {
        if self.incarnations != other.incarnations {
            let (expected, found) = (self.incarnations, other.incarnations);
            differences.push(format!("{name} was made {}, not {expected}", count(found, "time")));
        }
        if self.phases != other.phases {
            let (expected, found) = (self.phases.join(" "), other.phases.join(" "));
            differences.push(format!("{name} went through the phases {found}, not {expected}"));
        }
        match (&self.state, &other.state) {
            (Some(_), None) => differences.push(format!("{name} is gone in the end")),
            (None, Some(_)) => differences.push(format!("{name} is still there in the end")),
            (one, other) => {
                let mut paths = Vec::new();
                changed(&mut Path::root(), one.as_ref(), other.as_ref(), &mut paths);
                differences.extend(paths.into_iter().map(|path| format!("{name}: {path}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::record::{End, ObjectVersion, Observation};

    struct Life {
        namespace: &'static str,
        entries: Vec<Arc<Entry>>,
    }

    impl Life {
        fn in_namespace(namespace: &'static str) -> Self {
            let started = Observation::CaseStarted { namespace: namespace.to_owned() };
            Self { namespace, entries: Vec::new() }.and(started)
        }

        fn and(mut self, observation: Observation) -> Self {
            let sequence = self.entries.len() as u64;
            self.entries.push(Arc::new(Entry { sequence, at: Timestamp::UNIX_EPOCH, observation }));
            self
        }

        fn object(self, change: Change, kind: &str, uid: &str, mut object: Value) -> Self {
            object["metadata"] =
                json!({"uid": uid, "resourceVersion": "7", "name": "demo", "namespace": self.namespace});
            self.and(Observation::Object(ObjectVersion {
                change,
                api_version: "v1".to_owned(),
                kind: kind.to_owned(),
                namespace: String::new(),
                name: "demo".to_owned(),
                uid: uid.to_owned(),
                resource_version: 7,
                object: Arc::new(object),
            }))
        }

        fn run(self, uid: &str, phase: &str) -> Self {
            let status = json!({"phase": phase, "at": "2026-01-01T00:00:00Z", "job": format!("{uid}-job")});
            self.object(Change::Modified, "Run", uid, json!({ "status": status }))
        }

        fn ending(&self) -> Ending {
            Ending::of(&self.entries)
        }
    }

    #[test]
    fn what_differs_from_run_to_run_does_not_count() {
        let one = Life::in_namespace("namespace-1").run("uid-1", "Running").run("uid-1", "Done");
        let two = Life::in_namespace("namespace-2")
            .run("uid-2", "Running")
            .run("uid-2", "Running")
            .run("uid-2", "Done");
        assert_eq!(one.ending().differences(&two.ending()), Vec::<String>::new());
        let three = Life::in_namespace("namespace-3").run("uid-3", "Done");
        assert_ne!(one.ending(), three.ending());
    }

    #[test]
    fn names_that_the_api_server_made_up_do_not_count_but_their_number_does() {
        let pod = |life: Life, name: &str| {
            let object = json!({
                "metadata": {"name": name, "generateName": "demo-"},
                "status": {"message": format!("pod {name} runs")},
            });
            life.and(Observation::Object(ObjectVersion {
                change: Change::Added,
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                namespace: String::new(),
                name: name.to_owned(),
                uid: format!("uid-{name}"),
                resource_version: 7,
                object: Arc::new(object),
            }))
        };
        let life = || Life::in_namespace("namespace-1");
        let one = pod(life(), "demo-abcde").ending();
        let other = pod(life(), "demo-vwxyz").ending();
        assert_eq!(one.differences(&other), Vec::<String>::new());
        let two = pod(pod(life(), "demo-abcde"), "demo-vwxyz").ending();
        assert_eq!(one.differences(&two), ["Pod demo-* was made 2 times, not 1"]);
    }

    #[test]
    fn another_end_another_way_and_another_number_are_told() {
        let undisturbed =
            Life::in_namespace("namespace-1").run("uid-u", "Running").run("uid-u", "Done").ending();
        let told = |life: Life| undisturbed.differences(&life.ending());
        let start = || Life::in_namespace("namespace-2");
        assert_eq!(
            told(start().run("uid-u", "Running").run("uid-u", "Failed").run("uid-u", "Done")),
            ["Run demo went through the phases Running Failed Done, not Running Done"]
        );
        assert_eq!(
            told(start().run("uid-u", "Running").run("uid-v", "Done")),
            ["Run demo was made 2 times, not 1"]
        );
        assert!(told(start().run("uid-u", "Running"))[1].contains("status.phase: \"Done\" → \"Running\""));
        assert_eq!(told(start()), ["Run demo never existed"]);
        let more = start().run("uid-u", "Running").run("uid-u", "Done");
        let more = more.object(Change::Added, "Job", "uid-j", json!({}));
        assert_eq!(told(more), ["Job demo should never have existed"]);
        let gone = start().run("uid-u", "Running").run("uid-u", "Done");
        let gone = gone.object(Change::Deleted, "Run", "uid-u", json!({"status": {"phase": "Done"}}));
        assert_eq!(told(gone), ["Run demo is gone in the end"]);
    }

    #[test]
    fn only_what_happens_before_the_end_of_the_case_counts() {
        let ended = Observation::CaseFinished { end: End::Passed, by_claims: true };
        let life = Life::in_namespace("namespace-1").run("uid-u", "Done").and(ended).run("uid-u", "Failed");
        let short = Life::in_namespace("namespace-1").run("uid-u", "Done");
        assert_eq!(short.ending(), life.ending());
    }

    #[test]
    fn events_and_leases_do_not_count() {
        let life = Life::in_namespace("namespace-1").object(Change::Added, "Event", "uid-e", json!({}));
        assert_eq!(life.ending(), Life::in_namespace("namespace-1").ending());
    }
}
