//! Does an archive hold what the watches delivered? Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::backup::{Checked, KindRecord, Role};
use crate::record::{Change, Entry, Observation};

/// The first difference between an archive and the record at the archive's revision, over all its kinds that
/// live in namespaces; `None` if there is none.
pub(super) fn difference(checked: &Checked, history: &[Arc<Entry>]) -> Option<String> {
    let kinds = checked.manifest.kinds.iter();
    let custom = kinds.filter(|record| record.kind.role >= Role::Config && record.kind.namespaced);
    custom.into_iter().find_map(|record| {
        let resource = record.kind.resource();
        let archived: BTreeMap<&str, Value> = checked
            .objects
            .iter()
            .filter(|object| object.path.resource == resource)
            .map(|object| (object.path.name.as_str(), content(&object.value)))
            .collect();
        // One revision for all kinds, if the archive claims that, else that of the kind's own list.
        let claimed = checked.manifest.listing.revision.as_ref().or(record.resource_versions.first());
        let moment = claimed.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let recorded = recorded(record, moment, history);
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
fn recorded<'a>(record: &KindRecord, moment: u64, history: &'a [Arc<Entry>]) -> BTreeMap<&'a str, Value> {
    let api_version = record.kind.api_version();
    let mut newest = BTreeMap::new();
    for entry in history {
        let Observation::Object(version) = &entry.observation else { continue };
        let of_kind = version.kind == record.kind.kind && version.api_version == api_version;
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

    fn of(history: &[Arc<Entry>]) -> Option<String> {
        difference(&checked(), history)
    }

    #[test]
    fn an_archive_of_what_was_there_is_as_recorded() {
        assert_eq!(of(&history(|_version| {})), None);
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
