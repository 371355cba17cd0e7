//! What a run leaves behind on a cluster that lives on: nothing.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::kinds::Kinds;

/// Field manager of what the engine itself writes.
pub(super) const MANAGER: &str = "hallmark-engine";
/// The label on everything a run makes; its value is the run's id.
pub(super) const RUN_LABEL: &str = "hallmark.dev/run";

/// How long a subject may take to finish the deletion of its objects.
const FINALIZED: Duration = Duration::from_secs(10);
/// How long the namespaces of a run may take to vanish.
const GONE: Duration = Duration::from_mins(1);
/// Pause between two looks at what is left.
const PAUSE: Duration = Duration::from_millis(100);

/// Deletes the objects of the suite's kinds in a namespace while the subject still runs, so that it can
/// remove its finalizers; what is left after a while loses them by force.
pub(super) async fn drain(client: &Client, kinds: &Kinds, namespace: &str) {
    for resource in kinds.resources() {
        let builtin =
            resource.group.is_empty() || !resource.group.contains('.') || resource.group.ends_with(".k8s.io");
        if builtin {
            continue;
        }
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let _refused = api.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
        let deadline = tokio::time::Instant::now() + FINALIZED;
        let mut pause = tokio::time::interval(PAUSE);
        loop {
            pause.tick().await;
            let Ok(left) = api.list_metadata(&ListParams::default()).await else { break };
            if left.items.is_empty() {
                break;
            }
            if tokio::time::Instant::now() >= deadline {
                for object in left.items {
                    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                    let _gone = api.patch_metadata(&object.name_any(), &PatchParams::default(), &patch).await;
                }
                break;
            }
        }
    }
}

/// Begins the deletion of a namespace without waiting for it.
pub(super) async fn delete_namespace(client: &Client, namespace: &str) {
    let api: Api<Namespace> = Api::all(client.clone());
    if let Err(error) = api.delete(namespace, &DeleteParams::background()).await {
        tracing::debug!(namespace, %error, "namespace not deleted");
    }
}

/// Waits, bounded, until all namespaces of the run are gone; returns the names of those that are left.
pub(super) async fn wait_until_gone(client: &Client, run_id: &str) -> Vec<String> {
    let api: Api<Namespace> = Api::all(client.clone());
    let selector = ListParams::default().labels(&format!("{RUN_LABEL}={run_id}"));
    let deadline = tokio::time::Instant::now() + GONE;
    let mut pause = tokio::time::interval(PAUSE);
    loop {
        pause.tick().await;
        let Ok(left) = api.list(&selector).await else { return Vec::new() };
        let names: Vec<String> = left
            .items
            .iter()
            .filter(|namespace| namespace.metadata.deletion_timestamp.is_some())
            .map(ResourceExt::name_any)
            .collect();
        if names.is_empty() || tokio::time::Instant::now() >= deadline {
            return names;
        }
    }
}
