//! Does an archive hold what the watches delivered? Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::api::ApiResource;
use serde_json::{Map, Value};

use crate::backup::Checked;
use crate::record::{Change, Entry, Observation};

/// The first difference between an archive and the record at the archive's revision, over these kinds, all of
/// which it must hold; `None` if there is none. The record counts revisions from `first_revision` on.
pub(super) fn difference(
    checked: &Checked,
    kinds: &[ApiResource],
    history: &[Arc<Entry>],
    first_revision: u64,
) -> Option<String> {
    kinds.iter().find_map(|kind| {
        let resource = format!("{}.{}", kind.plural, kind.group);
        let mut records = checked.manifest.kinds.iter();
        let Some(record) = records.find(|record| record.kind.resource() == resource) else {
            return Some(format!("it holds no {resource}, and does not say that there are none"));
        };
        let archived: BTreeMap<&str, Value> = checked
            .objects
            .iter()
            .filter(|object| object.path.resource == resource)
            .map(|object| (object.path.name.as_str(), content(&object.value)))
            .collect();
        // One revision for all kinds, if the archive claims that, else that of the kind's own list.
        let claimed = checked.manifest.listing.revision.as_ref().or(record.resource_versions.first());
        let moment = claimed.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let recorded = recorded(kind, moment + first_revision, history);
        let names = archived.keys().chain(recorded.keys());
        let differs = |name: &&&str| archived.get(**name) != recorded.get(**name);
        names.into_iter().find(differs).map(|name| {
            let how = match (archived.get(name), recorded.get(name)) {
                (Some(_), None) => "is archived and was not there",
                (None, _) => "was there and is not archived",
                _ => "is archived as it was not",
            };
            format!("{resource} {name} {how} at revision {moment}")
        })
    })
}

/// The objects of a kind at a revision, without those that were being deleted.
fn recorded<'a>(kind: &ApiResource, moment: u64, history: &'a [Arc<Entry>]) -> BTreeMap<&'a str, Value> {
    let mut newest = BTreeMap::new();
    for entry in history {
        let Observation::Object(version) = &entry.observation else { continue };
        let of_kind = version.kind == kind.kind && version.api_version == kind.api_version;
        if of_kind && version.resource_version <= moment {
            let known = newest.entry(version.uid.as_str()).or_insert(version);
            if known.resource_version <= version.resource_version {
                *known = version;
            }
        }
    }
    newest
        .into_values()
        .filter(|version| version.change != Change::Deleted)
        .filter(|version| version.object.pointer("/metadata/deletionTimestamp").is_none())
        .map(|version| (version.name.as_str(), content(&version.object)))
        .collect()
}

/// What a backup must keep of an object.
fn content(object: &Value) -> Value {
    let mut content = Map::new();
    let fields = object.as_object().into_iter().flatten();
    for (field, value) in
        fields.filter(|(field, _)| !["apiVersion", "kind", "metadata"].contains(&field.as_str()))
    {
        content.insert(field.clone(), value.clone());
    }
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = object.get("metadata").and_then(|metadata| metadata.get(field)) {
            content.insert(format!("metadata.{field}"), value.clone());
        }
    }
    // The API server stores what is empty as absent.
    let empty = |value: &Value| {
        value.is_null()
            || value.as_object().is_some_and(Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
    };
    content.retain(|_field, value| !empty(value));
    Value::Object(content)
}

#[cfg(test)]
mod tests {
    use kube::core::GroupVersionKind;
    use serde_json::json;

    use super::*;
    use crate::archive::Limits;
    use crate::backup::{fixture, verify_bytes};
    use crate::record::ObjectVersion;

    /// The history of the namespace that the archive of the fixture shows, at its revision.
    fn history(change: impl Fn(&mut ObjectVersion)) -> Vec<Arc<Entry>> {
        let checked = checked();
        let versions = checked.objects.into_iter().map(|object| {
            let text = |pointer: &str| object.value.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            ObjectVersion {
                change: Change::Added,
                api_version: text("/apiVersion"),
                kind: text("/kind"),
                namespace: object.path.namespace.unwrap_or_default(),
                name: object.path.name,
                uid: object.entry.uid,
                resource_version: 1,
                object: Arc::new(object.value.clone()),
            }
        });
        let entry = |(sequence, mut version): (usize, ObjectVersion)| {
            change(&mut version);
            let at = jiff::Timestamp::UNIX_EPOCH;
            let observation = Observation::Object(version);
            Arc::new(Entry { sequence: sequence as u64, at, observation })
        };
        versions.enumerate().map(entry).collect()
    }

    fn checked() -> Checked {
        let bytes = fixture::archive();
        verify_bytes(&bytes, &fixture::line(&bytes), Limits::default()).unwrap()
    }

    fn kinds() -> Vec<ApiResource> {
        let kind = |kind| ApiResource::from_gvk(&GroupVersionKind::gvk("example.dev", "v1", kind));
        ["Agent", "Run"].map(kind).to_vec()
    }

    fn of(history: &[Arc<Entry>]) -> Option<String> {
        difference(&checked(), &kinds(), history, 0)
    }

    #[test]
    fn an_archive_of_what_was_there_is_as_recorded() {
        assert_eq!(of(&history(|_version| {})), None);
    }

    #[test]
    fn the_archive_of_a_later_cluster_is_compared_by_the_revisions_of_the_record() {
        let later = history(|version| version.resource_version += 5_000);
        assert!(difference(&checked(), &kinds(), &later, 0).is_some());
        assert_eq!(difference(&checked(), &kinds(), &later, 5_000), None);
    }

    #[test]
    fn a_kind_that_the_archive_does_not_know_is_told() {
        let mut without = checked();
        without.manifest.kinds.retain(|record| record.kind.kind != "Agent");
        without.objects.retain(|object| object.path.resource != "agents.example.dev");
        let found = difference(&without, &kinds(), &history(|_version| {}), 0).unwrap();
        assert!(found.contains("holds no agents.example.dev"), "{found}");
    }

    #[test]
    fn what_was_not_there_or_was_otherwise_is_told() {
        let gone = history(|version| {
            if version.name == "pending" {
                version.change = Change::Deleted;
            }
        });
        assert!(of(&gone).unwrap().contains("pending is archived and was not there"));
        let later = history(|version| {
            if version.name == "pending" {
                version.resource_version = u64::MAX;
            }
        });
        assert!(of(&later).unwrap().contains("pending is archived and was not there"));
        let other = history(|version| {
            if version.name == "pending" {
                let mut object = Value::clone(&version.object);
                object["spec"]["more"] = json!(1);
                version.object = Arc::new(object);
            }
        });
        assert!(of(&other).unwrap().contains("pending is archived as it was not"));
        let mut more = history(|_version| {});
        let extra = history(|version| {
            version.name.push_str("-more");
            version.uid.push_str("-more");
        });
        more.extend(extra);
        assert!(of(&more).unwrap().contains("-more was there and is not archived"));
    }
}
