//! The oracle: the same operations by a client that can nothing else.
//!
//! One watch for all scenarios, checks by events, no record, no reports.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use crate::play::{ABSENT, MANAGER, NAME, object, patch};

/// Deadline of a check.
const CHECK: Duration = Duration::from_mins(1);

/// When the scenarios began, with all preparation done, and when the last one ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Played {
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

/// The current `ConfigMaps` of each namespace, by name.
type Objects = HashMap<String, ConfigMap>;

/// What the watch has seen.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<HashMap<String, watch::Sender<Objects>>>>);

impl Seen {
    fn change(&self, namespace: &str, change: impl FnOnce(&mut Objects)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(namespace.to_owned()).or_default().send_modify(change);
    }

    fn of(&self, namespace: &str) -> watch::Receiver<Objects> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(namespace.to_owned()).or_default().subscribe()
    }
}

/// Plays so many scenarios, or only makes and deletes their namespaces.
pub(crate) async fn play(
    kubeconfig: &Path,
    scenarios: u32,
    in_flight: usize,
    only_namespaces: bool,
) -> Result<Played> {
    let client = crate::tool::connect(kubeconfig).await?;
    let seen = Seen::default();
    let (ready, mut is_ready) = watch::channel(false);
    let following = tokio::spawn(follow(client.clone(), seen.clone(), ready));
    is_ready.wait_for(|ready| *ready).await.context("list all ConfigMaps")?;
    let began = Timestamp::now();
    let id = format!("{:x}", began.as_millisecond());
    let one = |number: u32| {
        let (client, seen, namespace) = (client.clone(), seen.clone(), format!("oracle-{id}-{number}"));
        async move { scenario(client, &seen, &namespace, only_namespaces).await }
    };
    stream::iter(0..scenarios).map(one).buffer_unordered(in_flight).try_collect::<()>().await?;
    following.abort();
    Ok(Played { began, ended: Timestamp::now() })
}

async fn follow(client: Client, seen: Seen, ready: watch::Sender<bool>) {
    let mut events = watcher::watcher(Api::<ConfigMap>::all(client), watcher::Config::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let namespace = object.namespace().unwrap_or_default();
                seen.change(&namespace, |objects| drop(objects.insert(object.name_any(), object)));
            }
            Ok(watcher::Event::Delete(object)) => {
                let namespace = object.namespace().unwrap_or_default();
                seen.change(&namespace, |objects| drop(objects.remove(&object.name_any())));
            }
            Ok(watcher::Event::InitDone) => drop(ready.send_replace(true)),
            Ok(watcher::Event::Init) | Err(_) => {}
        }
    }
}

async fn scenario(client: Client, seen: &Seen, namespace: &str, only_namespaces: bool) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let metadata: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
    namespaces.create(&PostParams::default(), &metadata).await.context("create a namespace")?;
    if !only_namespaces {
        operations(client, seen, namespace).await.with_context(|| format!("play in {namespace}"))?;
    }
    namespaces.delete(namespace, &DeleteParams::background()).await.context("delete a namespace")?;
    Ok(())
}

async fn operations(client: Client, seen: &Seen, namespace: &str) -> Result<()> {
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    let mut objects = seen.of(namespace);
    let created: ConfigMap = serde_json::from_value(object("created"))?;
    api.create(&PostParams::default(), &created).await?;
    check(&mut objects, "created").await?;
    let apply = PatchParams::apply(MANAGER).force();
    api.patch(NAME, &apply, &Patch::Apply(object("applied"))).await?;
    check(&mut objects, "applied").await?;
    let patched = api.patch(NAME, &PatchParams::default(), &Patch::Merge(patch())).await?;
    check(&mut objects, "patched").await?;
    ensure!(!objects.borrow().contains_key(ABSENT), "{ABSENT} is there");
    let preconditions = Some(Preconditions { uid: patched.uid(), resource_version: None });
    api.delete(NAME, &DeleteParams { preconditions, ..DeleteParams::background() }).await?;
    Ok(())
}

/// Waits until the watch shows the object at this step.
async fn check(objects: &mut watch::Receiver<Objects>, step: &str) -> Result<()> {
    let is_there = |objects: &Objects| {
        let data = objects.get(NAME).and_then(|object| object.data.as_ref());
        data.and_then(|data| data.get("step")).is_some_and(|found| found == step)
    };
    tokio::time::timeout(CHECK, objects.wait_for(is_there))
        .await
        .with_context(|| format!("see {step}"))??;
    Ok(())
}
