//! Reading what a run refers to.
//!
//! What is cached is used. What is not is read directly before anything is said about it: a verdict on
//! a missing object is final, and a cache may lag behind the user who created the object a moment before
//! the run.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::future::try_join_all;
use futures::try_join;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
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
    let vcs_skipped = match validate::version_control(run, &plans) {
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
    let namespace = run.namespace().unwrap_or_default();
    context.default_memories.find(&namespace, cache, &context.api(run)).await
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
