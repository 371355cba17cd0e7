//! Which kinds a plan touches, and how the API server names their resources.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use kube::Client;
use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;

use super::EngineError;
use super::plan::Plan;
use crate::scenario::assertion::Target;
use crate::scenario::step::{Action, Manifest};
use crate::scenario::suite::Fence;

/// How often and how long a kind is looked for: a new kind is served some moments after its CRD is
/// established.
const RETRY: ConstantBuilder =
    ConstantBuilder::new().with_delay(Duration::from_millis(100)).with_max_times(100);

/// `apiVersion` and `kind`.
pub(super) type Kind = (String, String);

/// The resources of all kinds of a plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds(BTreeMap<Kind, ApiResource>);

impl Kinds {
    /// Asks the API server for every kind that the plan touches.
    pub(super) async fn discover(
        client: &Client,
        plan: &Plan,
        fence: Option<&Fence>,
    ) -> Result<Self, EngineError> {
        let mut kinds = BTreeMap::new();
        for (api_version, kind) in touched(plan, fence) {
            let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
            let gvk = GroupVersionKind::gvk(group, version, &kind);
            let lookup = || pinned_kind(client, &gvk);
            let (resource, _) = lookup.retry(RETRY).await.map_err(|source| EngineError::UnknownKind {
                api_version: api_version.clone(),
                kind: kind.clone(),
                source: Box::new(source),
            })?;
            kinds.insert((api_version, kind), resource);
        }
        Ok(Self(kinds))
    }

    /// The resource of a kind that the plan touches.
    pub(super) fn get(&self, api_version: &str, kind: &str) -> Option<&ApiResource> {
        self.0.get(&(api_version.to_owned(), kind.to_owned()))
    }

    /// All resources, to be watched.
    pub(super) fn resources(&self) -> Vec<ApiResource> {
        self.0.values().cloned().collect()
    }
}

/// The kinds that are always watched, so that a failure can show them.
const ALWAYS: &[(&str, &str)] = &[("batch/v1", "Job"), ("v1", "ConfigMap"), ("v1", "Pod"), ("v1", "Event")];

fn touched(plan: &Plan, fence: Option<&Fence>) -> BTreeSet<Kind> {
    let mut kinds: BTreeSet<Kind> =
        ALWAYS.iter().map(|(api_version, kind)| ((*api_version).to_owned(), (*kind).to_owned())).collect();
    let mut manifest = |manifest: &Manifest| {
        kinds.insert((manifest.api_version.clone(), manifest.kind.clone()));
    };
    if let Some(fence) = fence {
        manifest(&fence.manifest);
    }
    let running = || plan.cases.iter().filter(|placed| placed.skip.is_none()).map(|placed| &placed.case);
    let actions =
        || running().flat_map(|case| case.steps.iter().chain(&case.expect)).map(|step| &step.action);
    running().flat_map(|case| &case.objects).for_each(&mut manifest);
    actions().flat_map(Action::manifests).for_each(&mut manifest);
    for target in actions().flat_map(Action::targets) {
        if let Target::Resources { api_version, kind, .. } = target {
            kinds.insert((api_version.clone(), kind.clone()));
        }
    }
    kinds
}
