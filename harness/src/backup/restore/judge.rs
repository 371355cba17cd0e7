//! What is to be done about one object, given what the target has under its name. Pure.

use serde_json::Value;

use crate::backup::api::MANAGER;
use crate::backup::defects::Defect;
use crate::backup::kind::{Kind, Role};
use crate::backup::portable::{Owner, Strip, differences, status_for};
use crate::backup::verify::Stored;

/// How many differing fields of a conflict are named.
const NAMED: usize = 4;

/// What is to be done about an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// It does not exist.
    Create,
    /// It exists without its status, but for one that the API server filled in: an interrupted restore made it.
    /// Holds the live object.
    WriteStatus(Box<Value>),
    /// It is there as it is in the archive.
    Unchanged,
    /// It is there, and what is there stays: definitions and namespaces belong to the target.
    Keep {
        /// What is different.
        differences: Vec<String>,
    },
    /// Something else has its name.
    Conflict {
        /// What is different.
        differences: Vec<String>,
    },
    /// What has its name is being deleted.
    Terminating,
}

/// Decides about one object.
pub(super) fn judge(kind: &Kind, stored: &Stored, live: Option<&Value>) -> Action {
    let Some(live) = live else { return Action::Create };
    let used_while_dying = kind.role == Role::Namespace && Defect::DyingNamespaceUsed.is_planted();
    if live.pointer("/metadata/deletionTimestamp").is_some() && !used_while_dying {
        return Action::Terminating;
    }
    let found = portable(kind, stored, live);
    let wanted = wanted(kind, stored, live);
    if found == wanted
        && kind.status
        && wanted.get("status").is_some()
        && Defect::EqualStatusWrittenAgain.is_planted()
    {
        return Action::WriteStatus(Box::new(live.clone()));
    }
    if found == wanted {
        return Action::Unchanged;
    }
    let differences = differences(&wanted, &found, NAMED);
    if kind.role <= Role::Namespace {
        return Action::Keep { differences };
    }
    let mut without_status = wanted.clone();
    if let Value::Object(fields) = &mut without_status {
        fields.shift_remove("status");
    }
    let unfinished = kind.status
        && (found == without_status
            || (wanted.get("status").is_some() && is_left_over(live) && holds(&found, &without_status)));
    if unfinished && Defect::InterruptedStaysUnfinished.is_planted() {
        return Action::Unchanged;
    }
    if unfinished {
        return Action::WriteStatus(Box::new(live.clone()));
    }
    Action::Conflict { differences }
}

/// Whether a restore made the object and nobody has written its status: what stands there then was filled in by the
/// API server.
fn is_left_over(live: &Value) -> bool {
    let entries = || live.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    let is = |entry: &Value, field: &str, text: &str| entry.get(field).and_then(Value::as_str) == Some(text);
    let made = |entry: &Value| is(entry, "manager", MANAGER) && entry.get("subresource").is_none();
    entries().any(made) && !entries().any(|entry| is(entry, "subresource", "status"))
}

/// Whether everything that is wanted was found, beside fields that the API server may have filled in.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| holds(found, wanted)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(found, wanted)| holds(found, wanted))
        }
        _ => found == wanted,
    }
}

/// The live object in the form of the archive.
fn portable(kind: &Kind, stored: &Stored, live: &Value) -> Value {
    let owners: Vec<Owner> = owners(&stored.value).map(Owner::of).collect();
    Strip::default().apply(kind, live, |owner| owners.contains(&Owner::of(owner)))
}

/// The archived object as it should be under the generation of the live one.
fn wanted(kind: &Kind, stored: &Stored, live: &Value) -> Value {
    let mut wanted = stored.value.clone();
    if kind.status
        && let Some(status) = wanted.get_mut("status")
    {
        *status = status_of(stored, live).unwrap_or_default();
    }
    wanted
}

/// The status to be written to the live object; `None` if the archive has none.
pub(super) fn status_of(stored: &Stored, live: &Value) -> Option<Value> {
    let generation = live.pointer("/metadata/generation").and_then(Value::as_i64);
    stored.value.get("status").map(|status| status_for(status, stored.entry.generation, generation))
}

/// The ownerReferences of an object.
pub(super) fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten()
}

/// The paths at which the live object is not as it should be.
pub(super) fn deviations(kind: &Kind, stored: &Stored, live: &Value) -> Vec<String> {
    differences(&wanted(kind, stored, live), &portable(kind, stored, live), NAMED)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::archive::Limits;
    use crate::backup::fixture;
    use crate::backup::verify::verify_bytes;

    /// The run that was Running, and its kind.
    fn running() -> (Kind, Stored) {
        let bytes = fixture::archive();
        let checked = verify_bytes(&bytes, &fixture::line(&bytes), Limits::default()).unwrap();
        let kind = checked.manifest.kinds.last().unwrap().kind.clone();
        let stored = checked.objects.into_iter().find(|object| object.path.name == "running").unwrap();
        (kind, stored)
    }

    /// The same run as a restore makes it.
    fn restored() -> Value {
        let mut live = fixture::run("running", "Running");
        live["metadata"]["uid"] = json!("new");
        live["metadata"]["generation"] = json!(1);
        live["status"]["observedGeneration"] = json!(1);
        live
    }

    fn judged(change: impl FnOnce(&mut Value)) -> Action {
        let (kind, stored) = running();
        let mut live = restored();
        change(&mut live);
        judge(&kind, &stored, Some(&live))
    }

    #[test]
    fn an_object_that_is_not_there_is_created() {
        let (kind, stored) = running();
        assert_eq!(judge(&kind, &stored, None), Action::Create);
    }

    #[test]
    fn a_restored_object_is_unchanged() {
        assert_eq!(judged(|_live| {}), Action::Unchanged);
    }

    #[test]
    fn an_object_in_its_source_is_unchanged() {
        let (kind, stored) = running();
        assert_eq!(judge(&kind, &stored, Some(&fixture::run("running", "Running"))), Action::Unchanged);
    }

    #[rstest]
    #[case::absent(None)]
    #[case::empty(Some(json!({})))]
    fn an_object_without_its_status_gets_it(#[case] status: Option<Value>) {
        let action = judged(|live| match status {
            Some(status) => live["status"] = status,
            None => drop(live.as_object_mut().unwrap().shift_remove("status")),
        });
        assert!(matches!(action, Action::WriteStatus(_)), "{action:?}");
    }

    /// Managers of an object, each with the subresource that it wrote.
    fn managed(entries: &[(&str, Option<&str>)]) -> Value {
        let entry = |(manager, subresource): &(&str, Option<&str>)| match subresource {
            Some(subresource) => json!({"manager": manager, "subresource": subresource}),
            None => json!({"manager": manager}),
        };
        entries.iter().map(entry).collect()
    }

    /// As an interrupted restore leaves it where the API server fills in fields.
    fn filled_in(live: &mut Value) {
        live["metadata"]["managedFields"] = managed(&[("hallmark-restore", None)]);
        live["spec"]["agentRef"]["added"] = json!("by the server");
        live["status"] = json!({"phase": "Pending"});
    }

    #[test]
    fn an_object_without_its_status_gets_it_whatever_the_server_filled_in() {
        let action = judged(filled_in);
        assert!(matches!(action, Action::WriteStatus(_)), "{action:?}");
    }

    #[rstest]
    #[case::made_by_another(managed(&[("kubectl", None)]))]
    #[case::status_of_another(managed(&[("hallmark-restore", None), ("controller", Some("status"))]))]
    #[case::only_the_status_of_a_restore(managed(&[("kubectl", None), ("hallmark-restore", Some("status"))]))]
    #[case::not_told(Value::Null)]
    fn an_object_that_no_interrupted_restore_left_keeps_its_status(#[case] managers: Value) {
        let action = judged(|live| {
            filled_in(live);
            live["metadata"]["managedFields"] = managers;
        });
        assert!(matches!(action, Action::Conflict { .. }), "{action:?}");
    }

    #[rstest]
    #[case::value("/spec/agentRef/name", json!("other"))]
    #[case::missing("/spec/agentRef", json!({}))]
    #[case::list("/spec/secrets", json!(["token", "other"]))]
    fn an_object_that_differs_from_the_archive_is_left_by_no_restore(
        #[case] pointer: &str,
        #[case] value: Value,
    ) {
        let action = judged(|live| {
            filled_in(live);
            *live.pointer_mut(pointer).unwrap() = value;
        });
        assert!(matches!(action, Action::Conflict { .. }), "{action:?}");
    }

    #[rstest]
    #[case::spec("/spec/agentRef/name", "spec.agentRef.name")]
    #[case::status("/status/phase", "status.phase")]
    fn another_object_of_the_same_name_is_a_conflict(#[case] pointer: &str, #[case] named: &str) {
        let action = judged(|live| *live.pointer_mut(pointer).unwrap() = json!("other"));
        assert_eq!(action, Action::Conflict { differences: vec![named.to_owned()] });
    }

    #[test]
    fn another_spec_without_status_is_a_conflict_too() {
        let action = judged(|live| {
            live["spec"]["agentRef"]["name"] = json!("other");
            live["status"] = json!({});
        });
        assert!(matches!(action, Action::Conflict { .. }), "{action:?}");
    }

    #[test]
    fn an_object_that_is_being_deleted_is_no_restored_one() {
        let action = judged(|live| live["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
        assert_eq!(action, Action::Terminating);
    }
}
