//! Step 6: what the parts of an archive say about each other.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::Stored;
use crate::archive::{VerifyError, Warning};
use crate::archive::{digest, to_canonical};
use crate::backup::kind::{Kind, Role};
use crate::backup::manifest::{Manifest, Method, content_digest};
use crate::backup::phase::{inconsistency, phase};
use crate::backup::portable::Owner;
use crate::backup::take::required_secrets;

/// Everything in the manifest that the objects prove or disprove.
pub(super) fn check(manifest: &Manifest, objects: &[Stored]) -> Result<(), VerifyError> {
    let kinds = kinds(manifest)?;
    let kind_of = |object: &Stored| {
        let found = kinds.get(&(object.path.resource.clone(), object.path.version.clone()));
        let what = || format!("the kind of entry `{}`", object.entry.path);
        found.copied().ok_or_else(|| contradiction(what(), "no such kind", &object.path.resource))
    };
    for object in objects {
        identity(kind_of(object)?, object)?;
    }
    counts(manifest, objects)?;
    definitions(manifest, objects)?;
    references(manifest, objects)?;
    let found = content_digest(objects.iter().map(|object| (object.entry.path.clone(), &object.value)));
    same("the content digest", &manifest.content_digest, &found)
}

fn contradiction(what: impl Into<String>, expected: &str, found: &str) -> VerifyError {
    VerifyError::Contradiction { what: what.into(), expected: expected.to_owned(), found: found.to_owned() }
}

fn same(what: impl Into<String>, expected: &str, found: &str) -> Result<(), VerifyError> {
    if expected == found { Ok(()) } else { Err(contradiction(what, expected, found)) }
}

/// The kinds by resource and version.
fn kinds(manifest: &Manifest) -> Result<HashMap<(String, String), &Kind>, VerifyError> {
    let mut kinds = HashMap::new();
    for record in &manifest.kinds {
        let kind = &record.kind;
        if kinds.insert((kind.resource(), kind.version.clone()), kind).is_some() {
            return Err(contradiction(format!("the kind {}", kind.resource()), "one", "listed twice"));
        }
    }
    Ok(kinds)
}

/// An object must be the one that its path names.
fn identity(kind: &Kind, object: &Stored) -> Result<(), VerifyError> {
    let text = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let of = |what: &str| format!("the {what} in entry `{}`", object.entry.path);
    same(of("name"), &object.path.name, text("/metadata/name"))?;
    same(of("namespace"), object.path.namespace.as_deref().unwrap_or_default(), text("/metadata/namespace"))?;
    same(of("kind"), &kind.kind, text("/kind"))?;
    same(of("apiVersion"), &kind.api_version(), text("/apiVersion"))?;
    let phase = phase(&object.value).unwrap_or_default();
    same(of("phase"), object.entry.phase.as_deref().unwrap_or_default(), phase)
}

/// Numbers of objects and phases of each kind.
fn counts(manifest: &Manifest, objects: &[Stored]) -> Result<(), VerifyError> {
    let mut found: BTreeMap<&str, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for object in objects {
        let (count, phases) = found.entry(&object.path.resource).or_default();
        *count += 1;
        if let Some(phase) = phase(&object.value) {
            *phases.entry(phase).or_default() += 1;
        }
    }
    for record in &manifest.kinds {
        let resource = record.kind.resource();
        let (count, phases) = found.remove(resource.as_str()).unwrap_or_default();
        same(format!("the number of {resource}"), &record.count.to_string(), &count.to_string())?;
        let expected: BTreeMap<&str, usize> =
            record.phases.iter().map(|(phase, count)| (phase.as_str(), *count)).collect();
        same(format!("the phases of {resource}"), &format!("{expected:?}"), &format!("{phases:?}"))?;
    }
    Ok(())
}

/// Every custom kind must come with its definition, and every definition be the one that was recorded.
fn definitions(manifest: &Manifest, objects: &[Stored]) -> Result<(), VerifyError> {
    let resource = Kind::definition().resource();
    let mut stored: HashMap<&str, &Stored> =
        objects.iter().filter(|o| o.path.resource == resource).map(|o| (o.path.name.as_str(), o)).collect();
    let custom = manifest.kinds.iter().filter(|record| record.kind.role >= Role::Config && record.count > 0);
    for kind in custom.map(|record| record.kind.resource()) {
        if !stored.contains_key(kind.as_str()) {
            return Err(contradiction(
                format!("the definition of {kind}"),
                "that there are objects",
                "absent",
            ));
        }
    }
    for record in &manifest.definitions {
        let found = stored.remove(record.name.as_str()).and_then(|object| object.value.get("spec"));
        let found = found.map(|spec| digest(&to_canonical(spec))).unwrap_or_default();
        same(format!("the schema of {}", record.name), &record.schema_sha256, &found)?;
    }
    match stored.into_keys().min() {
        Some(name) => Err(contradiction(format!("the definition {name}"), "no such definition", "an entry")),
        None => Ok(()),
    }
}

/// Namespaces, owners and Secrets that objects refer to.
fn references(manifest: &Manifest, objects: &[Stored]) -> Result<(), VerifyError> {
    let of_namespaces = Kind::namespace().resource();
    let namespaces: HashSet<&str> = objects
        .iter()
        .filter(|object| object.path.resource == of_namespaces)
        .map(|object| object.path.name.as_str())
        .collect();
    let mut known: HashSet<(String, &str, Option<&str>, &str)> = HashSet::new();
    for object in objects {
        let kind = object.value.get("kind").and_then(Value::as_str).unwrap_or_default();
        let group = object.path.resource.split_once('.').map(|(_plural, group)| group).unwrap_or_default();
        known.insert((group.to_owned(), kind, object.path.namespace.as_deref(), &object.path.name));
    }
    for object in objects {
        let namespace = object.path.namespace.as_deref();
        if let Some(namespace) = namespace.filter(|namespace| !namespaces.contains(namespace)) {
            let what = format!("the namespace `{namespace}` of entry `{}`", object.entry.path);
            return Err(contradiction(what, "that it has objects", "absent"));
        }
        let owners = object.value.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        for owner in owners.into_iter().flatten().map(Owner::of) {
            let found = [namespace, None].into_iter().any(|place| {
                known.contains(&(owner.group.clone(), owner.kind.as_str(), place, owner.name.as_str()))
            });
            if !found {
                let what =
                    format!("the owner {} `{}` of entry `{}`", owner.kind, owner.name, object.entry.path);
                return Err(contradiction(what, "that it is archived, too", "absent"));
            }
        }
    }
    let needed = |projected| required_secrets(objects.iter().map(|object| &object.value), projected);
    let (listed, found) = (&manifest.required_secrets, needed(true));
    // Archives from before Secrets of projected volumes were looked for list the others.
    if *listed == found || *listed == needed(false) {
        return Ok(());
    }
    let words = |secrets: &[_]| format!("{secrets:?}");
    Err(contradiction("the list of required Secrets", &words(listed), &words(&found)))
}

/// What a person should know before restoring.
pub(super) fn warnings(manifest: &Manifest, objects: &[Stored]) -> Vec<Warning> {
    let runs: HashSet<String> = manifest
        .kinds
        .iter()
        .filter(|record| record.kind.role == Role::Run)
        .map(|record| record.kind.resource())
        .collect();
    let mut warnings = Vec::new();
    for object in objects.iter().filter(|object| runs.contains(&object.path.resource)) {
        if let Some(message) = inconsistency(&object.value) {
            warnings.push(Warning { about: object.path.describe(), message: message.to_owned() });
        }
    }
    for terminating in &manifest.terminating {
        let message = "was being deleted and is not restored".to_owned();
        warnings.push(Warning { about: terminating.path.clone(), message });
    }
    if manifest.listing.method == Method::PerKind {
        let message = "was read at a moment of its own: objects of different kinds may not fit together";
        warnings.push(Warning { about: "each kind".to_owned(), message: message.to_owned() });
    }
    if let Some(reason) = &manifest.evidence.incomplete {
        let message = format!("could not be listed: {reason}");
        warnings.push(Warning { about: "the Jobs".to_owned(), message });
    }
    warnings
}
