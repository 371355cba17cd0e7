//! How strictly containers are confined.
//!
//! Each setting has a rank: what a container may do less of ranks higher. What the container does not say
//! the pod says (Kubernetes, "Configure a Security Context for a Pod or Container"); what both leave open
//! ranks 0, and what is worse than nothing said ranks below it. So a new container is compared with one that
//! says nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::finding::Finding;
use super::rules;
use super::workload::{Container, list, text};

/// What changes in the confinement of one container; `place` is the object. `old` is absent for a new one.
pub(super) fn compare(place: &str, old: Option<Container<'_>>, new: Container<'_>) -> Vec<Finding> {
    let nothing = Value::Null;
    let old = old.unwrap_or(Container { name: new.name, spec: &nothing, pod: &nothing });
    let place = format!("{place} container {}", new.name);
    let tell = |rule, field: &str, what: String| {
        Finding::new(rule, &place, format!("{} {field}", new.name), what).mentioned_by([field])
    };
    let mut found = Vec::new();
    for ((field, before), (_, after)) in settings(old).into_iter().zip(settings(new)) {
        let what = format!("`{field}` {} became {}", before.words, after.words);
        match after.rank.cmp(&before.rank) {
            std::cmp::Ordering::Less => found.push(tell(rules::SECURITY_LOOSENED, field, what)),
            std::cmp::Ordering::Greater => found.push(tell(rules::SECURITY_TIGHTENED, field, what)),
            std::cmp::Ordering::Equal => {}
        }
    }
    for (field, before, after) in [
        ("capabilities.add", added(old), added(new)),
        ("hostPath", host_paths(old), host_paths(new)),
        ("hostPort", host_ports(old), host_ports(new)),
    ] {
        for one in after.difference(&before) {
            found.push(tell(rules::SECURITY_LOOSENED, field, format!("`{field}` {one} is new")));
        }
    }
    let (before, after) = (dropped(old), dropped(new));
    for one in before.difference(&after).filter(|_| !after.contains("ALL")) {
        let what = format!("the capability {one} is not dropped any more");
        found.push(tell(rules::SECURITY_LOOSENED, "capabilities.drop", what));
    }
    found
}

struct Setting {
    rank: i8,
    words: String,
}

fn settings(container: Container<'_>) -> [(&'static str, Setting); 11] {
    let Container { spec, pod, .. } = container;
    let own = |field: &str| spec.pointer(&format!("/securityContext/{field}"));
    let either = |field: &str| own(field).or_else(|| pod.pointer(&format!("/securityContext/{field}")));
    let of_pod = |field: &str| pod.get(field);
    // Who runs as root by the number does so whatever stands elsewhere.
    let user = |value: &Value| if value.as_u64() == Some(0) { -1 } else { 1 };
    let profile = |value: &Value| match text(value, "/type") {
        "Unconfined" => -1,
        "" => 0,
        _ => 1,
    };
    [
        ("runAsNonRoot", setting(either("runAsNonRoot"), when(true, 1))),
        ("runAsUser", setting(either("runAsUser"), user)),
        ("readOnlyRootFilesystem", setting(own("readOnlyRootFilesystem"), when(true, 1))),
        ("allowPrivilegeEscalation", setting(own("allowPrivilegeEscalation"), when(false, 1))),
        ("privileged", setting(own("privileged"), when(true, -1))),
        ("procMount", setting(own("procMount"), |value| if value == "Unmasked" { -1 } else { 0 })),
        ("seccompProfile", setting(either("seccompProfile"), profile)),
        ("automountServiceAccountToken", setting(of_pod("automountServiceAccountToken"), when(false, 1))),
        ("hostNetwork", setting(of_pod("hostNetwork"), when(true, -1))),
        ("hostPID", setting(of_pod("hostPID"), when(true, -1))),
        ("hostIPC", setting(of_pod("hostIPC"), when(true, -1))),
    ]
}

fn setting(value: Option<&Value>, rank: impl Fn(&Value) -> i8) -> Setting {
    match value.filter(|value| !value.is_null()) {
        Some(value) => Setting { rank: rank(value), words: value.to_string() },
        None => Setting { rank: 0, words: "none".to_owned() },
    }
}

fn when(switch: bool, rank: i8) -> impl Fn(&Value) -> i8 {
    move |value| if value.as_bool() == Some(switch) { rank } else { 0 }
}

fn names(container: Container<'_>, pointer: &str) -> BTreeSet<String> {
    list(container.spec, pointer).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn added(container: Container<'_>) -> BTreeSet<String> {
    names(container, "/securityContext/capabilities/add")
}

fn dropped(container: Container<'_>) -> BTreeSet<String> {
    names(container, "/securityContext/capabilities/drop")
}

fn host_paths(container: Container<'_>) -> BTreeSet<String> {
    let volumes = list(container.pod, "/volumes").iter();
    volumes.map(|volume| text(volume, "/hostPath/path").to_owned()).filter(|path| !path.is_empty()).collect()
}

fn host_ports(container: Container<'_>) -> BTreeSet<String> {
    let ports = list(container.spec, "/ports").iter();
    ports.filter_map(|port| Some(port.get("hostPort")?.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn found(old: Option<(Value, Value)>, new: &(Value, Value)) -> Vec<(&'static str, String)> {
        let (pod, spec) = new;
        let old_parts = old;
        let old = old_parts.as_ref().map(|(pod, spec)| Container { name: "c", spec, pod });
        let found = compare("Deployment a", old, Container { name: "c", spec, pod });
        found.into_iter().map(|finding| (finding.rule.id, finding.mentions.concat())).collect()
    }

    #[rstest]
    #[case::root(json!({"securityContext": {"runAsNonRoot": true}}), json!({}), "runAsNonRoot")]
    #[case::root_by_number(json!({"securityContext": {"runAsUser": 1}}), json!({"securityContext": {"runAsUser": 0}}), "runAsUser")]
    #[case::writable(json!({"securityContext": {"readOnlyRootFilesystem": true}}), json!({"securityContext": {"readOnlyRootFilesystem": false}}), "readOnlyRootFilesystem")]
    #[case::escalation(json!({"securityContext": {"allowPrivilegeEscalation": false}}), json!({}), "allowPrivilegeEscalation")]
    #[case::privileged(json!({}), json!({"securityContext": {"privileged": true}}), "privileged")]
    #[case::capability(json!({}), json!({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}), "capabilities.add")]
    #[case::not_dropped(json!({"securityContext": {"capabilities": {"drop": ["ALL"]}}}), json!({"securityContext": {"capabilities": {"drop": ["CHOWN"]}}}), "capabilities.drop")]
    #[case::seccomp(json!({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}), json!({}), "seccompProfile")]
    #[case::host_port(json!({}), json!({"ports": [{"containerPort": 1, "hostPort": 80}]}), "hostPort")]
    fn less_confinement_of_a_container_is_told(#[case] old: Value, #[case] new: Value, #[case] field: &str) {
        let expected = [("SECURITY-LOOSENED", field.to_owned())];
        assert_eq!(found(Some((json!({}), old)), &(json!({}), new)), expected);
    }

    #[rstest]
    #[case::token(json!({"automountServiceAccountToken": false}), json!({}), "automountServiceAccountToken")]
    #[case::network(json!({}), json!({"hostNetwork": true}), "hostNetwork")]
    #[case::volume(json!({"volumes": [{"name": "a", "emptyDir": {}}]}), json!({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}), "hostPath")]
    fn less_confinement_of_a_pod_is_told(#[case] old: Value, #[case] new: Value, #[case] field: &str) {
        let expected = [("SECURITY-LOOSENED", field.to_owned())];
        assert_eq!(found(Some((old, json!({}))), &(new, json!({}))), expected);
    }

    #[test]
    fn it_does_not_matter_whether_pod_or_container_says_it() {
        let context = json!({"securityContext": {"runAsNonRoot": true, "runAsUser": 5}});
        assert_eq!(found(Some((context.clone(), json!({}))), &(json!({}), context)), []);
    }

    #[test]
    fn dropping_all_is_as_good_as_dropping_each() {
        let drops = |names: &[&str]| json!({"securityContext": {"capabilities": {"drop": names}}});
        assert_eq!(found(Some((json!({}), drops(&["CHOWN", "KILL"]))), &(json!({}), drops(&["ALL"]))), []);
    }

    #[test]
    fn a_new_container_is_compared_with_one_that_says_nothing() {
        assert_eq!(found(None, &(json!({}), json!({}))), []);
        let privileged = json!({"securityContext": {"privileged": true}});
        assert_eq!(found(None, &(json!({}), privileged)), [("SECURITY-LOOSENED", "privileged".to_owned())]);
    }
}
