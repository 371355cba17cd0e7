//! Targets that name nothing: what was searched, whether it ever was there, and what is there instead.

use std::sync::Arc;

use serde_json::Value;

use super::candidate::{describe, when};
use super::{Evidence, Finding, words};
use crate::check::select::{Selection, objects};
use crate::record::{Change, Entry, ObjectVersion};
use crate::scenario::assertion::{Claim, Target};

/// Similar objects that are named.
const SIMILAR: usize = 5;

/// The finding for a claim that has no version to look at.
pub(super) fn not_found(claim: &Claim, selection: &Selection<'_>, evidence: Evidence<'_>) -> Finding {
    let searched = words::target(&claim.target);
    let bindings = evidence.bindings;
    let kind = match &claim.target {
        Target::Object { alias } => bindings.objects.get(alias).map_or("", |bound| bound.kind.as_str()),
        Target::Resources { kind, .. } => kind.as_str(),
        Target::Requests { .. } | Target::Log => return Finding::sentence(format!("no {searched} was seen")),
        Target::Rendered { of, .. } => {
            let rendered = bindings.rendered.get(of).into_iter().flat_map(|objects| objects.iter());
            let names: Vec<String> = rendered.filter_map(rendered_name).collect();
            return Finding::sentence(format!("no {searched}; rendered are: {}", names.join(", ")));
        }
    };
    let deleted = selection.versions.iter().rev().find(|version| version.change == Change::Deleted);
    let past = match deleted {
        Some(version) => {
            format!("{} was there and was deleted at {}", describe(version), when(version, evidence))
        }
        None => "it never was there".to_owned(),
    };
    let similar = similar(kind, evidence);
    let nearest = format!("no {searched} in namespace {}; {past}; {similar}", bindings.namespace);
    Finding { object: deleted.map(describe).unwrap_or_default(), ..Finding::sentence(nearest) }
}

fn similar(kind: &str, evidence: Evidence<'_>) -> String {
    let namespace = &evidence.bindings.namespace;
    let versions = last_versions(evidence.history, |version| {
        version.kind == kind && (version.namespace.is_empty() || version.namespace == *namespace)
    });
    if versions.is_empty() {
        return format!("no {kind} at all was seen");
    }
    let names: Vec<String> = versions
        .iter()
        .take(SIMILAR)
        .map(|version| {
            let gone = if version.change == Change::Deleted { " (deleted)" } else { "" };
            format!("{}{gone}", version.describe())
        })
        .collect();
    let more = match versions.len().saturating_sub(SIMILAR) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("seen of this kind: {}{more}", names.join(", "))
}

/// The last recorded version of every object that `filter` takes, in order of first appearance.
fn last_versions(history: &[Arc<Entry>], filter: impl Fn(&ObjectVersion) -> bool) -> Vec<&ObjectVersion> {
    let mut last: Vec<&ObjectVersion> = Vec::new();
    for (_, version) in objects(history).filter(|(_, version)| filter(version)) {
        match last.iter_mut().find(|known| known.uid == version.uid) {
            Some(known) => *known = version,
            None => last.push(version),
        }
    }
    last
}

fn rendered_name(object: &Value) -> Option<String> {
    let kind = object.get("kind")?.as_str()?;
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Some(format!("{kind} {name}"))
}
