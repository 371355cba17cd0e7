//! What accounts may do.
//!
//! Rights are compared per account, not per role: rules are taken apart into single rights, so that neither
//! the order nor the grouping of rules, nor roles that are split or joined, make a difference. Rights of a
//! role that the chart does not bring count by the role's name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::finding::Finding;
use super::rules;
use super::workload::{list, text};

/// A single right, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    /// A namespace; empty is the whole cluster.
    namespace: String,
    what: What,
    verb: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Resource {
        group: String,
        resource: String,
        name: String,
    },
    Url(String),
    /// Everything in a role of somebody else.
    Role(String),
}

type Rights = BTreeMap<String, BTreeSet<Right>>;

/// What changes in the rights that a chart grants.
pub(super) fn compare(old: &[Value], new: &[Value]) -> Vec<Finding> {
    let (before, after) = (rights(old), rights(new));
    let accounts: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let none = BTreeSet::new();
    let mut found = Vec::new();
    for account in accounts {
        let of = |rights: &'_ Rights| rights.get(account).unwrap_or(&none).clone();
        let (before, after) = (of(&before), of(&after));
        for (rule, may, more, less) in [
            (rules::RBAC_WIDENED, "may now", &after, &before),
            (rules::RBAC_NARROWED, "may not any more", &before, &after),
        ] {
            let gained = more.iter().filter(|right| !less.iter().any(|other| covers(other, right)));
            for ((namespace, what), verbs) in grouped(gained) {
                let place = if namespace.is_empty() {
                    "in the cluster".to_owned()
                } else {
                    format!("in {namespace}")
                };
                let (thing, words) = describe(what);
                let told = format!("{may} {} {thing} {place}", verbs.join(", "));
                found.push(
                    Finding::new(rule, account, format!("{account} {thing}"), told).mentioned_by(words),
                );
            }
        }
    }
    found
}

/// The verbs of each thing.
fn grouped<'a>(rights: impl Iterator<Item = &'a Right>) -> BTreeMap<(&'a str, &'a What), Vec<&'a str>> {
    let mut verbs: BTreeMap<(&str, &What), Vec<&str>> = BTreeMap::new();
    for right in rights {
        verbs.entry((&right.namespace, &right.what)).or_default().push(&right.verb);
    }
    verbs
}

/// The thing for people, and the words by which a changelog may name it.
fn describe(what: &What) -> (String, Vec<String>) {
    match what {
        What::Resource { group, resource, name } => {
            let dot = if group.is_empty() { "" } else { "." };
            let full = format!("{resource}{dot}{group}");
            let thing = if name.is_empty() { full.clone() } else { format!("{full} `{name}`") };
            (thing, vec![resource.clone(), full])
        }
        What::Url(url) => (url.clone(), vec![url.clone()]),
        What::Role(role) => {
            let name = role.rsplit(' ').next().unwrap_or(role);
            (format!("everything of {role}"), vec![name.to_owned()])
        }
    }
}

/// Whether whoever has `one` has `other`, too.
fn covers(one: &Right, other: &Right) -> bool {
    let is_within = |outer: &str, inner: &str| outer == "*" || outer == inner;
    let what = match (&one.what, &other.what) {
        (
            What::Resource { group, resource, name },
            What::Resource { group: other_group, resource: other_resource, name: other_name },
        ) => {
            is_within(group, other_group)
                && is_within(resource, other_resource)
                && (name.is_empty() || name == other_name)
        }
        (What::Url(url), What::Url(other)) => {
            url == other || url.strip_suffix('*').is_some_and(|start| other.starts_with(start))
        }
        (What::Role(role), What::Role(other)) => role == other,
        _ => false,
    };
    let is_there = one.namespace.is_empty() || one.namespace == other.namespace;
    what && is_there && is_within(&one.verb, &other.verb)
}

fn rights(objects: &[Value]) -> Rights {
    let is = |object: &Value, kind: &str| {
        text(object, "/kind") == kind && text(object, "/apiVersion").starts_with("rbac.authorization.k8s.io/")
    };
    let role = |kind: &str, namespace: &str, name: &str| {
        objects.iter().find(|object| {
            is(object, kind)
                && text(object, "/metadata/name") == name
                && (kind == "ClusterRole" || text(object, "/metadata/namespace") == namespace)
        })
    };
    let mut rights = Rights::new();
    let mut bound: BTreeSet<(String, String)> = BTreeSet::new();
    let bindings =
        objects.iter().filter(|object| is(object, "RoleBinding") || is(object, "ClusterRoleBinding"));
    for binding in bindings {
        let namespace = if is(binding, "RoleBinding") { text(binding, "/metadata/namespace") } else { "" };
        let (kind, name) = (text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"));
        bound.insert((kind.to_owned(), name.to_owned()));
        let granted = match role(kind, namespace, name) {
            Some(role) => granted(role, namespace),
            None => BTreeSet::from([Right {
                namespace: namespace.to_owned(),
                what: What::Role(format!("{kind} {name}")),
                verb: "do".to_owned(),
            }]),
        };
        for subject in list(binding, "/subjects") {
            let account = format!("{} {}", text(subject, "/kind"), text(subject, "/name"));
            rights.entry(account).or_default().extend(granted.iter().cloned());
        }
    }
    // A role that is bound by nobody here is there to be bound by others.
    for object in objects.iter().filter(|object| is(object, "Role") || is(object, "ClusterRole")) {
        let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
        if !bound.contains(&(kind.to_owned(), name.to_owned())) {
            let namespace = text(object, "/metadata/namespace");
            rights.entry(format!("{kind} {name}")).or_default().extend(granted(object, namespace));
        }
    }
    rights
}

fn granted(role: &Value, namespace: &str) -> BTreeSet<Right> {
    let mut granted = BTreeSet::new();
    for rule in list(role, "/rules") {
        let texts = |key: &str| -> Vec<String> {
            list(rule, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (groups, resources, urls) = (texts("/apiGroups"), texts("/resources"), texts("/nonResourceURLs"));
        let mut names = texts("/resourceNames");
        if names.is_empty() {
            names.push(String::new());
        }
        let mut things: Vec<What> = urls.into_iter().map(What::Url).collect();
        for group in &groups {
            for resource in &resources {
                things.extend(names.iter().map(|name| What::Resource {
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                }));
            }
        }
        for verb in texts("/verbs") {
            granted.extend(things.iter().map(|what| Right {
                namespace: namespace.to_owned(),
                what: what.clone(),
                verb: verb.clone(),
            }));
        }
    }
    granted
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn role(kind: &str, name: &str, rules: &Value) -> Value {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "n"}, "rules": rules})
    }

    fn binding(kind: &str, role_kind: &str, role: &str) -> Value {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": role, "namespace": "n"},
            "roleRef": {"kind": role_kind, "name": role}, "subjects": [{"kind": "ServiceAccount", "name": "sa"}]})
    }

    fn bound(rules: &Value) -> Vec<Value> {
        vec![role("Role", "r", rules), binding("RoleBinding", "Role", "r")]
    }

    fn told(old: &[Value], new: &[Value]) -> Vec<String> {
        compare(old, new).into_iter().map(|finding| format!("{} {}", finding.rule.id, finding.what)).collect()
    }

    #[rstest]
    #[case::grouped_otherwise(
        json!([{"apiGroups": ["", "b"], "resources": ["x"], "verbs": ["get", "list"]}]),
        json!([{"apiGroups": ["b"], "resources": ["x"], "verbs": ["list", "get"]}, {"apiGroups": [""], "resources": ["x"], "verbs": ["get", "list"]}]),
        &[]
    )]
    #[case::a_verb_more(
        json!([{"apiGroups": [""], "resources": ["x"], "verbs": ["get"]}]),
        json!([{"apiGroups": [""], "resources": ["x"], "verbs": ["get", "delete"]}]),
        &["RBAC-WIDENED may now delete x in n"]
    )]
    #[case::a_resource_less(
        json!([{"apiGroups": ["g"], "resources": ["x", "y"], "verbs": ["get"]}]),
        json!([{"apiGroups": ["g"], "resources": ["x"], "verbs": ["get"]}]),
        &["RBAC-NARROWED may not any more get y.g in n"]
    )]
    #[case::all_verbs(
        json!([{"apiGroups": [""], "resources": ["x"], "verbs": ["get"]}]),
        json!([{"apiGroups": [""], "resources": ["x"], "verbs": ["*"]}]),
        &["RBAC-WIDENED may now * x in n"]
    )]
    #[case::fewer_of_all(
        json!([{"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}]),
        json!([{"apiGroups": [""], "resources": ["x"], "verbs": ["get"]}]),
        &["RBAC-NARROWED may not any more * * in n"]
    )]
    #[case::no_longer_one_by_name(
        json!([{"apiGroups": [""], "resources": ["x"], "resourceNames": ["a"], "verbs": ["get"]}]),
        json!([{"apiGroups": [""], "resources": ["x"], "verbs": ["get"]}]),
        &["RBAC-WIDENED may now get x in n"]
    )]
    fn rights_are_compared_one_by_one(#[case] old: Value, #[case] new: Value, #[case] expected: &[&str]) {
        assert_eq!(told(&bound(&old), &bound(&new)), expected);
    }

    #[test]
    fn the_same_rules_in_the_whole_cluster_are_more() {
        let rules = json!([{"apiGroups": [""], "resources": ["x"], "verbs": ["get"]}]);
        let cluster = [role("ClusterRole", "r", &rules), binding("ClusterRoleBinding", "ClusterRole", "r")];
        assert_eq!(told(&bound(&rules), &cluster), ["RBAC-WIDENED may now get x in the cluster"]);
    }

    #[test]
    fn a_role_that_is_split_grants_the_same() {
        let rule = |resource: &str| json!([{"apiGroups": [""], "resources": [resource], "verbs": ["get"]}]);
        let one = bound(&json!([{"apiGroups": [""], "resources": ["x", "y"], "verbs": ["get"]}]));
        let two = [
            role("Role", "rx", &rule("x")),
            role("Role", "ry", &rule("y")),
            binding("RoleBinding", "Role", "rx"),
            binding("RoleBinding", "Role", "ry"),
        ];
        assert!(told(&one, &two).is_empty());
    }

    #[test]
    fn a_role_of_somebody_else_counts_by_its_name() {
        let new = [binding("ClusterRoleBinding", "ClusterRole", "cluster-admin")];
        let found = compare(&[], &new);
        assert_eq!(found[0].what, "may now do everything of ClusterRole cluster-admin in the cluster");
        assert_eq!(found[0].mentions, ["cluster-admin"]);
    }
}
