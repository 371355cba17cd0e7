//! Objects without what the API server added.

use serde_json::{Map, Value};

use super::defaults::{self, Place};
use crate::check::matching::value_eq;

/// The object without server-set fields, without a Job's generated selector and labels, and without
/// defaults where the value is the default. Owner references stay. Idempotent.
pub fn normalize(object: &Value) -> Value {
    let mut object = object.clone();
    let kind = object.get("kind").and_then(Value::as_str).map(str::to_owned);
    let is_job = kind.as_deref() == Some("Job");
    if is_job {
        generated_by_the_job_api(&mut object);
    }
    for place in defaults::SERVER_SET {
        remove(&mut object, &fields(place), &|_| true);
    }
    if is_job {
        remove_defaults(&mut object, &defaults::job());
    }
    let pod = match kind.as_deref() {
        Some("Pod") => object.get_mut("spec"),
        _ => object.pointer_mut("/spec/template/spec"),
    };
    if let Some(pod) = pod {
        normalize_pod(pod);
    }
    for place in defaults::DROPPED_IF_EMPTIED {
        remove(&mut object, &fields(place), &|value| value.as_object().is_some_and(Map::is_empty));
    }
    object
}

/// The selector of a Job is generated unless `manualSelector` is set, and repeats the uid.
fn generated_by_the_job_api(job: &mut Value) {
    let manual = job.pointer("/spec/manualSelector").and_then(Value::as_bool).unwrap_or(false);
    if manual {
        return;
    }
    for place in defaults::JOB_LABEL_PLACES.iter().chain(&["spec.selector.matchLabels"]) {
        for label in defaults::JOB_LABELS {
            let mut way = fields(place);
            way.push((*label).to_owned());
            remove(job, &way, &|_| true);
        }
    }
}

fn normalize_pod(pod: &mut Value) {
    // The API server writes the old name of the field next to the new one.
    if pod.get("serviceAccount").is_some() && pod.get("serviceAccount") == pod.get("serviceAccountName") {
        remove(pod, &fields("serviceAccount"), &|_| true);
    }
    remove_defaults(pod, &defaults::pod());
    let containers = defaults::container();
    for list in ["containers", "initContainers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let policy = container.get("image").and_then(Value::as_str).map(defaults::pull_policy);
            remove(container, &fields("imagePullPolicy"), &|value| value.as_str() == policy);
            remove_defaults(container, &containers);
        }
    }
}

fn remove_defaults(object: &mut Value, table: &[(Place, Value)]) {
    for (place, default) in table {
        remove(object, &fields(place), &|value| value_eq(value, default));
    }
}

/// Splits a place at its dots; `\.` is a dot in a name.
fn fields(place: Place) -> Vec<String> {
    const ESCAPED: &str = "\u{0}";
    place.replace("\\.", ESCAPED).split('.').map(|field| field.replace(ESCAPED, ".")).collect()
}

/// Removes the field at the end of `way` wherever `condition` holds of its value.
fn remove(value: &mut Value, way: &[String], condition: &dyn Fn(&Value) -> bool) {
    match way {
        [] => {}
        [each, rest @ ..] if each == "[]" => {
            for item in value.as_array_mut().into_iter().flatten() {
                remove(item, rest, condition);
            }
        }
        [field] => {
            if let Some(map) = value.as_object_mut()
                && map.get(field).is_some_and(condition)
            {
                map.shift_remove(field);
            }
        }
        [field, rest @ ..] => {
            if let Some(inner) = value.get_mut(field) {
                remove(inner, rest, condition);
            }
        }
    }
}
