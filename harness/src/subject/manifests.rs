//! Applies the objects of a release that are given as manifests, and removes them.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use serde_json::Value;

use super::bundle::{self, RELEASE_LABEL};
use super::call::request;
use super::context::{ReleaseSpec, SubjectContext};
use super::error::SubjectError;
use super::values;

/// Field manager of what is applied.
const MANAGER: &str = "hallmark";

/// Applies what belongs to a release, and what is there for all of them. That the same is applied with the
/// next release changes nothing.
pub(super) async fn apply(context: &SubjectContext, release: &ReleaseSpec) -> Result<(), SubjectError> {
    let implementation = &context.implementation;
    let namespace = &release.namespace;
    let values = values::for_release(implementation, release);
    let mapping = &implementation.mapping;
    let environment = mapping.environment(&values, namespace);
    let mut kinds = BTreeMap::new();
    let replicas = mapping.replicas(&values);
    for mut object in bundle::placed(&implementation.objects, namespace, &environment, replicas) {
        let (resource, capabilities) = kind(context, &object, &mut kinds).await?;
        let is_namespaced = capabilities.scope == Scope::Namespaced;
        if is_namespaced || bundle::is_of_one_release(&object) {
            bundle::move_into(&mut object, namespace, is_namespaced);
        }
        let client = context.client.clone();
        let api: Api<DynamicObject> = if is_namespaced {
            Api::namespaced_with(client, namespace, &resource)
        } else {
            Api::all_with(client, &resource)
        };
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let action = format!("apply {} `{name}`", resource.kind);
        let parameters = PatchParams::apply(MANAGER).force();
        let answer = request(&action, api.patch(name, &parameters, &Patch::Apply(&object))).await;
        answer.map_err(|error| blame(error, format!("{} `{name}`", resource.kind)))?;
    }
    Ok(())
}

/// Removes what a release has outside of its namespace.
pub(super) async fn remove(context: &SubjectContext, namespace: &str) -> Result<(), SubjectError> {
    let ours = ListParams::default().labels(&format!("{RELEASE_LABEL}={namespace}"));
    let parameters = DeleteParams::default();
    let action = format!("delete the cluster roles of the release in namespace `{namespace}`");
    let bindings: Api<ClusterRoleBinding> = Api::all(context.client.clone());
    request(&action, bindings.delete_collection(&parameters, &ours)).await.map(drop)?;
    let roles: Api<ClusterRole> = Api::all(context.client.clone());
    request(&action, roles.delete_collection(&parameters, &ours)).await.map(drop)
}

type Kinds = BTreeMap<(String, String), (ApiResource, ApiCapabilities)>;

/// How the API server names the kind of an object; asked once for each kind.
async fn kind(
    context: &SubjectContext,
    object: &Value,
    known: &mut Kinds,
) -> Result<(ApiResource, ApiCapabilities), SubjectError> {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = (text("apiVersion"), text("kind"));
    if let Some(found) = known.get(&key) {
        return Ok(found.clone());
    }
    let (group, version) = key.0.split_once('/').unwrap_or(("", &key.0));
    let gvk = GroupVersionKind::gvk(group, version, &key.1);
    let action = format!("look up the kind {} ({})", key.1, key.0);
    let found = request(&action, pinned_kind(&context.client, &gvk)).await?;
    known.insert(key, found.clone());
    Ok(found)
}

/// An object that the API server calls invalid is the implementation's own fault.
fn blame(error: SubjectError, object: String) -> SubjectError {
    match error {
        SubjectError::Api { source, action } => match *source {
            kube::Error::Api(status) if matches!(status.code, 400 | 422) => {
                SubjectError::Refused { object, message: status.message.clone() }
            }
            other => SubjectError::Api { source: Box::new(other), action },
        },
        other => other,
    }
}
