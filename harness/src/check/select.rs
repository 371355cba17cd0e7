//! Which versions of a history a target names.
//!
//! - An alias names the object with the uid that the API server gave it, and objects of the same name that
//!   appeared after that one was deleted: a restored or wrongly re-created object is judged like the first.
//!   Objects of that name from before the alias was bound are not meant.
//! - `of: alias` means uids from which a chain of controller owner references leads to such an object.
//!   Ownership counts for all versions of a uid: an object does not escape by dropping its reference.
//! - Objects of other scenarios' namespaces are never named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::record::{Change, Entry, ObjectVersion, Observation, Request};
use crate::scenario::assertion::{Bindings, BoundObject, Target};

/// One state of one object that a target names.
#[derive(Debug, Clone, Copy)]
pub(super) struct State<'a> {
    /// The entry that recorded it; `None` for rendered objects, which have no history.
    pub(super) entry: Option<&'a Entry>,
    /// How it came to be.
    pub(super) change: Change,
    /// `metadata.uid`; the place in the list for rendered objects.
    pub(super) uid: Uid<'a>,
    /// Orders versions of all kinds; 0 for requests, log lines and rendered objects.
    pub(super) resource_version: u64,
    /// The state.
    pub(super) object: &'a Value,
}

/// What tells objects apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Uid<'a> {
    /// `metadata.uid`, or the name that the API server gave a request.
    Recorded(&'a str),
    /// Place among the rendered objects.
    Rendered(usize),
    /// Place of a log line in the record.
    Line(u64),
}

/// The versions that a target names, in order of their resource versions.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    /// Each resource version of each uid once, lists after an interrupted watch repeat them.
    pub(super) versions: Vec<State<'a>>,
    /// Versions of such objects that are not selected, because they lack a label.
    pub(super) unselected: Vec<State<'a>>,
    /// Uids whose last version is not selected any more, for example because it lost the label.
    left: BTreeSet<Uid<'a>>,
}

impl<'a> Selection<'a> {
    /// The versions that `target` names, or why that cannot be known.
    pub(super) fn of(
        target: &Target,
        history: &'a [Arc<Entry>],
        bindings: &'a Bindings,
    ) -> Result<Self, String> {
        match target {
            Target::Object { alias } => {
                let uids = incarnations(bound(bindings, alias)?, history);
                Ok(Self::collect(history, |version| uids.contains(version.uid.as_str()), |_| true))
            }
            Target::Resources { api_version, kind, name, labels, of } => {
                let owned = match of {
                    Some(alias) => {
                        Some(descendants(&incarnations(bound(bindings, alias)?, history), history))
                    }
                    None => None,
                };
                Ok(Self::collect(
                    history,
                    |version| {
                        version.kind == *kind
                            && version.api_version == *api_version
                            && (version.namespace.is_empty() || version.namespace == bindings.namespace)
                            && name.as_ref().is_none_or(|name| version.name == *name)
                            && owned.as_ref().is_none_or(|owned| owned.contains(version.uid.as_str()))
                    },
                    |version| has_labels(&version.object, labels),
                ))
            }
            Target::Requests { verbs, resource, name } => {
                let wanted = |request: &Request| {
                    (verbs.is_empty() || verbs.iter().any(|verb| verb == request.text("verb")))
                        && resource.as_ref().is_none_or(|resource| *resource == request.resource())
                        && name.as_ref().is_none_or(|name| name == request.text("name"))
                };
                Ok(requests(history, wanted))
            }
            Target::Log => Ok(log(history)),
            Target::Rendered { of, kind, name } => rendered(bindings, of, kind, name.as_deref()),
        }
    }

    fn collect(
        history: &'a [Arc<Entry>],
        is_object: impl Fn(&ObjectVersion) -> bool,
        is_version: impl Fn(&ObjectVersion) -> bool,
    ) -> Self {
        let mut all: Vec<(bool, State<'a>)> = objects(history)
            .filter(|(_, version)| is_object(version))
            .map(|(entry, version)| {
                let state = State {
                    entry: Some(entry),
                    change: version.change,
                    uid: Uid::Recorded(&version.uid),
                    resource_version: version.resource_version,
                    object: &version.object,
                };
                (is_version(version), state)
            })
            .collect();
        // Stable, so that of equal resource versions the first received one comes first.
        all.sort_by_key(|(_, version)| version.resource_version);
        let mut seen = BTreeSet::new();
        all.retain(|(_, version)| {
            seen.insert((version.uid, version.resource_version, version.change == Change::Deleted))
        });
        let mut last = BTreeMap::new();
        for (selected, version) in &all {
            last.insert(version.uid, *selected);
        }
        let left = last.into_iter().filter(|(_, selected)| !selected).map(|(uid, _)| uid).collect();
        let (versions, unselected): (Vec<_>, Vec<_>) = all.into_iter().partition(|(selected, _)| *selected);
        let states = |some: Vec<(bool, State<'a>)>| some.into_iter().map(|(_, version)| version).collect();
        Self { versions: states(versions), unselected: states(unselected), left }
    }

    /// The objects that are there at the end, each with its last version.
    pub(super) fn current(&self) -> Vec<State<'a>> {
        let mut last = BTreeMap::new();
        for version in &self.versions {
            last.insert(version.uid, *version);
        }
        last.retain(|uid, version| version.change != Change::Deleted && !self.left.contains(uid));
        last.into_values().collect()
    }

    /// For each object the version that was current when entry `start` was recorded, and all later ones.
    pub(super) fn window(&self, start: u64) -> Vec<State<'a>> {
        let later = |version: &State<'_>| version.entry.is_none_or(|entry| entry.sequence >= start);
        let mut current = BTreeMap::new();
        for version in self.versions.iter().filter(|version| !later(version)) {
            current.insert(version.uid, *version);
        }
        // What was no longer selected by then is not current, whatever it was before.
        for left in self.unselected.iter().filter(|version| !later(version)) {
            if current.get(&left.uid).is_some_and(|it| it.resource_version < left.resource_version) {
                current.remove(&left.uid);
            }
        }
        let current = current.into_values().filter(|version| version.change != Change::Deleted);
        let mut window: Vec<_> = current.chain(self.versions.iter().copied().filter(later)).collect();
        window.sort_by_key(|version| version.resource_version);
        window
    }
}

/// The last versions of the recorded objects that a target names and that are there; none if an alias is
/// not bound, and none for rendered objects.
pub fn present(target: &Target, history: &[Arc<Entry>], bindings: &Bindings) -> Vec<ObjectVersion> {
    let Ok(selection) = Selection::of(target, history, bindings) else { return Vec::new() };
    selection
        .current()
        .into_iter()
        .filter_map(|version| match &version.entry?.observation {
            Observation::Object(object) => Some(object.clone()),
            _ => None,
        })
        .collect()
}

/// All recorded versions of objects.
pub(super) fn objects(history: &[Arc<Entry>]) -> impl Iterator<Item = (&Entry, &ObjectVersion)> {
    history.iter().filter_map(|entry| match &entry.observation {
        Observation::Object(version) => Some((entry.as_ref(), version)),
        _ => None,
    })
}

/// The object behind an alias, or that no step has bound it.
pub(super) fn bound<'a>(bindings: &'a Bindings, alias: &str) -> Result<&'a BoundObject, String> {
    bindings.objects.get(alias).ok_or_else(|| format!("no step has bound the alias `{alias}`"))
}

/// The uid of the alias, and those of its name that came after its deletion.
pub(super) fn incarnations<'a>(bound: &'a BoundObject, history: &'a [Arc<Entry>]) -> BTreeSet<&'a str> {
    let mut uids = BTreeSet::from([bound.uid.as_str()]);
    let Some(deleted) = deletion(bound, history) else { return uids };
    uids.extend(
        objects(history)
            .filter(|(_, version)| is_namesake(bound, version))
            .filter(|(_, version)| version.change != Change::Deleted)
            .filter(|(_, version)| version.resource_version > deleted.resource_version)
            .map(|(_, version)| version.uid.as_str()),
    );
    uids
}

/// The version with which the object of the alias itself was seen to be deleted.
pub(super) fn deletion<'a>(bound: &BoundObject, history: &'a [Arc<Entry>]) -> Option<&'a ObjectVersion> {
    objects(history)
        .map(|(_, version)| version)
        .find(|version| version.uid == bound.uid && version.change == Change::Deleted)
}

fn is_namesake(bound: &BoundObject, version: &ObjectVersion) -> bool {
    version.name == bound.name
        && version.namespace == bound.namespace
        && version.kind == bound.kind
        && version.api_version == bound.api_version
}

/// All uids with a chain of controllers to one of `roots`, without the roots.
fn descendants<'a>(roots: &BTreeSet<&'a str>, history: &'a [Arc<Entry>]) -> BTreeSet<&'a str> {
    let owners: BTreeSet<(&str, &str)> = objects(history)
        .filter_map(|(_, version)| Some((version.controller_uid()?, version.uid.as_str())))
        .collect();
    let mut found = BTreeSet::new();
    let mut unvisited: Vec<&str> = roots.iter().copied().collect();
    while let Some(owner) = unvisited.pop() {
        for &(_, child) in owners.range((owner, "")..).take_while(|(of, _)| *of == owner) {
            if found.insert(child) {
                unvisited.push(child);
            }
        }
    }
    found
}

fn has_labels(object: &Value, labels: &BTreeMap<String, String>) -> bool {
    let actual = object.pointer("/metadata/labels");
    labels.iter().all(|(name, value)| {
        actual.and_then(|labels| labels.get(name)).and_then(Value::as_str) == Some(value.as_str())
    })
}

fn rendered<'a>(
    bindings: &'a Bindings,
    of: &str,
    kind: &str,
    name: Option<&str>,
) -> Result<Selection<'a>, String> {
    let objects = bindings.rendered.get(of).ok_or_else(|| format!("no step has rendered `{of}`"))?;
    let text = |object: &'a Value, pointer| object.pointer(pointer).and_then(Value::as_str);
    let versions = objects
        .iter()
        .enumerate()
        .filter(|(_, object)| text(object, "/kind") == Some(kind))
        .filter(|(_, object)| name.is_none() || text(object, "/metadata/name") == name)
        .map(|(index, object)| State {
            entry: None,
            change: Change::Added,
            uid: Uid::Rendered(index),
            resource_version: 0,
            object,
        })
        .collect();
    Ok(Selection { versions, unselected: Vec::new(), left: BTreeSet::new() })
}

/// Each line of the log is an object of its own.
fn log(history: &[Arc<Entry>]) -> Selection<'_> {
    let versions = history
        .iter()
        .filter_map(|entry| match &entry.observation {
            Observation::Log { line } => Some(State {
                entry: Some(entry),
                change: Change::Added,
                uid: Uid::Line(entry.sequence),
                resource_version: 0,
                object: line,
            }),
            _ => None,
        })
        .collect();
    Selection { versions, unselected: Vec::new(), left: BTreeSet::new() }
}

/// Requests are objects that come and do not change. A watch is told of twice, at its begin and its end.
fn requests(history: &[Arc<Entry>], wanted: impl Fn(&Request) -> bool) -> Selection<'_> {
    let mut seen = BTreeSet::new();
    let versions = history
        .iter()
        .filter_map(|entry| match &entry.observation {
            Observation::Request(request) => Some((entry.as_ref(), request)),
            _ => None,
        })
        .filter(|(_, request)| wanted(request) && seen.insert(request.id.as_str()))
        .map(|(entry, request)| State {
            entry: Some(entry),
            change: Change::Added,
            uid: Uid::Recorded(&request.id),
            resource_version: 0,
            object: &request.request,
        })
        .collect();
    Selection { versions, unselected: Vec::new(), left: BTreeSet::new() }
}
