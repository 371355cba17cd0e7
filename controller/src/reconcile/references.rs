//! Reading what a run refers to.
//!
//! What is cached is used. What is not is read directly before anything is said about it: a verdict on
//! a missing object is final, and a cache may lag behind the user who created the object a moment before
//! the run.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::future::try_join_all;
use futures::try_join;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::api::{Agent, AgentRun, Memory, SystemPromptRef};
use crate::decide::spec_hash::sha256_hex;
use crate::decide::validate::prompt::{self, Source};
use crate::decide::validate::{self, Extent, Plan, Prompt, References, Refusal};

use super::context::Context;
use super::error::Error;

/// Work that may start: the plans for its objects and what the status should say about it.
pub(super) struct Prepared {
    /// Everything needed to build the objects, for each piece of work that was asked for.
    pub plans: Vec<Plan>,
    /// Hex SHA-256 of the system prompt.
    pub system_prompt_hash: Option<String>,
    /// Why version control is left out.
    pub vcs_skipped: Option<String>,
}

/// Runs all checks. The outer error is about the cluster, the inner one about the run.
pub(super) async fn prepare(
    run: &AgentRun,
    extent: Extent,
    context: &Context,
) -> Result<Result<Prepared, Refusal>, Error> {
    let settings = &context.settings;
    let parameters = match extent {
        Extent::Whole => validate::before_references(run, settings),
        // What the run itself says was checked before its first step.
        Extent::Step(_) => validate::parameters(run.spec.parameters.as_ref()),
    };
    let parameters = match parameters {
        Ok(parameters) => parameters,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let references = read(run, extent, context).await?;
    let mut plans = match validate::with_references(run, &parameters, references, settings, extent) {
        Ok(plans) => plans,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // All plans of a run have the same Agent and Secrets, which decide about the prompt.
    let Some(plan) = plans.first() else {
        return Ok(Ok(Prepared { plans, system_prompt_hash: None, vcs_skipped: None }));
    };
    let (prompt, system_prompt_hash) = match system_prompt(run, plan, context).await? {
        Ok(prompt) => prompt,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let vcs_skipped = match validate::version_control(run, plan) {
        Ok(vcs_skipped) => vcs_skipped,
        Err(refusal) => return Ok(Err(refusal)),
    };
    for plan in &mut plans {
        plan.prompt = prompt.clone();
    }
    Ok(Ok(Prepared { plans, system_prompt_hash, vcs_skipped }))
}

async fn read(run: &AgentRun, extent: Extent, context: &Context) -> Result<References, Error> {
    let caches = &context.references;
    for filled in &caches.filled {
        context.until_filled(filled).await?;
    }
    let with_agent = async {
        let agent = cached(run, validate::names::agent(run), &caches.agents, context).await?;
        let provider = agent.as_ref().and_then(validate::names::provider);
        let (provider, memory) = try_join!(
            cached(run, provider, &caches.providers, context),
            memory(run, agent.as_ref(), context)
        )?;
        Ok((agent, provider, memory))
    };
    let names = validate::names::implementations(run, extent).into_iter();
    let implementations = try_join_all(names.map(async |name| {
        let found = cached(run, Some(name), &caches.implementations, context).await?;
        Ok(found.map(|found| (name.to_owned(), found)))
    }));
    let ((agent, provider, memory), implementations) = try_join!(with_agent, implementations)?;
    let implementations: BTreeMap<_, _> = implementations.into_iter().flatten().collect();
    Ok(References { agent, provider, implementations, memory })
}

/// The Memory that is named, else the oldest one that is marked as default.
async fn memory(run: &AgentRun, agent: Option<&Agent>, context: &Context) -> Result<Option<Memory>, Error> {
    let cache = &context.references.memories;
    if let Some(name) = validate::names::memory(run, agent) {
        return cached(run, Some(name), cache, context).await;
    }
    default_memory(cache, &context.api(run), run.namespace().as_deref()).await
}

async fn default_memory(
    cache: &Store<Memory>,
    api: &Api<DeserializeGuard<Memory>>,
    namespace: Option<&str>,
) -> Result<Option<Memory>, Error> {
    let in_namespace = |memory: &Arc<Memory>| memory.metadata.namespace.as_deref() == namespace;
    let cached = cache.state().into_iter().filter(in_namespace);
    if let Some(memory) = default_of(cached) {
        return Ok(Some(Arc::unwrap_or_clone(memory)));
    }
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
    defaults.min_by_key(|memory| (memory.borrow().creation_timestamp(), memory.borrow().name_any()))
}

async fn system_prompt(
    run: &AgentRun,
    plan: &Plan,
    context: &Context,
) -> Result<Result<(Prompt, Option<String>), Refusal>, Error> {
    for source in prompt::sources(run, plan) {
        match source {
            Source::Text(text) => {
                let hash = sha256_hex(text.as_bytes());
                return Ok(Ok((Prompt::Inline(text), Some(hash))));
            }
            Source::Reference(reference) => {
                if let Err(refusal) = prompt::check_reference(&reference, plan, &context.settings) {
                    return Ok(Err(refusal));
                }
                let read = prompt_content(run, &reference, context).await?;
                match prompt::check_content(&reference, read) {
                    Err(refusal) => return Ok(Err(refusal)),
                    Ok(None) => {}
                    Ok(Some(text)) => {
                        let hash = sha256_hex(text.as_bytes());
                        return Ok(Ok((Prompt::Reference(reference), Some(hash))));
                    }
                }
            }
        }
    }
    Ok(Ok((Prompt::Absent, None)))
}

async fn prompt_content(
    run: &AgentRun,
    reference: &SystemPromptRef,
    context: &Context,
) -> Result<Option<Vec<u8>>, Error> {
    let (name, key) = (Some(reference.name.trim()), reference.key.trim());
    if reference.kind == "Secret" {
        let secret: Option<Secret> = named(run, name, context).await?;
        return Ok(secret.and_then(|secret| secret.data?.remove(key)).map(|bytes| bytes.0));
    }
    let config_map: Option<ConfigMap> = named(run, name, context).await?;
    Ok(config_map.and_then(|config_map| {
        let text = config_map.data.and_then(|mut data| data.remove(key)).map(String::into_bytes);
        text.or_else(|| config_map.binary_data?.remove(key).map(|bytes| bytes.0))
    }))
}

/// The object as it is cached, else as the API server has it.
async fn cached<K>(
    run: &AgentRun,
    name: Option<&str>,
    cache: &Store<K>,
    context: &Context,
) -> Result<Option<K>, Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let Some(name) = name else { return Ok(None) };
    let key = ObjectRef::new(name).within(&run.namespace().unwrap_or_default());
    match cache.get(&key) {
        Some(object) => Ok(Some(Arc::unwrap_or_clone(object))),
        None => read_named(&context.api(run), name).await,
    }
}

async fn named<K>(run: &AgentRun, name: Option<&str>, context: &Context) -> Result<Option<K>, Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    match name {
        Some(name) => read_named(&context.api(run), name).await,
        None => Ok(None),
    }
}

async fn read_named<K>(api: &Api<K>, name: &str) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    api.get_opt(name).await.map_err(|source| Error::ReadReference {
        kind: std::any::type_name::<K>().rsplit("::").next().unwrap_or_default(),
        name: name.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
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
        let memory = default_memory(&cache, &api, Some(namespace)).await.unwrap();
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
}
