//! The objects of an implementation's manifests, and what they become for one release of several.
//!
//! Several releases live on one cluster at the same time, each in a namespace of its own. So, much as
//! kustomize would do it, namespaced objects move into that namespace, cluster
//! roles and their bindings get its name behind theirs, and references among them follow. Everything else that
//! has no namespace, CRDs first of all, is there once for all releases and is applied as it stands; a
//! Namespace is left out, because the harness makes its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::implementation::{Implementation, Install};
use crate::diagnostic::Diagnostic;
use crate::yaml::{Located, Source, parse_documents};

/// The label on everything that belongs to one release; its value is the release's namespace.
pub(super) const RELEASE_LABEL: &str = "hallmark.dev/release";
const RBAC: &str = "rbac.authorization.k8s.io/";

/// Reads the objects of an implementation's manifests, lists taken apart.
pub(super) fn read(implementation: &Implementation) -> Result<Vec<Value>, Box<Diagnostic>> {
    let mut objects = Vec::new();
    for named in implementation.install.manifests() {
        for file in files(&implementation.resolve(named), named)? {
            let unreadable = |error: std::io::Error| Box::new(refused(named, &file, &error.to_string()));
            let content = std::fs::read_to_string(&file).map_err(unreadable)?;
            for document in parse_documents(&Source::new(&file, content)).map_err(|error| error.0)? {
                let location = document.location.clone();
                let found = match document.to_json() {
                    Value::Null => Vec::new(),
                    list if text(&list, "/kind").ends_with("List") => {
                        list.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
                    }
                    object => vec![object],
                };
                if !found.iter().all(is_named) {
                    let message = "an object needs `apiVersion`, `kind` and `metadata.name`";
                    return Err(Box::new(Diagnostic::new(location, message)));
                }
                objects.extend(found);
            }
        }
    }
    match &implementation.install {
        Install::Manifests(manifests) if !objects.iter().any(is_deployment) => Err(Box::new(
            Diagnostic::new(manifests.files.location.clone(), "there is no Deployment in these files")
                .with_help("a program that is started on this host is `install.command`"),
        )),
        _ => Ok(objects),
    }
}

/// The files that a path stands for: itself, or the YAML files of the folder, by name.
pub(super) fn files(path: &Path, named: &Located<PathBuf>) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries =
        std::fs::read_dir(path).map_err(|error| Box::new(refused(named, path, &error.to_string())))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_manifest = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default();
        ["yaml", "yml", "json"].iter().any(|known| extension == *known)
    };
    let mut found: Vec<PathBuf> = paths.filter(is_manifest).collect();
    found.sort();
    if found.is_empty() {
        return Err(Box::new(refused(named, path, "it holds no YAML file")));
    }
    Ok(found)
}

fn refused(named: &Located<PathBuf>, path: &Path, reason: &str) -> Diagnostic {
    let message = format!("read `{}`: {reason}", path.display());
    Diagnostic::new(named.location.clone(), message)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn is_named(object: &Value) -> bool {
    ["/apiVersion", "/kind", "/metadata/name"].iter().all(|pointer| !text(object, pointer).is_empty())
}

fn is_deployment(object: &Value) -> bool {
    text(object, "/kind") == "Deployment" && text(object, "/apiVersion").starts_with("apps/")
}

/// Whether an object is a CRD, which has to be served before anything else is applied.
pub(super) fn is_crd(object: &Value) -> bool {
    text(object, "/kind") == "CustomResourceDefinition"
}

fn is_rbac(object: &Value, kind: &str) -> bool {
    text(object, "/kind") == kind && text(object, "/apiVersion").starts_with(RBAC)
}

/// Whether there is a `ServiceAccount` of this name; every namespace has one named `default`.
pub(super) fn has_account(objects: &[Value], name: &str) -> bool {
    let is_it =
        |object: &Value| text(object, "/kind") == "ServiceAccount" && text(object, "/metadata/name") == name;
    name == "default" || objects.iter().any(is_it)
}

/// Whether an object of a kind without namespaces belongs to one release, not to all.
pub(super) fn is_of_one_release(object: &Value) -> bool {
    is_rbac(object, "ClusterRole") || is_rbac(object, "ClusterRoleBinding")
}

/// The objects of a release in `namespace`, Deployments last; CRDs and Namespaces are left out.
///
/// `environment` is put over what the containers of the Deployments have.
pub(super) fn placed(
    objects: &[Value],
    namespace: &str,
    environment: &BTreeMap<String, String>,
    replicas: Option<u32>,
) -> Vec<Value> {
    let named = |kind: &str| -> BTreeSet<&str> {
        let of_kind = objects.iter().filter(|object| text(object, "/kind") == kind);
        of_kind.map(|object| text(object, "/metadata/name")).collect()
    };
    let (roles, accounts) = (named("ClusterRole"), named("ServiceAccount"));
    let is_placed = |object: &&Value| {
        let is_namespace = text(object, "/kind") == "Namespace" && text(object, "/apiVersion") == "v1";
        !is_crd(object) && !is_namespace
    };
    let mut placed: Vec<Value> = objects.iter().filter(is_placed).cloned().collect();
    placed.sort_by_key(is_deployment);
    for object in &mut placed {
        if is_of_one_release(object) {
            let name = format!("{}-{namespace}", text(object, "/metadata/name"));
            put(object, "/metadata", "name", name.into());
        }
        if is_rbac(object, "ClusterRoleBinding") || is_rbac(object, "RoleBinding") {
            bind(object, namespace, &roles, &accounts);
        }
        if is_deployment(object) {
            configure(object, environment, replicas);
        }
    }
    placed
}

/// Moves an object into the namespace of a release and marks it as belonging to it.
pub(super) fn move_into(object: &mut Value, namespace: &str, is_namespaced: bool) {
    if is_namespaced {
        put(object, "/metadata", "namespace", namespace.into());
    }
    if !object.pointer("/metadata/labels").is_some_and(Value::is_object) {
        put(object, "/metadata", "labels", json!({}));
    }
    put(object, "/metadata/labels", RELEASE_LABEL, namespace.into());
}

/// Lets a binding refer to the role and the accounts of its release.
fn bind(binding: &mut Value, namespace: &str, roles: &BTreeSet<&str>, accounts: &BTreeSet<&str>) {
    let role = text(binding, "/roleRef/name").to_owned();
    if text(binding, "/roleRef/kind") == "ClusterRole" && roles.contains(role.as_str()) {
        put(binding, "/roleRef", "name", format!("{role}-{namespace}").into());
    }
    let subjects = binding.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten() {
        let is_account = text(subject, "/kind") == "ServiceAccount";
        let own = accounts.contains(text(subject, "/name")) || text(subject, "/namespace").is_empty();
        if is_account && own {
            put(subject, "", "namespace", namespace.into());
        }
    }
}

/// Sets variables in all containers of a Deployment, and how many pods it wants.
fn configure(deployment: &mut Value, environment: &BTreeMap<String, String>, replicas: Option<u32>) {
    if let Some(replicas) = replicas {
        put(deployment, "/spec", "replicas", replicas.into());
    }
    let containers = deployment.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        let own = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
        let kept = own.into_iter().filter(|variable| !environment.contains_key(text(variable, "/name")));
        let set = environment.iter().map(|(name, value)| json!({"name": name, "value": literal(value)}));
        let env: Vec<Value> = kept.chain(set).collect();
        put(container, "", "env", env.into());
    }
}

/// A text that the kubelet passes on as it is, whatever looks like a reference in it.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

fn put(object: &mut Value, pointer: &str, key: &str, value: Value) {
    if let Some(map) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
