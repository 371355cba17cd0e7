//! What manifests become for one release of several.

use super::*;
use crate::subject::implementation::ImplementationError;

fn objects() -> Vec<Value> {
    let text = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: manager, namespace: elsewhere}
spec:
  replicas: 3
  template:
    spec:
      containers:
        - {name: a, env: [{name: KEPT, value: x}, {name: TTL, value: \"1\"}]}
        - {name: b}
---
{apiVersion: v1, kind: Namespace, metadata: {name: elsewhere}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: xs.example.com}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: manager}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: manager}
roleRef: {kind: ClusterRole, name: manager}
subjects:
  - {kind: ServiceAccount, name: manager, namespace: elsewhere}
  - {kind: ServiceAccount, name: other, namespace: kube-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: view}
roleRef: {kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: manager}]
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: manager}}
";
    let documents = parse_documents(&Source::new("manifests.yaml", text)).unwrap();
    documents.iter().map(crate::yaml::Node::to_json).collect()
}

fn release(replicas: Option<u32>) -> Vec<Value> {
    let environment = BTreeMap::from([("TTL".to_owned(), "$(KEPT)".to_owned())]);
    placed(&objects(), "home", &environment, replicas)
}

fn found<'a>(placed: &'a [Value], kind: &str) -> &'a Value {
    placed.iter().find(|object| text(object, "/kind") == kind).unwrap()
}

#[test]
fn what_all_releases_share_is_no_part_of_one() {
    let kinds: Vec<_> = release(None).iter().map(|object| text(object, "/kind").to_owned()).collect();
    // What the Deployment needs is there before it starts.
    assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "RoleBinding", "ServiceAccount", "Deployment"]);
}

#[test]
fn cluster_roles_are_the_release_s_own_and_bindings_follow() {
    let placed = release(None);
    assert_eq!(text(found(&placed, "ClusterRole"), "/metadata/name"), "manager-home");
    let binding = found(&placed, "ClusterRoleBinding");
    assert_eq!(text(binding, "/metadata/name"), "manager-home");
    assert_eq!(text(binding, "/roleRef/name"), "manager-home");
    assert_eq!(text(binding, "/subjects/0/namespace"), "home");
    assert_eq!(text(binding, "/subjects/1/namespace"), "kube-system", "not an account of these files");
    let view = found(&placed, "RoleBinding");
    assert_eq!((text(view, "/metadata/name"), text(view, "/roleRef/name")), ("view", "view"));
    assert_eq!(text(view, "/subjects/0/namespace"), "home");
}

#[test]
fn settings_reach_every_container_over_what_it_has() {
    let placed = release(Some(2));
    let deployment = found(&placed, "Deployment");
    let containers = deployment.pointer("/spec/template/spec/containers").unwrap();
    let ttl = json!({"name": "TTL", "value": "$$(KEPT)"});
    assert_eq!(containers[0]["env"], json!([{"name": "KEPT", "value": "x"}, ttl]));
    assert_eq!(containers[1]["env"], json!([ttl]));
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(found(&release(None), "Deployment")["spec"]["replicas"], 3);
}

#[test]
fn an_object_of_a_release_is_marked_and_moved_if_it_can_be() {
    let mut deployment = found(&release(None), "Deployment").clone();
    move_into(&mut deployment, "home", true);
    assert_eq!(text(&deployment, "/metadata/namespace"), "home");
    assert_eq!(deployment["metadata"]["labels"], json!({RELEASE_LABEL: "home"}));
    let mut role = found(&release(None), "ClusterRole").clone();
    move_into(&mut role, "home", false);
    assert!(role.pointer("/metadata/namespace").is_none());
}

/// The objects of an implementation whose manifests are these files.
fn load(files: &[(&str, &str)], named: &str) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deploy")).unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let path = folder.path().join("implementation.yaml");
    let text = format!(
        "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {{name: n}}\nspec:\n  \
         install: {{manifests: {{files: [{named}]}}}}\n  health: {{ready: {{port: 8080, path: /readyz}}}}\n"
    );
    std::fs::write(&path, text).unwrap();
    match Implementation::load(&path) {
        Ok(implementation) => Ok(implementation.objects.len()),
        Err(ImplementationError::Invalid(diagnostic)) => Err(diagnostic.message),
        Err(other) => Err(other.to_string()),
    }
}

#[test]
fn a_folder_stands_for_its_yaml_files_and_lists_for_their_items() {
    let list =
        "{apiVersion: v1, kind: List, items: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}]}";
    let account = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}\n---\n";
    let files = [("deploy/a.yaml", list), ("deploy/b.yml", account), ("deploy/README.md", "# no: [yaml")];
    assert_eq!(load(&files, "deploy"), Ok(2));
    assert_eq!(load(&files, "deploy/a.yaml"), Ok(1));
}

#[test]
fn a_command_is_found_before_it_is_started() {
    let load = |install: &str| {
        let folder = tempfile::tempdir().unwrap();
        let account = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: mine}}";
        std::fs::write(folder.path().join("rbac.yaml"), account).unwrap();
        let path = folder.path().join("implementation.yaml");
        let text = format!(
            "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {{name: n}}\nspec:\n  \
             install: {{command: {{{install}}}}}\n  health: {{ready: {{port: 8080, path: /readyz}}}}\n"
        );
        std::fs::write(&path, text).unwrap();
        Implementation::load(&path).map(drop).map_err(|error| error.to_string())
    };
    load("run: [sh], prepare: [rbac.yaml], account: mine").unwrap();
    load("run: [bin/is-built-later], account: default").unwrap();
    assert!(load("run: [no-such-program-here]").unwrap_err().contains("not found in PATH"));
    let other = load("run: [sh], prepare: [rbac.yaml], account: other").unwrap_err();
    assert!(other.contains("no file of `prepare` has the ServiceAccount `other`"), "{other}");
}

#[test]
fn manifests_that_run_nothing_are_refused() {
    let account = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}";
    let refusal = load(&[("deploy/a.yaml", account)], "deploy").unwrap_err();
    assert_eq!(refusal, "there is no Deployment in these files");
    assert!(
        load(&[("deploy/a.yaml", "{kind: Deployment}")], "deploy").unwrap_err().contains("metadata.name")
    );
    assert!(load(&[], "deploy").unwrap_err().contains("no YAML file"));
    assert!(load(&[], "missing").unwrap_err().contains("no file or folder"));
}
