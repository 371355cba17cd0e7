//! Reads the status of Deployments and pods. Pure.

use std::fmt;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

/// What keeps a pod from being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The cluster: no image, no room.
    Cluster(String),
    /// The subject: it does not say that it is ready, or it ends.
    Subject(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(text) | Self::Subject(text) => f.write_str(text),
        }
    }
}

/// Whether all wanted pods are of the present template and available, and no other one is left.
pub(super) fn is_current(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.replicas.unwrap_or(0) == wanted
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
}

/// What keeps a pod from being ready; `None` if nothing does.
pub(super) fn obstacle(pod: &Pod) -> Option<Obstacle> {
    let name = pod.name_any();
    let status = pod.status.as_ref()?;
    let condition = |type_: &str| status.conditions.iter().flatten().find(|c| c.type_ == type_);
    if let Some(condition) = condition("PodScheduled").filter(|condition| condition.status != "True") {
        let message = condition.message.as_deref().unwrap_or("no reason given");
        return Some(Obstacle::Cluster(format!("pod `{name}` is not scheduled: {message}")));
    }
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    for container in containers {
        let Some(waiting) = container.state.as_ref().and_then(|state| state.waiting.as_ref()) else {
            continue;
        };
        let reason = waiting.reason.as_deref().unwrap_or("unknown reason");
        let message = waiting.message.as_deref().unwrap_or_default();
        let text = format!("container `{}` of pod `{name}` waits: {reason} {message}", container.name);
        let text = text.trim_end().to_owned();
        return Some(match reason {
            "CrashLoopBackOff" | "CreateContainerConfigError" | "RunContainerError" => {
                Obstacle::Subject(text)
            }
            _ => Obstacle::Cluster(text),
        });
    }
    condition("Ready")
        .filter(|condition| condition.status != "True")
        .map(|_| Obstacle::Subject(format!("pod `{name}` runs but is not ready")))
}

/// How a container ended last, if it ever did: as running text after its name.
pub(super) fn last_end(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref().and_then(|state| state.terminated.as_ref());
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let ended = state.or(last)?;
    Some(match ended.signal {
        Some(signal) => format!("was killed by signal {signal}"),
        None => format!("exited with code {}", ended.exit_code),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::settled(json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}), true)]
    #[case::stale(json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}), false)]
    #[case::old_pod_left(json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}), false)]
    #[case::not_available(json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}), false)]
    fn a_deployment_is_current_when_nothing_old_is_left(#[case] status: Value, #[case] current: bool) {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"generation": 2},
            "spec": {"replicas": 1, "selector": {}, "template": {}},
            "status": status,
        }))
        .unwrap();
        assert_eq!(is_current(&deployment), current);
    }

    #[rstest]
    #[case::no_image(
        json!({"containerStatuses": [waiting("ErrImageNeverPull")]}),
        Some(Obstacle::Cluster("container `c` of pod `p` waits: ErrImageNeverPull".to_owned()))
    )]
    #[case::crash_loop(
        json!({"containerStatuses": [waiting("CrashLoopBackOff")]}),
        Some(Obstacle::Subject("container `c` of pod `p` waits: CrashLoopBackOff".to_owned()))
    )]
    #[case::no_room(
        json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "no room"}]}),
        Some(Obstacle::Cluster("pod `p` is not scheduled: no room".to_owned()))
    )]
    #[case::not_ready(
        json!({"conditions": [{"type": "Ready", "status": "False"}]}),
        Some(Obstacle::Subject("pod `p` runs but is not ready".to_owned()))
    )]
    #[case::ready(json!({"conditions": [{"type": "Ready", "status": "True"}]}), None)]
    fn trouble_of_the_cluster_is_told_from_trouble_of_the_subject(
        #[case] status: Value,
        #[case] expected: Option<Obstacle>,
    ) {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap();
        assert_eq!(obstacle(&pod), expected);
    }

    fn waiting(reason: &str) -> Value {
        json!({"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
               "state": {"waiting": {"reason": reason}}})
    }
}
