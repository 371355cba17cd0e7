//! Changes of a chart's values: their keys, what is accepted, and the defaults.
//!
//! Helm merges values.yaml under what a user gives and then asks values.schema.json. So a key is gone when
//! neither names it any more, a default is what values.yaml says, and a `default` in the schema is only a
//! remark.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::chart::{Chart, place};
use super::finding::Finding;
use super::rules::{self, Rule};
use super::schema::{Change, Conjunction, Dialect, Kind, View, compare as compare_schemas};
use crate::yaml::{Entry, Location, Node};

/// Everything that changes for those who give values.
pub(super) fn compare(old: &Chart, new: &Chart) -> Vec<Finding> {
    let mut walk = Walk { old, new, found: Vec::new(), removed: Vec::new(), added: Vec::new() };
    match (&old.schema, &new.schema) {
        (Some(before), Some(after)) => {
            for change in compare_schemas(before, after, Dialect::Json) {
                walk.accepted(&change);
            }
        }
        (None, Some(schema)) => {
            let what = "values are validated by a schema, which was not there";
            let place = place(&schema.location);
            walk.found.push(Finding::new(rules::VALUES_NARROWED, place, "values.schema.json", what));
        }
        (Some(schema), None) => {
            let place = place(&schema.location);
            let what = "values are not validated any more";
            walk.found.push(Finding::new(rules::VALUES_WIDENED, place, "values.schema.json", what));
        }
        (None, None) => {}
    }
    walk.maps(&old.values, &new.values, "");
    walk.rename();
    for name in
        old.value_sets.keys().filter(|name| !name.starts_with("ci/") && !new.value_sets.contains_key(*name))
    {
        walk.found.push(Finding::new(rules::VALUES_FILE_REMOVED, name, name, "the file is gone"));
    }
    walk.found
}

/// A key that only one side has.
struct Key<'a> {
    path: String,
    at: &'a Location,
    default: Json,
}

struct Walk<'a> {
    old: &'a Chart,
    new: &'a Chart,
    found: Vec<Finding>,
    removed: Vec<Key<'a>>,
    added: Vec<Key<'a>>,
}

impl<'a> Walk<'a> {
    /// A difference between the schemas.
    fn accepted(&mut self, change: &Change<'a>) {
        let path = change.path.clone();
        let rule = match change.kind {
            Kind::FieldRemoved | Kind::FieldUntyped => {
                if change.kind == Kind::FieldUntyped && default_at(&self.new.values, &path).is_some() {
                    return;
                }
                let default = default_at(&self.old.values, &path).map(Node::to_json).unwrap_or_default();
                self.removed.push(Key { path, at: change.at, default });
                return;
            }
            Kind::FieldAdded => {
                let default = default_at(&self.new.values, &path).map(Node::to_json).unwrap_or_default();
                self.added.push(Key { path, at: change.at, default });
                return;
            }
            // Helm validates what is left after values.yaml filled the holes.
            Kind::NewlyRequired if default_at(&self.new.values, &path).is_some() => return,
            // A remark.
            Kind::DefaultChanged => return,
            kind => rule(kind),
        };
        self.found.push(Finding::new(rule, place(change.at), path, change.what.clone()));
    }

    /// A difference between the defaults.
    fn maps(&mut self, old: &'a Node, new: &'a Node, path: &str) {
        let entries = |node: &'a Node| node.as_map().unwrap_or_default();
        for entry in entries(old) {
            let inner = join(path, &entry.key);
            match new.get(&entry.key) {
                Some(other) => self.default(entry, other, new, &inner),
                None => self.without_default(entry, new, &inner),
            }
        }
        for entry in entries(new).iter().filter(|entry| old.get(&entry.key).is_none()) {
            let path = join(path, &entry.key);
            let is_content = self.new.schema.is_some() && !is_known(self.new, &path);
            if is_known(self.old, &path) || is_content {
                self.changed(&path, &Json::Null, &entry.value.to_json(), &entry.key_location);
            } else if !is_within(&self.added, &path) {
                self.added.push(Key { path, at: &entry.key_location, default: entry.value.to_json() });
            }
        }
    }

    fn default(&mut self, old: &'a Entry, new: &'a Node, parent: &'a Node, path: &str) {
        let at = key_location(parent, &old.key).unwrap_or(&new.location);
        let is_map = |node: &Node| node.as_map().is_some();
        match (is_map(&old.value), is_map(new)) {
            (true, true) => self.maps(&old.value, new, path),
            (false, false) => self.changed(path, &old.value.to_json(), &new.to_json(), at),
            // A null stands for a map as well as for anything else.
            _ if old.value.to_json().is_null() || new.to_json().is_null() => {
                self.changed(path, &old.value.to_json(), &new.to_json(), at);
            }
            _ => {
                let what = format!("the default was {} and is {}", old.value.kind(), new.kind());
                self.found.push(Finding::new(rules::VALUES_TYPE_CHANGED, place(at), path, what));
            }
        }
    }

    /// A key that values.yaml does not name any more.
    fn without_default(&mut self, entry: &'a Entry, new: &'a Node, path: &str) {
        let default = entry.value.to_json();
        // What a map that anybody may fill holds is a default, and no key.
        let was_content = self.old.schema.is_some() && !is_known(self.old, path);
        let is_content = self.new.schema.is_none() && new.as_map().is_some_and(<[_]>::is_empty);
        if is_known(self.new, path) || was_content || is_content {
            self.changed(path, &default, &Json::Null, &entry.key_location);
        } else if !is_within(&self.removed, path) {
            self.removed.push(Key { path: path.to_owned(), at: &entry.key_location, default });
        }
    }

    fn changed(&mut self, path: &str, before: &Json, after: &Json, at: &Location) {
        if before == after {
            return;
        }
        let is = |chart: &Chart, value: &Json| {
            !chart.text("appVersion").is_empty() && value.as_str() == Some(chart.text("appVersion"))
        };
        let rule = if is(self.old, before) && is(self.new, after) {
            rules::VALUES_VERSION_FOLLOWED
        } else {
            rules::VALUES_DEFAULT_CHANGED
        };
        let what = format!("the default {} became {}", words(before), words(after));
        self.found.push(Finding::new(rule, place(at), path, what));
    }

    /// Tells what is gone and what is new; a key that went and came with the same default was renamed.
    fn rename(&mut self) {
        let (removed, added) = (std::mem::take(&mut self.removed), std::mem::take(&mut self.added));
        let is_likely = |old: &Key<'_>, new: &Key<'_>| {
            let (old_parent, old_name) = split(&old.path);
            let (parent, name) = split(&new.path);
            old.default == new.default && !old.default.is_null() && (old_parent == parent || old_name == name)
        };
        for old in &removed {
            let mut candidates = added.iter().filter(|new| is_likely(old, new));
            let rivals = removed
                .iter()
                .filter(|other| added.iter().any(|new| is_likely(old, new) && is_likely(other, new)));
            let finding = if let (Some(new), None, 1) = (candidates.next(), candidates.next(), rivals.count())
            {
                let what = format!("it is called `{}` now", new.path);
                Finding::new(rules::VALUES_KEY_RENAMED, place(new.at), &old.path, what)
            } else {
                Finding::new(rules::VALUES_KEY_REMOVED, place(old.at), &old.path, "it is gone")
            };
            self.found.push(finding);
        }
        for new in added {
            self.found.push(Finding::new(rules::VALUES_KEY_ADDED, place(new.at), new.path, "it is new"));
        }
    }
}

fn rule(kind: Kind) -> Rule {
    match kind {
        Kind::TypeNarrowed => rules::VALUES_TYPE_CHANGED,
        Kind::NewlyRequired => rules::VALUES_NEWLY_REQUIRED,
        kind if kind.narrows() => rules::VALUES_NARROWED,
        _ => rules::VALUES_WIDENED,
    }
}

/// Whether the chart names a key, in its schema if it has one.
fn is_known(chart: &Chart, path: &str) -> bool {
    let Some(root) = &chart.schema else { return default_at(&chart.values, path).is_some() };
    let mut schema: Conjunction<'_> = vec![root];
    for name in path.split('.') {
        let view = View::new(&schema, root, Dialect::Json);
        match view.property(name) {
            Some(property) => schema = property.clone(),
            None => return false,
        }
    }
    true
}

/// Whether a key or a map around it is told already.
fn is_within(keys: &[Key<'_>], path: &str) -> bool {
    let told: BTreeSet<&str> = keys.iter().map(|key| key.path.as_str()).collect();
    told.contains(path)
        || path.match_indices('.').any(|(end, _)| path.get(..end).is_some_and(|path| told.contains(path)))
}

fn default_at<'a>(values: &'a Node, path: &str) -> Option<&'a Node> {
    path.split('.').try_fold(values, |node, key| node.get(key))
}

fn key_location<'a>(map: &'a Node, key: &str) -> Option<&'a Location> {
    map.as_map()?.iter().find(|entry| entry.key == key).map(|entry| &entry.key_location)
}

fn words(value: &Json) -> String {
    match value {
        Json::Null => "none".to_owned(),
        value => value.to_string(),
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    fn chart(values: &str, schema: &str) -> Chart {
        let mut files = BTreeMap::from([
            ("Chart.yaml".to_owned(), b"appVersion: v1".to_vec()),
            ("values.yaml".to_owned(), values.into()),
        ]);
        if !schema.is_empty() {
            files.insert("values.schema.json".to_owned(), schema.into());
        }
        Chart::read("c", &files).expect("reads")
    }

    fn found(old: (&str, &str), new: (&str, &str)) -> Vec<String> {
        let mut found: Vec<String> = compare(&chart(old.0, old.1), &chart(new.0, new.1))
            .into_iter()
            .map(|finding| format!("{} {}", finding.rule.id, finding.subject))
            .collect();
        found.sort();
        found
    }

    #[rstest]
    #[case::nothing("{a: 1, b: {c: 2}}", "{b: {c: 2}, a: 1}", &[])]
    #[case::removed("{a: {b: 1, c: 2}}", "{a: {b: 1}}", &["VALUES-KEY-REMOVED a.c"])]
    #[case::a_whole_map("{a: {b: {c: 1, d: 2}}, x: 1}", "{a: {}, x: 1}", &["VALUES-DEFAULT-CHANGED a.b"])]
    #[case::added("{a: 1}", "{a: 1, b: 2}", &["VALUES-KEY-ADDED b"])]
    #[case::renamed("{a: {old: 7, x: 1}}", "{a: {new: 7, x: 1}}", &["VALUES-KEY-ADDED a.new", "VALUES-KEY-RENAMED a.old"])]
    #[case::moved("{a: {n: 7}, b: {x: 1}}", "{a: {y: 1}, b: {n: 7, x: 1}}", &["VALUES-KEY-ADDED a.y", "VALUES-KEY-ADDED b.n", "VALUES-KEY-RENAMED a.n"])]
    #[case::default("{a: 1}", "{a: 2}", &["VALUES-DEFAULT-CHANGED a"])]
    #[case::default_list("{a: [1]}", "{a: [1, 2]}", &["VALUES-DEFAULT-CHANGED a"])]
    #[case::kind("{a: {b: 1}}", "{a: text}", &["VALUES-TYPE-CHANGED a"])]
    fn without_a_schema_values_yaml_names_the_keys(
        #[case] old: &str,
        #[case] new: &str,
        #[case] expected: &[&str],
    ) {
        assert_eq!(found((old, ""), (new, "")), expected);
    }

    #[rstest]
    #[case::no_default_any_more(
        ("{a: 1}", "{properties: {a: {type: integer}}, additionalProperties: false}"),
        ("{}", "{properties: {a: {type: integer}}, additionalProperties: false}"),
        &["VALUES-DEFAULT-CHANGED a"]
    )]
    #[case::gone_from_both(
        ("{a: 1}", "{properties: {a: {type: integer}}, additionalProperties: false}"),
        ("{}", "{properties: {}, additionalProperties: false}"),
        &["VALUES-KEY-REMOVED a"]
    )]
    #[case::silently_ignored(("{a: 1}", "{properties: {a: {}}}"), ("{}", "{}"), &["VALUES-KEY-REMOVED a"])]
    #[case::narrowed(
        ("{a: 1}", "{properties: {a: {maximum: 9}}}"),
        ("{a: 1}", "{properties: {a: {maximum: 8}}}"),
        &["VALUES-NARROWED a"]
    )]
    #[case::widened(
        ("{a: 1}", "{properties: {a: {maximum: 8}}}"),
        ("{a: 1}", "{properties: {a: {maximum: 9}}}"),
        &["VALUES-WIDENED a"]
    )]
    #[case::another_type(
        ("{a: 1}", "{properties: {a: {type: integer}}}"),
        ("{a: 1}", "{properties: {a: {type: string}}}"),
        &["VALUES-TYPE-CHANGED a"]
    )]
    #[case::required_without_default(
        ("{}", "{properties: {a: {}}}"),
        ("{}", "{properties: {a: {}}, required: [a]}"),
        &["VALUES-NEWLY-REQUIRED a"]
    )]
    #[case::required_with_default(
        ("{a: 1}", "{properties: {a: {}}}"),
        ("{a: 1}", "{properties: {a: {}}, required: [a]}"),
        &[]
    )]
    #[case::content_of_an_open_map(
        ("{a: {cpu: 1, memory: 2}}", "{properties: {a: {type: object}}}"),
        ("{a: {cpu: 1}}", "{properties: {a: {type: object}}}"),
        &["VALUES-DEFAULT-CHANGED a.memory"]
    )]
    #[case::a_schema_that_was_not_there(("{a: 1}", ""), ("{a: 1}", "{}"), &["VALUES-NARROWED values.schema.json"])]
    fn with_a_schema_both_name_the_keys(
        #[case] old: (&str, &str),
        #[case] new: (&str, &str),
        #[case] expected: &[&str],
    ) {
        assert_eq!(found(old, new), expected);
    }

    #[test]
    fn a_default_that_is_the_app_version_follows_it() {
        let old = chart("{image: {tag: v1}}", "");
        let mut new = chart("{image: {tag: v2}}", "");
        assert_eq!(compare(&old, &new)[0].rule, rules::VALUES_DEFAULT_CHANGED);
        new.metadata = chart("", "").metadata;
        let text = b"appVersion: v2".to_vec();
        new.metadata =
            Chart::read("", &BTreeMap::from([("Chart.yaml".to_owned(), text)])).expect("reads").metadata;
        assert_eq!(compare(&old, &new)[0].rule, rules::VALUES_VERSION_FOLLOWED);
    }
}
