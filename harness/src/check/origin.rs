//! Who made the objects of a history, and which versions the scenario wrote itself.
//!
//! What a step did is no doing of the controller: invariants about how objects change begin anew with it. An
//! object that came through a restore is judged by its own uid from the state that the restore left, which is
//! the last one before the first reconcile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::select::{State, Uid};
use crate::record::{Entry, Observation};
use crate::scenario::assertion::MadeBy;

/// The versions that steps wrote, by uid and resource version.
#[derive(Debug, Default)]
pub(super) struct Written<'a>(BTreeSet<(&'a str, u64)>);

impl<'a> Written<'a> {
    /// All of them, as the record tells. A version that was there before the step is whoever's it was: the step
    /// changed nothing, and the API server answered with what it had.
    pub(super) fn of(history: &'a [Arc<Entry>]) -> Self {
        let mut written = BTreeSet::new();
        let (mut before, mut meanwhile) = (BTreeSet::new(), Vec::new());
        for entry in history {
            match &entry.observation {
                Observation::StepStarted { .. } => before.extend(meanwhile.drain(..)),
                Observation::Object(version) => {
                    meanwhile.push((version.uid.as_str(), version.resource_version));
                }
                Observation::Bound { object, .. } => {
                    let version =
                        resource_version(&object.latest).map(|version| (object.uid.as_str(), version));
                    written.extend(version.filter(|version| !before.contains(version)));
                }
                Observation::Written { uid, resource_version, restored } => {
                    let version = (uid.as_str(), *resource_version);
                    // A restore goes on beside the steps that follow.
                    if *restored || !before.contains(&version) {
                        written.insert(version);
                    }
                }
                _ => {}
            }
        }
        Self(written)
    }

    /// Whether a step wrote this version.
    pub(super) fn has(&self, version: &State<'a>) -> bool {
        match version.uid {
            Uid::Recorded(uid) => self.0.contains(&(uid, version.resource_version)),
            Uid::Rendered(_) | Uid::Line(_) => false,
        }
    }
}

fn resource_version(object: &Value) -> Option<u64> {
    object.pointer("/metadata/resourceVersion")?.as_str()?.parse().ok()
}

/// The history without the versions of objects that came into being in another way.
pub(super) fn only(history: &[Arc<Entry>], made_by: MadeBy) -> Vec<Arc<Entry>> {
    let origins = origins(history);
    let is_meant = |entry: &&Arc<Entry>| match &entry.observation {
        Observation::Object(version) => {
            origins.get(version.uid.as_str()).copied().unwrap_or(Origin::Controller)
                == match made_by {
                    MadeBy::Controller => Origin::Controller,
                    MadeBy::Restore => Origin::Restore,
                }
        }
        _ => true,
    };
    history.iter().filter(is_meant).cloned().collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Step,
    Restore,
    Controller,
}

/// Where the first version of each object comes from, as far as steps made it.
fn origins(history: &[Arc<Entry>]) -> BTreeMap<&str, Origin> {
    let mut origins = BTreeMap::new();
    let mut first = BTreeMap::new();
    for entry in history {
        match &entry.observation {
            Observation::Object(version) => {
                first.entry(version.uid.as_str()).or_insert(version.resource_version);
            }
            Observation::Bound { object, .. } => {
                origins.insert(object.uid.as_str(), Origin::Step);
            }
            Observation::Written { uid, resource_version, restored: true }
                if first.get(uid.as_str()) == Some(resource_version) =>
            {
                origins.insert(uid.as_str(), Origin::Restore);
            }
            _ => {}
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::testing::{History, phase};
    use crate::scenario::assertion::BoundObject;

    fn bound(uid: &str, resource_version: &str) -> Observation {
        let object = BoundObject {
            api_version: "v1".to_owned(),
            kind: "Job".to_owned(),
            namespace: "ns".to_owned(),
            name: "a".to_owned(),
            uid: uid.to_owned(),
            latest: Arc::new(json!({"metadata": {"resourceVersion": resource_version}})),
        };
        Observation::Bound { alias: "a".to_owned(), object }
    }

    fn written(uid: &str, resource_version: u64, restored: bool) -> Observation {
        Observation::Written { uid: uid.to_owned(), resource_version, restored }
    }

    fn uids(history: &[Arc<Entry>]) -> BTreeSet<String> {
        super::super::select::objects(history).map(|(_, version)| version.uid.clone()).collect()
    }

    #[test]
    fn a_step_that_changes_nothing_wrote_nothing() {
        let step = |index| Observation::StepStarted {
            index,
            summary: String::new(),
            assertion: false,
            digest: String::new(),
        };
        let history = History::default()
            .push(step(0))
            .added("Job/a#changed", 1, &phase("x"))
            .push(bound("changed", "1"))
            .added("Job/b#kept", 2, &phase("x"))
            .added("Job/c#applied", 3, &phase("x"))
            .added("Job/d#restored", 4, &phase("x"))
            .push(step(1))
            .modified("Job/a#changed", 5, &phase("y"))
            .push(written("changed", 5, false))
            .push(written("kept", 2, false))
            .push(bound("applied", "3"))
            .push(written("restored", 4, true))
            .0;
        let expected = BTreeSet::from([("changed", 1), ("changed", 5), ("restored", 4)]);
        assert_eq!(Written::of(&history).0, expected);
    }

    #[test]
    fn an_object_is_of_whoever_wrote_its_first_version() {
        let history = History::default()
            .added("Job/a#created", 1, &phase("x"))
            .push(bound("created", "1"))
            .added("Job/b#restored", 2, &phase("x"))
            .push(written("restored", 2, true))
            .added("Job/c#own", 3, &phase("x"))
            .modified("Job/c#own", 4, &phase("y"))
            // A restore may complete what is there without having made it.
            .push(written("own", 4, true))
            .0;
        assert_eq!(uids(&only(&history, MadeBy::Controller)), BTreeSet::from(["own".to_owned()]));
        assert_eq!(uids(&only(&history, MadeBy::Restore)), BTreeSet::from(["restored".to_owned()]));
    }
}
