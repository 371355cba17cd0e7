//! The pods that rendered objects ask for.

use serde_json::Value;

/// A container of a workload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container<'a> {
    pub(super) name: &'a str,
    pub(super) spec: &'a Value,
    /// The specification of its pod.
    pub(super) pod: &'a Value,
}

/// Where the pod template of a kind is; `None` for kinds without pods.
pub(super) fn pod_path(kind: &str) -> Option<&'static str> {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "ReplicationController" => {
            Some("/spec/template/spec")
        }
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        "Pod" => Some("/spec"),
        _ => None,
    }
}

/// The specification of the pods of an object.
pub(super) fn pod(object: &Value) -> Option<&Value> {
    object.pointer(pod_path(text(object, "/kind"))?)
}

/// The containers of an object's pods, those for the beginning too.
pub(super) fn containers(object: &Value) -> Vec<Container<'_>> {
    let Some(pod) = pod(object) else { return Vec::new() };
    let lists = ["initContainers", "containers"].into_iter().filter_map(|list| pod.get(list)?.as_array());
    lists.flatten().map(|spec| Container { name: text(spec, "/name"), spec, pod }).collect()
}

/// The text at a JSON pointer, empty if there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of a list at a JSON pointer.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
