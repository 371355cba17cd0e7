//! Changes of the objects that a chart renders with one set of values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::finding::Finding;
use super::workload::{containers, list, pod_path, text};
use super::{environment, images, rbac, rules, security};

/// Everything that changes; `values` names the set of values with which both were rendered.
pub fn compare(old: &[Value], new: &[Value], values: &str) -> Vec<Finding> {
    let (before, after) = (by_identity(old), by_identity(new));
    let mut found = rbac::compare(old, new);
    for (identity, object) in &before {
        match after.get(identity) {
            Some(other) => same(&identity.to_string(), object, other, &mut found),
            None => found.push(
                Finding::new(rules::OBJECT_REMOVED, identity.to_string(), identity.to_string(), "it is gone")
                    .mentioned_by([identity.name, identity.kind]),
            ),
        }
    }
    for (identity, object) in after.iter().filter(|(identity, _)| !before.contains_key(*identity)) {
        let place = identity.to_string();
        found.push(Finding::new(rules::OBJECT_ADDED, &place, &place, "it is new"));
        found.extend(containers(object).into_iter().flat_map(|new| security::compare(&place, None, new)));
    }
    for finding in &mut found {
        finding.renderings.insert(values.to_owned());
    }
    found
}

/// What makes two objects the same one; a version of the API does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Identity<'a> {
    group: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

impl std::fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

fn by_identity(objects: &[Value]) -> BTreeMap<Identity<'_>, &Value> {
    let identity = |object| {
        let api_version = text(object, "/apiVersion");
        Identity {
            group: api_version.split_once('/').map_or("", |(group, _)| group),
            kind: text(object, "/kind"),
            namespace: text(object, "/metadata/namespace"),
            name: text(object, "/metadata/name"),
        }
    };
    objects.iter().map(|object| (identity(object), object)).collect()
}

fn same(place: &str, old: &Value, new: &Value, found: &mut Vec<Finding>) {
    immutable(place, old, new, found);
    pods(place, old, new, found);
    ports(place, old, new, found);
    let (mut old, mut new) = (old.clone(), new.clone());
    leave_out(&mut old);
    leave_out(&mut new);
    let mut changes = Vec::new();
    fields(&old, &new, "", &mut changes);
    found.extend(
        changes
            .into_iter()
            .map(|(path, what)| Finding::new(rules::OBJECT_CHANGED, place, format!("{place} {path}"), what)),
    );
}

/// Fields that the API server lets nobody change.
fn immutable(place: &str, old: &Value, new: &Value, found: &mut Vec<Finding>) {
    let fields: &[&str] = match text(new, "/kind") {
        "Deployment" | "DaemonSet" | "ReplicaSet" => &["/spec/selector"],
        "StatefulSet" => &["/spec/selector", "/spec/volumeClaimTemplates", "/spec/serviceName"],
        "Job" => &["/spec/selector", "/spec/template", "/spec/completionMode"],
        "RoleBinding" | "ClusterRoleBinding" => &["/roleRef"],
        "PersistentVolumeClaim" => &["/spec/storageClassName", "/spec/accessModes"],
        "StorageClass" => &["/provisioner", "/parameters", "/reclaimPolicy"],
        _ => &[],
    };
    for field in fields {
        let (before, after) = (old.pointer(field), new.pointer(field));
        if before != after {
            let words = |value: Option<&Value>| value.map_or("none".to_owned(), Value::to_string);
            let path = field.trim_start_matches('/').replace('/', ".");
            let what = format!("`{path}` {} became {}", words(before), words(after));
            let subject = format!("{place} {path}");
            found.push(Finding::new(rules::OBJECT_IMMUTABLE_CHANGED, place, subject, what));
        }
    }
}

fn pods(place: &str, old: &Value, new: &Value, found: &mut Vec<Finding>) {
    let (before, after) = (containers(old), containers(new));
    for container in &before {
        match after.iter().find(|other| other.name == container.name) {
            Some(other) => {
                found.extend(environment::compare(place, *container, *other));
                found.extend(images::compare(place, *container, *other));
                found.extend(security::compare(place, Some(*container), *other));
            }
            None => found.push(Finding::new(
                rules::OBJECT_CONTAINER_REMOVED,
                place,
                container.name,
                format!("the container `{}` is gone", container.name),
            )),
        }
    }
    for container in after.iter().filter(|one| before.iter().all(|other| other.name != one.name)) {
        let what = format!("the container `{}` is new", container.name);
        found.push(Finding::new(rules::OBJECT_CHANGED, place, container.name, what));
        found.extend(security::compare(place, None, *container));
    }
}

/// Ports of a Service, by name or number.
fn ports(place: &str, old: &Value, new: &Value, found: &mut Vec<Finding>) {
    if text(new, "/kind") != "Service" {
        return;
    }
    let names = |object| -> BTreeSet<String> {
        let of = |port: &Value| match text(port, "/name") {
            "" => port.get("port").map(Value::to_string).unwrap_or_default(),
            name => name.to_owned(),
        };
        list(object, "/spec/ports").iter().map(of).collect()
    };
    for port in names(old).difference(&names(new)) {
        let what = format!("the port `{port}` is gone");
        found.push(
            Finding::new(rules::OBJECT_PORT_REMOVED, place, format!("{place} {port}"), what)
                .mentioned_by([port]),
        );
    }
}

/// Takes out what has rules of its own, and what every version changes.
fn leave_out(object: &mut Value) {
    let kind = text(object, "/kind").to_owned();
    if matches!(kind.as_str(), "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding") {
        for field in ["rules", "subjects", "roleRef"] {
            remove(object, field);
        }
    }
    remove(object, "apiVersion");
    leave_out_metadata(object);
    if matches!(kind.as_str(), "Deployment" | "DaemonSet" | "ReplicaSet" | "StatefulSet") {
        object.pointer_mut("/spec").into_iter().for_each(|spec| remove(spec, "selector"));
    }
    let Some(pod) = pod_path(&kind).and_then(|path| object.pointer_mut(path)) else { return };
    for field in ["securityContext", "hostNetwork", "hostPID", "hostIPC", "automountServiceAccountToken"] {
        remove(pod, field);
    }
    for container_list in ["initContainers", "containers"] {
        let containers = pod.get_mut(container_list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            for field in ["env", "envFrom", "image", "securityContext"] {
                remove(container, field);
            }
        }
    }
}

/// Labels and annotations that tell the version of the chart or a digest, wherever they stand.
fn leave_out_metadata(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["helm.sh/chart", "app.kubernetes.io/version"] {
                map.shift_remove(key);
            }
            map.retain(|key, _| !key.starts_with("checksum/"));
            map.values_mut().for_each(leave_out_metadata);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_metadata),
        _ => {}
    }
}

fn remove(object: &mut Value, key: &str) {
    if let Some(map) = object.as_object_mut() {
        map.shift_remove(key);
    }
}

/// The leaves in which two values differ; a new container is told as one, not field by field.
fn fields(old: &Value, new: &Value, path: &str, changes: &mut Vec<(String, String)>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                fields(&of(old), &of(new), &inner, changes);
            }
        }
        (Value::Array(old), Value::Array(new)) => match (keyed(old), keyed(new)) {
            (Some(before), Some(after)) => {
                let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                let is_container = path.ends_with("ontainers");
                for key in keys {
                    let (before, after) = (before.get(key), after.get(key));
                    if is_container && before.is_some() != after.is_some() {
                        continue;
                    }
                    let of = |value: Option<&&Value>| value.map(|value| (*value).clone()).unwrap_or_default();
                    fields(&of(before), &of(after), &format!("{path}[{key}]"), changes);
                }
            }
            _ if old != new => {
                changes.push((path.to_owned(), became(&Value::from(old.clone()), &Value::from(new.clone()))));
            }
            _ => {}
        },
        (old, new) if old != new => changes.push((path.to_owned(), became(old, new))),
        _ => {}
    }
}

/// The items of a list of maps by what tells them apart; `None` for other lists.
fn keyed(items: &[Value]) -> Option<BTreeMap<String, &Value>> {
    ["name", "containerPort", "port", "key", "topologyKey"].into_iter().find_map(|field| {
        let keys = items.iter().map(|item| {
            let key = item.get(field)?;
            Some((key.as_str().map_or_else(|| key.to_string(), str::to_owned), item))
        });
        let keyed: BTreeMap<String, &Value> = keys.collect::<Option<_>>()?;
        (keyed.len() == items.len()).then_some(keyed)
    })
}

fn became(old: &Value, new: &Value) -> String {
    let words = |value: &Value| if value.is_null() { "none".to_owned() } else { value.to_string() };
    format!("{} became {}", words(old), words(new))
}

#[cfg(test)]
mod tests;
