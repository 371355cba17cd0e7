//! What a run leaves behind on a cluster that lives on: nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher;
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
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
    let ours = watcher::Config::default().labels(&format!("{RUN_LABEL}={run_id}"));
    let mut left = Leaving::default();
    let mut events = watcher(api, ours).boxed();
    let gone = async {
        // A cluster that does not answer tells nothing about namespaces, and is no reason to wait.
        while let Some(Ok(event)) = events.next().await {
            if left.is_empty_after(event) {
                break;
            }
        }
    };
    match tokio::time::timeout(GONE, gone).await {
        Ok(()) => Vec::new(),
        Err(_elapsed) => left.names.into_iter().collect(),
    }
}

/// The namespaces that are being deleted.
#[derive(Debug, Default)]
struct Leaving {
    names: BTreeSet<String>,
    /// Whether the first list is complete.
    listed: bool,
}

impl Leaving {
    /// Whether none is left.
    fn is_empty_after(&mut self, event: watcher::Event<PartialObjectMeta<Namespace>>) -> bool {
        match event {
            watcher::Event::Init => {
                self.names.clear();
                self.listed = false;
            }
            watcher::Event::InitDone => self.listed = true,
            watcher::Event::InitApply(namespace) | watcher::Event::Apply(namespace) => {
                if namespace.metadata.deletion_timestamp.is_some() {
                    self.names.insert(namespace.name_any());
                }
            }
            watcher::Event::Delete(namespace) => {
                self.names.remove(&namespace.name_any());
            }
        }
        self.listed && self.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};

    use super::*;

    fn namespace(name: &str, leaves: bool) -> PartialObjectMeta<Namespace> {
        let mut namespace = PartialObjectMeta::<Namespace>::default();
        namespace.metadata.name = Some(name.to_owned());
        namespace.metadata.deletion_timestamp = leaves.then_some(Time(Timestamp::UNIX_EPOCH));
        namespace
    }

    #[test]
    fn all_are_gone_when_the_last_one_that_leaves_is_deleted_and_those_that_stay_do_not_count() {
        let mut left = Leaving::default();
        for event in [Init, InitApply(namespace("a", true)), InitApply(namespace("kept", false))] {
            assert!(!left.is_empty_after(event), "the list is not complete");
        }
        assert!(!left.is_empty_after(InitDone));
        assert!(!left.is_empty_after(Apply(namespace("b", true))));
        assert!(!left.is_empty_after(Delete(namespace("a", true))));
        assert!(left.is_empty_after(Delete(namespace("b", true))));
    }

    #[test]
    fn what_vanished_while_the_watch_was_interrupted_is_gone() {
        let mut left = Leaving::default();
        for event in [Init, InitApply(namespace("a", true)), InitDone, Init] {
            assert!(!left.is_empty_after(event));
        }
        assert!(left.is_empty_after(InitDone));
    }
}
