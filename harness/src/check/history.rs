//! The whole history of a case in a form in which two runs of the scenario can be compared.
//!
//! A history is taken apart into *courses*: for every field of every object, the values that it had one
//! after the other. Courses are compared one by one, because what is written to different objects, or to
//! different fields of one object, has no order of its own: it comes in one write or in several, and in
//! this order or the other, as chance will have it. A version is therefore no unit of comparison.
//!
//! ```text
//! versions of Run demo        courses
//!   1  {}                       status.phase    absent, Running, Done
//!   2  {phase: Running}         status.job      absent, demo-job
//!   3  {…, job: demo-job}
//!   4  {phase: Done, …}
//! ```
//!
//! Not compared are objects whose owners are gone: when Kubernetes collects them is its own affair.

mod compare;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::matching::ELEMENT_KEYS;
use super::path::{Path, Segment, scalar_text};
use super::plain::{Plain, generated, name};
use crate::record::{Change, Entry, ObjectVersion};

pub use compare::{Chance, Divergence, Place, Rules, Side, Turning};

/// What happened to the objects of a case.
#[derive(Debug)]
pub struct History {
    /// By plain name, in the order in which they were made.
    objects: BTreeMap<String, Vec<Life>>,
    /// The moments that an order of objects can be told by, ordered by resource version.
    milestones: Vec<Milestone>,
    /// Milliseconds from the beginning of the case to its end.
    ended: u64,
    has_gap: bool,
}

/// What happened to one object.
#[derive(Debug, PartialEq)]
struct Life {
    /// Plain name of its controlling owner.
    owner: Option<String>,
    /// Whether the API server made up its name.
    is_generated: bool,
    courses: BTreeMap<Path, Vec<Turn>>,
    /// When it was deleted, if it was.
    deleted: Option<u64>,
}

/// A value that a field took.
#[derive(Debug)]
struct Turn {
    /// Absent if the field is not there.
    value: Option<Value>,
    /// Milliseconds since the case began.
    at: u64,
}

impl PartialEq for Turn {
    /// When something happened differs in every run.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Something that happened to an object as a whole.
#[derive(Debug)]
struct Milestone {
    resource_version: u64,
    object: String,
    what: String,
    at: u64,
}

impl History {
    /// The history of a case up to its end.
    pub fn of(history: &[Arc<Entry>]) -> Self {
        let plain = Plain::of(history);
        let since = |at: Timestamp| u64::try_from(at.duration_since(plain.began).as_millis()).unwrap_or(0);
        let gone: BTreeMap<&str, u64> = plain
            .versions
            .iter()
            .filter(|(_, version)| version.change == Change::Deleted)
            .map(|(_, version)| (version.uid.as_str(), version.resource_version))
            .collect();
        let mut building: Vec<(&str, String, Building)> = Vec::new();
        let mut milestones = Vec::new();
        for (at, version) in &plain.versions {
            if is_left_behind(version, &gone) {
                continue;
            }
            let index = building.iter().position(|(uid, ..)| *uid == version.uid).unwrap_or_else(|| {
                building.push((&version.uid, name(version), Building::of(version, &plain)));
                building.len() - 1
            });
            let Some((_, object, building)) = building.get_mut(index) else { continue };
            let mut happened = |what: String| {
                let resource_version = version.resource_version;
                milestones.push(Milestone { resource_version, object: object.clone(), what, at: since(*at) });
            };
            building.add(version, &plain, since(*at), &mut happened);
        }
        let mut objects: BTreeMap<String, Vec<Life>> = BTreeMap::new();
        for (_, name, building) in building {
            objects.entry(name).or_default().push(building.life);
        }
        milestones.sort_by_key(|milestone| milestone.resource_version);
        Self { objects, milestones, ended: since(plain.ended), has_gap: plain.has_gap }
    }

    /// Whether a watch was interrupted, so that nothing is known about what is missing here.
    pub fn has_gap(&self) -> bool {
        self.has_gap
    }
}

/// Whether all owners of an object were gone before this version.
fn is_left_behind(version: &ObjectVersion, gone: &BTreeMap<&str, u64>) -> bool {
    let owners = version.object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let owners: Vec<&str> = owners
        .into_iter()
        .flatten()
        .filter_map(|reference| reference.get("uid").and_then(Value::as_str))
        .collect();
    let is_gone = |uid: &&str| gone.get(uid).is_some_and(|deleted| *deleted < version.resource_version);
    !owners.is_empty() && owners.iter().all(is_gone)
}

/// A life while its versions come in.
struct Building {
    life: Life,
    last: BTreeMap<Path, Value>,
    is_first: bool,
}

impl Building {
    fn of(version: &ObjectVersion, plain: &Plain<'_>) -> Self {
        let owner = version.controller_uid().map(|uid| plain.name_of(uid));
        let is_generated = generated(version).is_some();
        let life = Life { owner, is_generated, courses: BTreeMap::new(), deleted: None };
        Self { life, last: BTreeMap::new(), is_first: true }
    }

    fn add(
        &mut self,
        version: &ObjectVersion,
        plain: &Plain<'_>,
        at: u64,
        happened: &mut impl FnMut(String),
    ) {
        if version.change == Change::Deleted {
            self.life.deleted = Some(at);
            happened("is gone".to_owned());
            return;
        }
        if self.is_first {
            happened("is there".to_owned());
        }
        let mut now = BTreeMap::new();
        leaves(&plain.object(&version.object), &mut Path::root(), &mut now);
        let is_phase = |path: &Path| *path == Path::of_fields(["status", "phase"]);
        let vanished = self.last.keys().filter(|path| !now.contains_key(*path));
        let changed = now.iter().filter(|(path, value)| self.last.get(*path) != Some(*value));
        let turns = changed.map(|(path, value)| (path, Some(value))).chain(vanished.map(|path| (path, None)));
        for (path, value) in turns {
            let course = self.life.courses.entry(path.clone()).or_default();
            if course.is_empty() && !self.is_first {
                course.push(Turn { value: None, at: 0 });
            }
            course.push(Turn { value: value.cloned(), at });
            if let Some(phase) = value.and_then(Value::as_str).filter(|_| is_phase(path)) {
                happened(format!("is {phase}"));
            }
        }
        self.last = now;
        self.is_first = false;
    }
}

/// The values at the ends of all paths. Elements of a list are told apart by their key where they have one;
/// any other list is a value as a whole.
fn leaves(value: &Value, path: &mut Path, found: &mut BTreeMap<Path, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                path.push(Segment::Field(key.clone()));
                leaves(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => match element_key(items) {
            Some(key) => {
                for item in items {
                    let value = item.get(key).and_then(scalar_text).unwrap_or_default();
                    path.push(Segment::Element { key, value });
                    leaves(item, path, found);
                    path.pop();
                }
            }
            None => drop(found.insert(path.clone(), value.clone())),
        },
        // Before anybody has written a status it is there or not, depending on the kind.
        Value::Object(_) if *path == Path::of_fields(["status"]) => {}
        _ => drop(found.insert(path.clone(), value.clone())),
    }
}

/// The first of [`ELEMENT_KEYS`] that tells all elements of a list apart.
fn element_key(items: &[Value]) -> Option<&'static str> {
    if items.is_empty() {
        return None;
    }
    ELEMENT_KEYS.iter().copied().find(|key| {
        let mut seen = std::collections::BTreeSet::new();
        items.iter().all(|item| item.get(key).and_then(scalar_text).is_some_and(|text| seen.insert(text)))
    })
}
