//! Caches of what runs refer to: one reflector per kind, for one namespace or for all of them.

use std::fmt::Debug;
use std::sync::Arc;

use futures::future::{self, BoxFuture};
use futures::stream::BoxStream;
use futures::{FutureExt as _, Stream, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::api::{Agent, AgentProvider, ImplementationSpec, Memory};

use super::backoff::WatchBackoff;
use super::context::Filled;
use super::slim::slim;
use super::streamed::streamed;
use super::triggers::triggers;

/// Objects per page of a list. A page is in memory as a whole, several times over while it is read.
pub(super) const PAGE: u32 = 100;
/// The same for kinds whose objects hold texts of more than 100 KiB.
const PAGE_OF_TEXTS: u32 = 50;

/// What runs refer to, as it was seen last.
#[derive(Clone)]
pub(super) struct Caches {
    /// All Agents.
    pub agents: Store<Agent>,
    /// All `AgentProvider`s.
    pub providers: Store<AgentProvider>,
    /// All `ImplementationSpec`s.
    pub implementations: Store<ImplementationSpec>,
    /// All Memories.
    pub memories: Store<Memory>,
    /// Whether each of them holds everything that was there at the start.
    pub filled: [Filled; 4],
}

/// Objects of a kind as they change; polling the stream is what keeps the cache current.
pub(super) type Objects<K> = BoxStream<'static, watcher::Result<K>>;

/// The watches behind the caches.
pub(super) struct Streams {
    /// Changed Agents.
    pub agents: Objects<Agent>,
    /// Changed `AgentProvider`s.
    pub providers: Objects<AgentProvider>,
    /// Changed `ImplementationSpec`s.
    pub implementations: Objects<ImplementationSpec>,
    /// Changes when an Agent may find what it missed, or miss what it had.
    pub referenced_changed: watch::Receiver<()>,
}

/// Sets up the caches of one namespace, or of all of them. They fill while the streams are polled, and
/// that of Memories, on which nobody works, while the future is; it never ends.
pub(super) fn prepare(client: &Client, namespace: Option<&str>) -> (Caches, Streams, BoxFuture<'static, ()>) {
    let (changed, referenced_changed) = watch::channel(());
    let changed = Arc::new(changed);
    let (agents, agents_filled, agent_events) = reflect(client, namespace, PAGE);
    let (providers, providers_filled, provider_events) = reflect(client, namespace, PAGE);
    let (implementations, implementations_filled, implementation_events) =
        reflect(client, namespace, PAGE_OF_TEXTS);
    let (memories, memories_filled, memory_events) = reflect::<Memory>(client, namespace, PAGE);
    let filled = [agents_filled, providers_filled, implementations_filled, memories_filled];
    let of_providers = Arc::clone(&changed);
    let provider_events = provider_events.inspect(move |_| of_providers.send_modify(|()| ()));
    let streams = Streams {
        agents: triggers(agent_events, agents.clone()).applied_objects().boxed(),
        providers: triggers(provider_events, providers.clone()).applied_objects().boxed(),
        implementations: triggers(implementation_events, implementations.clone()).applied_objects().boxed(),
        referenced_changed,
    };
    let caches = Caches { agents, providers, implementations, memories, filled };
    let memories = memory_events.for_each(move |event| {
        changed.send_modify(|()| ());
        if let Err(error) = event {
            warn!(kind = "Memory", "watch failed: {error}");
        }
        future::ready(())
    });
    (caches, streams, memories.boxed())
}

/// A cache, whether it is filled, and the events that have passed through it.
type Reflected<K> = (Store<K>, Filled, BoxStream<'static, watcher::Result<Event<K>>>);

fn reflect<K>(client: &Client, namespace: Option<&str>, page: u32) -> Reflected<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + Default
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let (store, writer) = reflector::store();
    let (filled, is_filled) = watch::channel(false);
    let events = readable(streamed(api::<DeserializeGuard<K>>(client, namespace), page))
        .backoff(WatchBackoff::default())
        .modify(|object| slim(object.meta_mut()))
        .reflect(writer)
        .inspect(move |event| announce(event, &filled));
    (store, is_filled, events.boxed())
}

/// Events of those objects that can be read.
///
/// One object that cannot be read does not stop the others. If it could be read before, it is dropped
/// from the cache: what it was may not be what it is.
pub(super) fn readable<K>(
    events: impl Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>> + Send,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Default + Send,
{
    events.filter_map(|event| future::ready(event.map(read).transpose()))
}

/// Access to a kind in one namespace, or in all of them.
pub(super) fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Tells everybody who waits that a cache is filled. `Store::wait_until_ready` cannot do that: it wakes
/// only the waiter that asked last.
pub(super) fn announce<K>(event: &watcher::Result<Event<K>>, filled: &watch::Sender<bool>) {
    if matches!(event, Ok(Event::InitDone)) {
        filled.send_replace(true);
    }
}

fn read<K>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>>
where
    K: Resource<DynamicType = ()> + Default,
{
    match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::InitApply(guard) => unwrap(guard).ok().map(Event::InitApply),
        Event::Apply(guard) => Some(match unwrap(guard) {
            Ok(object) => Event::Apply(object),
            Err(metadata) => Event::Delete(bare(*metadata)),
        }),
        // The cache needs no more than the name of what is gone.
        Event::Delete(guard) => Some(Event::Delete(guard.0.unwrap_or_else(|invalid| bare(invalid.metadata)))),
    }
}

fn unwrap<K: Resource<DynamicType = ()>>(guard: DeserializeGuard<K>) -> Result<K, Box<ObjectMeta>> {
    guard.0.map_err(|invalid| {
        let metadata = Box::new(invalid.metadata);
        let (kind, namespace, name) = (K::kind(&()), &metadata.namespace, &metadata.name);
        warn!(%kind, namespace, name, "unreadable object: {}", invalid.error);
        metadata
    })
}

fn bare<K: Resource + Default>(metadata: ObjectMeta) -> K {
    let mut object = K::default();
    *object.meta_mut() = metadata;
    debug!(namespace = object.namespace(), name = object.name_any(), "dropped from the cache");
    object
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    const READABLE: &str = r#"{"providerRef": {"name": "p"}}"#;
    const UNREADABLE: &str = r#"{"providerRef": 7}"#;

    fn guard(spec: &str) -> DeserializeGuard<Agent> {
        let spec: Value = serde_json::from_str(spec).unwrap();
        let object = json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "Agent",
            "metadata": {"name": "a", "namespace": "ns"}, "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    fn told(event: Option<Event<Agent>>) -> Option<(&'static str, String)> {
        Some(match event? {
            Event::Init => ("init", String::new()),
            Event::InitDone => ("done", String::new()),
            Event::InitApply(agent) => ("there", agent.name_any()),
            Event::Apply(agent) => ("changed", agent.name_any()),
            Event::Delete(agent) => ("gone", agent.name_any()),
        })
    }

    /// [LC-15]
    #[rstest]
    #[case(Event::InitApply(guard(READABLE)), Some("there"))]
    #[case(Event::InitApply(guard(UNREADABLE)), None)]
    #[case(Event::Apply(guard(READABLE)), Some("changed"))]
    #[case(Event::Apply(guard(UNREADABLE)), Some("gone"))]
    #[case(Event::Delete(guard(READABLE)), Some("gone"))]
    #[case(Event::Delete(guard(UNREADABLE)), Some("gone"))]
    fn an_unreadable_object_is_left_out_and_never_remembered_as_it_was(
        #[case] event: Event<DeserializeGuard<Agent>>,
        #[case] expected: Option<&str>,
    ) {
        let told = told(read(event));
        assert_eq!(told.as_ref().map(|(what, _)| *what), expected);
        assert!(told.is_none_or(|(_, name)| name == "a"));
    }
}
