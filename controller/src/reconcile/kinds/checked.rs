//! How the verdict over each kind is found.

use std::fmt::Debug;
use std::future::{self, Future};

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Agent, AgentProvider, ImplementationSpec};
use crate::decide::kinds::agent::{self, Found};
use crate::decide::kinds::{Reporting, Verdict, implementation, provider};
use crate::decide::validate::names;

use super::super::caches::Caches;
use super::super::error::Error;

/// A kind over which verdicts are taken.
pub(super) trait Checked:
    Reporting
    + Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// Name of the kind.
    const KIND: &'static str;

    /// The verdict by what is cached.
    fn verdict(&self, caches: &Caches) -> Verdict;

    /// The verdict after a direct look for what is not cached.
    fn confirmed(
        &self,
        _client: &Client,
        caches: &Caches,
    ) -> impl Future<Output = Result<Verdict, Error>> + Send {
        future::ready(Ok(self.verdict(caches)))
    }
}

impl Checked for AgentProvider {
    const KIND: &'static str = "AgentProvider";

    fn verdict(&self, _: &Caches) -> Verdict {
        provider::check(self)
    }
}

impl Checked for ImplementationSpec {
    const KIND: &'static str = "ImplementationSpec";

    fn verdict(&self, _: &Caches) -> Verdict {
        implementation::check(self)
    }
}

impl Checked for Agent {
    const KIND: &'static str = "Agent";

    fn verdict(&self, caches: &Caches) -> Verdict {
        let found = Found {
            provider: is_cached(self, names::provider(self), &caches.providers),
            memory: is_cached(self, agent::memory(self), &caches.memories),
        };
        agent::check(self, found)
    }

    async fn confirmed(&self, client: &Client, caches: &Caches) -> Result<Verdict, Error> {
        let found = Found {
            provider: exists(self, names::provider(self), &caches.providers, client).await?,
            memory: exists(self, agent::memory(self), &caches.memories, client).await?,
        };
        Ok(agent::check(self, found))
    }
}

fn is_cached<K>(agent: &Agent, name: Option<&str>, cache: &Store<K>) -> bool
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let namespace = agent.namespace().unwrap_or_default();
    name.is_some_and(|name| cache.get(&ObjectRef::new(name).within(&namespace)).is_some())
}

async fn exists<K>(
    agent: &Agent,
    name: Option<&str>,
    cache: &Store<K>,
    client: &Client,
) -> Result<bool, Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + 'static,
{
    let Some(name) = name else { return Ok(false) };
    if is_cached(agent, Some(name), cache) {
        return Ok(true);
    }
    let api: Api<K> = Api::namespaced(client.clone(), &agent.namespace().unwrap_or_default());
    // Only the metadata: an object that cannot be read is there all the same.
    let found = api.get_metadata_opt(name).await.map_err(|source| Error::ReadReference {
        kind: std::any::type_name::<K>().rsplit("::").next().unwrap_or_default(),
        name: name.to_owned(),
        source,
    })?;
    Ok(found.is_some())
}
