//! The Memory of runs that name none: the oldest one that is marked as default.
//!
//! A Memory that was created right before a run may not be cached yet, so "there is none" is asked of the
//! API server. Runs that ask while a list is under way share the next one: it begins after all of their
//! questions, and a burst of runs costs a few requests instead of one for each.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::{Api, ResourceExt};

use crate::api::Memory;
use crate::defects::Defect;

use super::error::Error;

/// Looks default Memories up, in each namespace one list at a time.
#[derive(Default)]
pub(super) struct DefaultMemories {
    lists: Mutex<HashMap<String, Arc<Lists>>>,
}

impl DefaultMemories {
    /// The default Memory of a namespace as it is now.
    pub(super) async fn find(
        &self,
        namespace: &str,
        cache: &Store<Memory>,
        api: &Api<DeserializeGuard<Memory>>,
    ) -> Result<Option<Memory>, Error> {
        let in_namespace = |memory: &Arc<Memory>| memory.metadata.namespace.as_deref() == Some(namespace);
        let cached = cache.state().into_iter().filter(in_namespace);
        if let Some(memory) = default_of(cached) {
            return Ok(Some(Arc::unwrap_or_clone(memory)));
        }
        let lists = {
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lists.entry(namespace.to_owned()).or_default())
        };
        lists.begun_after_this(async || list(api).await).await
    }
}

async fn list(api: &Api<DeserializeGuard<Memory>>) -> Result<Option<Memory>, Error> {
    let memories = api.list(&ListParams::default()).await.map_err(|source| Error::ReadReference {
        kind: "Memory",
        name: "marked as default".to_owned(),
        source,
    })?;
    // A Memory that cannot be read is nobody's default, and does not hide the others.
    Ok(default_of(memories.items.into_iter().filter_map(|guard| guard.0.ok())))
}

fn default_of<M: Borrow<Memory>>(memories: impl IntoIterator<Item = M>) -> Option<M> {
    let defaults = memories.into_iter().filter(|memory| memory.borrow().spec.default);
    let age = |memory: &M| (memory.borrow().creation_timestamp(), memory.borrow().name_any());
    if Defect::YoungestDefaultMemory.is_planted() {
        return defaults.max_by_key(age);
    }
    defaults.min_by_key(age)
}

/// The lists of one namespace, numbered in the order in which they begin.
#[derive(Default)]
struct Lists {
    begun: AtomicU64,
    newest: tokio::sync::Mutex<Answer>,
}

/// What the list of this number found.
#[derive(Default)]
struct Answer {
    number: u64,
    memory: Option<Memory>,
}

impl Lists {
    /// The answer of a list that begins after this call: somebody else's, or our own.
    async fn begun_after_this(
        &self,
        list: impl AsyncFnOnce() -> Result<Option<Memory>, Error>,
    ) -> Result<Option<Memory>, Error> {
        let asked_after = self.begun.load(Ordering::SeqCst);
        let mut newest = self.newest.lock().await;
        if newest.number <= asked_after {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            *newest = Answer { number, memory: list().await? };
        }
        Ok(newest.memory.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::future::join_all;
    use kube::runtime::{reflector, watcher::Event};
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::mock::api_server;
    use super::*;

    fn memory(name: &str, created: &str, default: bool) -> Value {
        json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "Memory",
            "metadata": {"name": name, "namespace": "ns", "creationTimestamp": created},
            "spec": {"type": "redis", "connection": {"secretRef": {"name": "s"}}, "default": default},
        })
    }

    fn early(name: &str, default: bool) -> Value {
        memory(name, "2026-01-01T00:00:00Z", default)
    }

    fn late(name: &str, default: bool) -> Value {
        memory(name, "2026-01-02T00:00:00Z", default)
    }

    /// The default Memory by what is cached and what is served, and the number of requests for it.
    async fn found(cached: Vec<Value>, served: Vec<Value>, namespace: &str) -> (Option<String>, usize) {
        let (cache, mut writer) = reflector::store();
        for memory in cached {
            writer.apply_watcher_event(&Event::Apply(serde_json::from_value(memory).unwrap()));
        }
        let list = json!({
            "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "MemoryList", "metadata": {}, "items": served,
        });
        let (client, log) = api_server(move |_| (200, list.clone()));
        let api = Api::namespaced(client, namespace);
        let memory = DefaultMemories::default().find(namespace, &cache, &api).await.unwrap();
        let requests = log.lock().unwrap().len();
        (memory.map(|memory| memory.name_any()), requests)
    }

    #[rstest]
    #[case::cached(vec![early("a", true)], vec![], "ns", Some("a"), 0)]
    #[case::the_oldest(vec![late("a", true), early("b", true)], vec![], "ns", Some("b"), 0)]
    #[case::of_equal_age_the_first(vec![early("b", true), early("a", true)], vec![], "ns", Some("a"), 0)]
    #[case::not_cached_yet(vec![early("a", false)], vec![early("a", false), late("b", true)], "ns", Some("b"), 1)]
    #[case::none(vec![early("a", false)], vec![early("a", false)], "ns", None, 1)]
    #[case::of_another_namespace(vec![early("a", true)], vec![], "other", None, 1)]
    #[case::beside_an_unreadable_one(
        vec![], vec![json!({"metadata": {"name": "broken"}, "spec": {"default": 7}}), late("b", true)],
        "ns", Some("b"), 1
    )]
    #[tokio::test]
    async fn the_default_memory_is_the_oldest_one_and_is_asked_for_only_when_none_is_cached(
        #[case] cached: Vec<Value>,
        #[case] served: Vec<Value>,
        #[case] namespace: &str,
        #[case] expected: Option<&str>,
        #[case] requests: usize,
    ) {
        assert_eq!(found(cached, served, namespace).await, (expected.map(str::to_owned), requests));
    }

    #[tokio::test]
    async fn questions_during_a_list_share_the_next_one() {
        let (lists, made) = (Lists::default(), AtomicUsize::new(0));
        let ask = || {
            lists.begun_after_this(async || {
                made.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(None)
            })
        };
        assert!(join_all((0..20).map(|_| ask())).await.into_iter().all(|answer| answer.unwrap().is_none()));
        // The first one began before the other questions were asked.
        assert_eq!(made.load(Ordering::SeqCst), 2);
        assert!(ask().await.unwrap().is_none());
        assert_eq!(made.load(Ordering::SeqCst), 3, "an earlier answer is no answer to a later question");
    }

    #[tokio::test]
    async fn a_list_that_fails_answers_nobody_else() {
        let lists = Lists::default();
        let failing = lists.begun_after_this(async || Err(Error::Stopping));
        let waiting = lists.begun_after_this(async || Ok(None));
        let (failed, answered) = tokio::join!(failing, waiting);
        assert!(failed.is_err() && answered.is_ok());
    }
}
