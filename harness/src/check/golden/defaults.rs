//! What the API server writes into objects by itself, as tables.

use serde_json::{Value, json};

/// Where an entry of a table applies, as fields from the root; `[]` stands for every element of a list.
pub(super) type Place = &'static str;

/// Fields that the API server sets on every object.
pub(super) const SERVER_SET: &[Place] = &[
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.generation",
    "metadata.creationTimestamp",
    "metadata.managedFields",
    "metadata.selfLink",
    "metadata.deletionTimestamp",
    "metadata.deletionGracePeriodSeconds",
    // Written by `kubectl apply`, and a copy of everything else.
    "metadata.annotations.kubectl\\.kubernetes\\.io/last-applied-configuration",
    // The API server writes `creationTimestamp: null` into templates.
    "spec.template.metadata.creationTimestamp",
    "status",
];

/// Labels that the API server generates on Jobs and their templates, from uid and name of the Job.
pub(super) const JOB_LABELS: &[&str] =
    &["controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"];

/// Places that hold labels of a Job.
pub(super) const JOB_LABEL_PLACES: &[Place] = &["metadata.labels", "spec.template.metadata.labels"];

/// Mappings that are removed if removals left them empty.
pub(super) const DROPPED_IF_EMPTIED: &[Place] = &[
    "metadata.annotations",
    "metadata.labels",
    "spec.selector.matchLabels",
    "spec.selector",
    "spec.template.metadata.labels",
    "spec.template.metadata",
];

/// Defaults of Jobs (`SetDefaults_Job` of Kubernetes 1.33 and later).
pub(super) fn job() -> Vec<(Place, Value)> {
    vec![
        ("spec.completionMode", json!("NonIndexed")),
        ("spec.completions", json!(1)),
        ("spec.parallelism", json!(1)),
        ("spec.backoffLimit", json!(6)),
        ("spec.suspend", json!(false)),
        ("spec.manualSelector", json!(false)),
        ("spec.podReplacementPolicy", json!("TerminatingOrFailed")),
    ]
}

/// Defaults of a pod's specification (`SetDefaults_PodSpec`).
pub(super) fn pod() -> Vec<(Place, Value)> {
    vec![
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("securityContext", json!({})),
        ("enableServiceLinks", json!(true)),
        ("hostNetwork", json!(false)),
        ("hostPID", json!(false)),
        ("hostIPC", json!(false)),
        ("volumes.[].configMap.defaultMode", json!(420)),
        ("volumes.[].secret.defaultMode", json!(420)),
        ("volumes.[].downwardAPI.defaultMode", json!(420)),
        ("volumes.[].projected.defaultMode", json!(420)),
        ("volumes.[].projected.sources.[].serviceAccountToken.expirationSeconds", json!(3600)),
        ("volumes.[].hostPath.type", json!("")),
        ("volumes.[].downwardAPI.items.[].fieldRef.apiVersion", json!("v1")),
        ("volumes.[].projected.sources.[].downwardAPI.items.[].fieldRef.apiVersion", json!("v1")),
    ]
}

/// Defaults of a container (`SetDefaults_Container`, `SetDefaults_Probe`); the pull policy depends on the
/// image and is not in this table.
pub(super) fn container() -> Vec<(Place, Value)> {
    let mut defaults = vec![
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
        ("resources", json!({})),
        ("ports.[].protocol", json!("TCP")),
        ("env.[].valueFrom.fieldRef.apiVersion", json!("v1")),
    ];
    for (fields, value) in [
        (PROBE_TIMEOUTS, json!(1)),
        (PROBE_PERIODS, json!(10)),
        (PROBE_SUCCESSES, json!(1)),
        (PROBE_FAILURES, json!(3)),
        (PROBE_SCHEMES, json!("HTTP")),
    ] {
        defaults.extend(fields.iter().map(|&place| (place, value.clone())));
    }
    defaults
}

const PROBE_TIMEOUTS: &[Place] =
    &["livenessProbe.timeoutSeconds", "readinessProbe.timeoutSeconds", "startupProbe.timeoutSeconds"];
const PROBE_PERIODS: &[Place] =
    &["livenessProbe.periodSeconds", "readinessProbe.periodSeconds", "startupProbe.periodSeconds"];
const PROBE_SUCCESSES: &[Place] =
    &["livenessProbe.successThreshold", "readinessProbe.successThreshold", "startupProbe.successThreshold"];
const PROBE_FAILURES: &[Place] =
    &["livenessProbe.failureThreshold", "readinessProbe.failureThreshold", "startupProbe.failureThreshold"];
const PROBE_SCHEMES: &[Place] =
    &["livenessProbe.httpGet.scheme", "readinessProbe.httpGet.scheme", "startupProbe.httpGet.scheme"];

/// The pull policy that an image without one gets: `Always` for the tag `latest` and for no tag.
pub(super) fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    let has_digest = name.contains('@');
    let name = name.split('@').next().unwrap_or(name);
    match name.split_once(':') {
        Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
        None if has_digest => "IfNotPresent",
        None => "Always",
    }
}
