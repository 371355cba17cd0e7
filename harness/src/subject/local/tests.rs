//! What the processes of a Deployment would be.

use serde_json::json;

use super::*;

fn deployment(replicas: u32) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "agents", "namespace": "team", "uid": "u"},
        "spec": {
            "replicas": replicas,
            "selector": {},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {
                    "serviceAccountName": "sa",
                    "terminationGracePeriodSeconds": 7,
                    "containers": [
                        {"name": "one", "command": ["/one"], "env": [
                            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
                        {"name": "two", "command": ["/two"]}]
                }
            }
        }
    }))
    .unwrap()
}

fn names(deployment: &Deployment, generation: u32) -> Vec<(String, String, String)> {
    let pod = pod_spec(deployment);
    let planned = plan(deployment, &pod, generation, &Sources::default()).unwrap();
    let name = |planned: &Planned<'_>| {
        (planned.pod.name.clone(), planned.container.name.clone(), planned.pod.uid.clone())
    };
    planned.iter().map(name).collect()
}

#[test]
fn each_container_of_each_replica_is_a_process() {
    let found = names(&deployment(2), 0);
    let found: Vec<_> = found.iter().map(|(pod, container, _)| (pod.as_str(), container.as_str())).collect();
    assert_eq!(
        found,
        [("agents-0-0", "one"), ("agents-0-0", "two"), ("agents-0-1", "one"), ("agents-0-1", "two")]
    );
    assert!(names(&deployment(0), 0).is_empty());
}

#[test]
fn a_restarted_container_keeps_its_pod_and_a_new_pod_is_another_one() {
    assert_eq!(names(&deployment(1), 3), names(&deployment(1), 3));
    let (first, second) = (names(&deployment(1), 3).remove(0), names(&deployment(1), 4).remove(0));
    assert!(first.0 != second.0 && first.2 != second.2);
    let groups: Vec<_> = first.2.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12]);
}

#[test]
fn the_pod_template_decides_account_grace_period_and_environment() {
    let deployment = deployment(1);
    let pod = pod_spec(&deployment);
    let planned = plan(&deployment, &pod, 0, &Sources::default()).unwrap().remove(0);
    assert_eq!(planned.pod.service_account, "sa");
    assert_eq!(planned.grace, Duration::from_secs(7));
    assert_eq!(planned.template.environment["POD"], "agents-0-0");
    assert_eq!(planned.pod.labels["app"], "x");
}
