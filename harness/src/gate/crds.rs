//! Changes of custom resource definitions, for clients and for objects that are stored already.
//!
//! What counts as breaking follows the rules of the Kubernetes API ("API change compatibility" of the API
//! conventions) and what the API server does with stored objects: it prunes fields that a schema does not
//! name and refuses writes of objects that are not valid any more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::chart::place;
use super::finding::{Finding, tidy};
use super::rules::{self, Rule};
use super::schema::{Dialect, Kind, canonical, compare as compare_schemas};
use crate::yaml::{Location, Node, Value};

/// Everything that changes from one set of definitions to another, the worst first.
pub fn compare(old: &[Node], new: &[Node]) -> Vec<Finding> {
    let (before, after) = (by_name(old), by_name(new));
    let mut found = Vec::new();
    for (name, crd) in &before {
        match after.get(name) {
            Some(other) => definition(name, crd, other, &mut found),
            None => found.push(removed(name, crd, &before, &after)),
        }
    }
    for (name, crd) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        found.push(Finding::new(rules::CRD_ADDED, place(&crd.location), *name, "the definition is new"));
    }
    tidy(found)
}

type Definitions<'a> = BTreeMap<&'a str, &'a Node>;

fn by_name(crds: &[Node]) -> Definitions<'_> {
    crds.iter().map(|crd| (text(crd, &["metadata", "name"]), crd)).collect()
}

fn at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

fn text<'a>(node: &'a Node, path: &[&str]) -> &'a str {
    at(node, path).and_then(Node::as_str).unwrap_or_default()
}

/// A value for comparison, null if it is absent.
fn json(node: &Node, path: &[&str]) -> Json {
    at(node, path).map(Node::to_json).unwrap_or_default()
}

fn is_true(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|node| node.value == Value::Bool(true))
}

/// A definition that is gone; one of its kind in another group is the same kind moved.
fn removed(name: &str, crd: &Node, before: &Definitions<'_>, after: &Definitions<'_>) -> Finding {
    let kind = text(crd, &["spec", "names", "kind"]);
    let moved = after.iter().find(|(other, candidate)| {
        !before.contains_key(*other) && text(candidate, &["spec", "names", "kind"]) == kind
    });
    match moved {
        Some((other, candidate)) => {
            let what = format!("kind {kind} moved to {other}");
            Finding::new(rules::CRD_GROUP_CHANGED, place(&candidate.location), name, what)
        }
        None => Finding::new(rules::CRD_REMOVED, place(&crd.location), name, "the definition is gone"),
    }
}

fn definition(name: &str, old: &Node, new: &Node, found: &mut Vec<Finding>) {
    let mut tell = |rule: Rule, path: &[&str], what: String| {
        let location = at(new, path).map_or(&new.location, |node| &node.location);
        found.push(Finding::new(rule, place(location), name, what));
    };
    let mut became = |rule: Rule, path: &[&str]| {
        let (before, after) = (json(old, path), json(new, path));
        if before != after {
            tell(rule, path, format!("{} {before} became {after}", path.join(".")));
        }
    };
    became(rules::CRD_SCOPE_CHANGED, &["spec", "scope"]);
    for field in ["kind", "plural", "singular", "listKind"] {
        // What is absent is derived from the kind.
        if at(old, &["spec", "names", field]).is_some() && at(new, &["spec", "names", field]).is_some() {
            became(rules::CRD_NAMES_CHANGED, &["spec", "names", field]);
        }
    }
    for field in ["shortNames", "categories"] {
        let set = |node| strings(at(node, &["spec", "names", field]));
        if set(old) != set(new) {
            became(rules::CRD_SHORT_NAMES_CHANGED, &["spec", "names", field]);
        }
    }
    became(rules::CRD_CONVERSION_CHANGED, &["spec", "conversion"]);
    versions(name, old, new, found);
}

fn strings(node: Option<&Node>) -> BTreeSet<&str> {
    node.and_then(Node::as_list).unwrap_or_default().iter().filter_map(Node::as_str).collect()
}

fn list_of_versions(crd: &Node) -> BTreeMap<&str, &Node> {
    let versions = at(crd, &["spec", "versions"]).and_then(Node::as_list).unwrap_or_default();
    versions.iter().map(|version| (text(version, &["name"]), version)).collect()
}

fn versions(name: &str, old: &Node, new: &Node, found: &mut Vec<Finding>) {
    let (before, after) = (list_of_versions(old), list_of_versions(new));
    for (version, schema) in &before {
        let subject = format!("{name} {version}");
        let mut tell = |rule, location: &Location, what: &str| {
            found.push(Finding::new(rule, place(location), subject.clone(), what));
        };
        let Some(other) = after.get(version) else {
            tell(rules::CRD_VERSION_REMOVED, &schema.location, "the version is gone");
            continue;
        };
        if is_true(schema, "served") && !is_true(other, "served") {
            tell(rules::CRD_VERSION_NOT_SERVED, &other.location, "the version is not served any more");
        }
        if is_true(other, "deprecated") && !is_true(schema, "deprecated") {
            tell(rules::CRD_VERSION_DEPRECATED, &other.location, "the version is deprecated");
        }
        self::version(&subject, schema, other, found);
    }
    for (version, schema) in after.iter().filter(|(version, _)| !before.contains_key(*version)) {
        let subject = format!("{name} {version}");
        found.push(Finding::new(
            rules::CRD_VERSION_ADDED,
            place(&schema.location),
            subject,
            "the version is new",
        ));
    }
    storage(name, new, &before, &after, found);
}

/// Objects stay stored in the version in which they were written last.
fn storage(
    name: &str,
    new: &Node,
    before: &BTreeMap<&str, &Node>,
    after: &BTreeMap<&str, &Node>,
    found: &mut Vec<Finding>,
) {
    let stored = |versions: &BTreeMap<&str, &Node>| {
        versions.iter().find(|(_, version)| is_true(version, "storage")).map(|(name, _)| (*name).to_owned())
    };
    let (Some(old_version), Some(new_version)) = (stored(before), stored(after)) else { return };
    if old_version == new_version {
        return;
    }
    let schema = |version: &str| after.get(version).map(|version| json(version, &["schema"]));
    let is_converted = text(new, &["spec", "conversion", "strategy"]) == "Webhook";
    let is_kept = after.contains_key(old_version.as_str());
    let is_same = schema(&old_version) == schema(&new_version);
    let rule = if is_kept && (is_converted || is_same) {
        rules::CRD_STORAGE_MIGRATES
    } else {
        rules::CRD_STORAGE_CHANGED
    };
    let location = after.get(new_version.as_str()).map_or(&new.location, |version| &version.location);
    let what = format!("the version that is stored, {old_version}, became {new_version}");
    found.push(Finding::new(rule, place(location), name, what));
}

fn version(subject: &str, old: &Node, new: &Node, found: &mut Vec<Finding>) {
    subresources(subject, old, new, found);
    let selectable = |node: &Node| -> BTreeSet<String> {
        let fields = node.get("selectableFields").and_then(Node::as_list).unwrap_or_default();
        fields.iter().map(|field| text(field, &["jsonPath"]).to_owned()).collect()
    };
    for path in selectable(old).difference(&selectable(new)) {
        let what = format!("`{path}` cannot be selected by any more");
        found.push(Finding::new(rules::CRD_SELECTABLE_FIELD_REMOVED, place(&new.location), subject, what));
    }
    let columns = |node: &Node| -> BTreeSet<String> {
        let columns = node.get("additionalPrinterColumns").and_then(Node::as_list).unwrap_or_default();
        columns.iter().map(|column| canonical(&column.to_json()).to_string()).collect()
    };
    if columns(old) != columns(new) {
        let location = new.get("additionalPrinterColumns").map_or(&new.location, |node| &node.location);
        let what = "the columns that people see changed";
        found.push(Finding::new(rules::CRD_COLUMNS_CHANGED, place(location), subject, what));
    }
    let path = ["schema", "openAPIV3Schema"];
    if let (Some(old), Some(new)) = (at(old, &path), at(new, &path)) {
        found.extend(compare_schemas(old, new, Dialect::Structural).into_iter().map(|change| {
            let about = format!("{subject} {}", change.path);
            Finding::new(rule(change.kind), place(change.at), about.trim_end(), change.what)
        }));
    }
}

fn subresources(subject: &str, old: &Node, new: &Node, found: &mut Vec<Finding>) {
    for name in ["status", "scale"] {
        let path = ["subresources", name];
        let location = at(new, &path).map_or(&new.location, |node| &node.location);
        let mut tell = |rule, what: String| found.push(Finding::new(rule, place(location), subject, what));
        match (at(old, &path), at(new, &path)) {
            (Some(_), None) => {
                tell(rules::CRD_SUBRESOURCE_REMOVED, format!("the subresource `{name}` is gone"));
            }
            (None, Some(_)) => {
                tell(rules::CRD_SUBRESOURCE_CHANGED, format!("the subresource `{name}` is new"));
            }
            (Some(before), Some(after)) if before.to_json() != after.to_json() => {
                let what = format!("the paths of the subresource `{name}` changed");
                tell(rules::CRD_SUBRESOURCE_REMOVED, what);
            }
            _ => {}
        }
    }
}

fn rule(kind: Kind) -> Rule {
    match kind {
        Kind::FieldRemoved => rules::CRD_FIELD_REMOVED,
        Kind::FieldAdded => rules::CRD_FIELD_ADDED,
        Kind::FieldUntyped => rules::CRD_FIELD_UNTYPED,
        Kind::TypeNarrowed => rules::CRD_TYPE_CHANGED,
        Kind::TypeWidened => rules::CRD_TYPE_WIDENED,
        Kind::NewlyRequired => rules::CRD_NEWLY_REQUIRED,
        Kind::EnumNarrowed => rules::CRD_ENUM_NARROWED,
        Kind::BoundNarrowed => rules::CRD_BOUND_NARROWED,
        Kind::PatternNarrowed => rules::CRD_PATTERN_NARROWED,
        Kind::NullableRemoved => rules::CRD_NULLABLE_REMOVED,
        Kind::UnknownFieldsDropped => rules::CRD_UNKNOWN_FIELDS_DROPPED,
        Kind::ListTypeChanged => rules::CRD_LIST_TYPE_CHANGED,
        Kind::RuleAdded => rules::CRD_RULE_ADDED,
        Kind::RuleChanged => rules::CRD_RULE_CHANGED,
        Kind::DefaultChanged => rules::CRD_DEFAULT_CHANGED,
        Kind::ConditionChanged => rules::CRD_CONDITION_CHANGED,
        Kind::Widened => rules::CRD_VALIDATION_WIDENED,
    }
}

#[cfg(test)]
mod tests;
