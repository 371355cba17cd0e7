//! Which kinds a plan touches, and how the API server names their resources.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use kube::Client;
use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};

use super::EngineError;
use super::cluster_scope::Place;
use super::plan::Plan;
use crate::scenario::PlannedCase;
use crate::scenario::assertion::Target;
use crate::scenario::step::Action;
use crate::scenario::suite::Fence;

/// How often and how long a kind is looked for: a new kind is served some moments after its CRD is
/// established.
const RETRY: ConstantBuilder =
    ConstantBuilder::new().with_delay(Duration::from_millis(100)).with_max_times(100);

/// `apiVersion` and `kind`.
pub(super) type Kind = (String, String);

/// The resources of all kinds of a plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds(BTreeMap<Kind, Place>);

impl Kinds {
    /// Asks the API server for every kind that the plan touches.
    pub(super) async fn discover(
        client: &Client,
        plan: &Plan,
        fence: Option<&Fence>,
    ) -> Result<Self, EngineError> {
        let nothing = Self::default();
        Ok(nothing.extended(client, plan, fence).await?.unwrap_or(nothing))
    }

    /// Those and the kinds of another plan, if it touches others.
    pub(super) async fn extended(
        &self,
        client: &Client,
        plan: &Plan,
        fence: Option<&Fence>,
    ) -> Result<Option<Self>, EngineError> {
        let mut kinds = self.0.clone();
        for (api_version, kind) in touched(plan, fence) {
            if self.get(&api_version, &kind).is_some() {
                continue;
            }
            let place = place(client, &api_version, &kind).await?;
            kinds.insert((api_version, kind), place);
        }
        Ok((kinds.len() > self.0.len()).then_some(Self(kinds)))
    }

    /// Where the objects of a kind live that the plan touches.
    pub(super) fn get(&self, api_version: &str, kind: &str) -> Option<&Place> {
        self.0.get(&(api_version.to_owned(), kind.to_owned()))
    }

    /// The resources whose versions decide what is said about a case: those of the objects that its claims
    /// are about, and of the objects that their expressions read.
    ///
    /// A chain of owners may lead over a Job, so Jobs are among them where owners count.
    pub(super) fn judged(&self, case: &PlannedCase) -> Vec<&Place> {
        let mut kinds: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut aliases: BTreeSet<String> = BTreeSet::new();
        for claim in case.actions().flat_map(Action::claims) {
            aliases.extend(claim.condition.aliases_read());
            match &claim.target {
                Target::Object { alias } => {
                    aliases.insert(alias.clone());
                }
                Target::Resources { api_version, kind, of, .. } => {
                    kinds.insert((api_version, kind));
                    kinds.extend(of.as_ref().map(|_| JOB));
                    aliases.extend(of.clone());
                }
                Target::Requests { .. } | Target::Log | Target::Rendered { .. } => {}
            }
        }
        let named = case.manifests().filter(|manifest| aliases.contains(&manifest.alias));
        kinds.extend(named.map(|manifest| (manifest.api_version.as_str(), manifest.kind.as_str())));
        kinds.into_iter().filter_map(|(api_version, kind)| self.get(api_version, kind)).collect()
    }

    /// All resources, to be watched.
    pub(super) fn resources(&self) -> Vec<ApiResource> {
        self.0.values().map(|place| place.resource.clone()).collect()
    }

    /// The resources of these API groups whose objects live in namespaces.
    pub(super) fn namespaced_in(&self, groups: &[String]) -> Vec<ApiResource> {
        let places = self.0.values().filter(|place| place.namespaced);
        let resources = places.map(|place| &place.resource);
        resources.filter(|resource| groups.contains(&resource.group)).cloned().collect()
    }
}

/// Asks the API server how it names the resource of a kind.
pub(crate) async fn resource(
    client: &Client,
    api_version: &str,
    kind: &str,
) -> Result<ApiResource, EngineError> {
    Ok(place(client, api_version, kind).await?.resource)
}

async fn place(client: &Client, api_version: &str, kind: &str) -> Result<Place, EngineError> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    let lookup = || pinned_kind(client, &gvk);
    let (resource, capabilities) = lookup.retry(RETRY).await.map_err(|source| EngineError::UnknownKind {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        source: Box::new(source),
    })?;
    Ok(Place { resource, namespaced: capabilities.scope == Scope::Namespaced })
}

/// `apiVersion` and `kind` of Jobs.
const JOB: (&str, &str) = ("batch/v1", "Job");
/// How an expression begins.
const EXPRESSION: &str = "${{";
/// The kinds that are always watched, so that a failure can show them.
const ALWAYS: &[(&str, &str)] = &[JOB, ("v1", "ConfigMap"), ("v1", "Pod"), ("v1", "Event")];

fn touched(plan: &Plan, fence: Option<&Fence>) -> BTreeSet<Kind> {
    let running = || plan.cases.iter().filter(|placed| placed.skip.is_none()).map(|placed| &placed.case);
    let manifests = fence.map(|fence| &fence.manifest).into_iter();
    let manifests = manifests.chain(running().flat_map(PlannedCase::manifests));
    let sent = manifests.map(|manifest| (manifest.api_version.as_str(), manifest.kind.as_str()));
    let targets = running().flat_map(PlannedCase::actions).flat_map(Action::targets);
    let named = targets.filter_map(|target| match target {
        Target::Resources { api_version, kind, .. } => Some((api_version.as_str(), kind.as_str())),
        _ => None,
    });
    let all = ALWAYS.iter().copied().chain(sent).chain(named);
    // Kinds whose group is known only while a case runs are defined by that case.
    let known = all.filter(|(api_version, _)| !api_version.contains(EXPRESSION));
    known.map(|(api_version, kind)| (api_version.to_owned(), kind.to_owned())).collect()
}
