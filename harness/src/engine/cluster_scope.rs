//! Objects that belong to no namespace, and the kinds that a case defines itself.
//!
//! All cases share one cluster. What a case makes of it carries the name of the case's namespace in a label,
//! by which the watches know whose it is, and goes with the case.

use std::time::Duration;

use backon::{ConstantBuilder, Retryable as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Client, ResourceExt};

use super::api::request;
use super::case::{CaseRun, Stop};
use crate::record::{OWNER_LABEL, field_selector};

/// How long the API server may take to serve a kind.
const SERVED: Duration = Duration::from_secs(15);
/// Pause between two questions whether it does: nothing tells when.
const PAUSE: ConstantBuilder =
    ConstantBuilder::new().with_delay(Duration::from_millis(50)).without_max_times();

/// A kind, and where its objects live.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) resource: ApiResource,
    pub(super) namespaced: bool,
}

impl Place {
    /// An Api for objects of a case: in its namespace, if they live in one.
    pub(super) fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        if self.namespaced {
            Api::namespaced_with(client.clone(), namespace, &self.resource)
        } else {
            Api::all_with(client.clone(), &self.resource)
        }
    }

    /// Lists the objects of a case that its record has.
    pub(super) fn of_case(&self, namespace: &str) -> ListParams {
        let all = ListParams::default();
        let recorded = field_selector(&self.resource).into_iter().fold(all, ListParams::fields);
        if self.namespaced { recorded } else { recorded.labels(&format!("{OWNER_LABEL}={namespace}")) }
    }
}

/// An object of the cluster that a case has made.
#[derive(Debug)]
pub(super) struct Made {
    place: Place,
    name: String,
}

impl CaseRun<'_> {
    /// Where objects of a kind live that the plan or the case itself knows.
    pub(super) fn place(&self, api_version: &str, kind: &str) -> Result<&Place, Stop> {
        let is = |place: &&Place| place.resource.api_version == api_version && place.resource.kind == kind;
        let own = self.defined.iter().rev().find(is);
        own.or_else(|| self.run.kinds.get(api_version, kind)).ok_or_else(|| {
            Stop::Inconclusive(format!("{kind} ({api_version}) was not looked up before the run"))
        })
    }

    /// Remembers an object of the cluster; a kind is served afterwards if it defines one.
    pub(super) async fn adopt(&mut self, place: &Place, object: &DynamicObject) -> Result<(), Stop> {
        if place.namespaced {
            return Ok(());
        }
        self.made.push(Made { place: place.clone(), name: object.name_any() });
        let definition = serde_json::to_value(object).and_then(serde_json::from_value);
        if let Ok::<CustomResourceDefinition, _>(definition) = definition {
            let kinds = kinds(&definition);
            tokio::time::timeout(SERVED, self.served(&definition.name_any(), &kinds)).await.map_err(
                |_elapsed| {
                    let waited = SERVED.as_secs();
                    Stop::Inconclusive(format!("{} was not served within {waited} s", definition.name_any()))
                },
            )??;
            self.defined.extend(kinds);
        }
        Ok(())
    }

    async fn served(&self, name: &str, kinds: &[Place]) -> Result<(), Stop> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client().clone());
        let established = await_condition(api, name, is_crd_established()).await;
        established.map_err(|error| Stop::Inconclusive(format!("establish {name}: {error}")))?;
        for place in kinds {
            let api = place.api(self.client(), &self.namespace);
            let list = || async { api.list_metadata(&ListParams::default().limit(1)).await };
            let missing =
                |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.code == 404);
            let listed = list.retry(PAUSE).when(missing).await;
            listed.map_err(|error| Stop::Inconclusive(format!("list {name}: {error}")))?;
        }
        Ok(())
    }

    /// Deletes the objects of the cluster that the case has made.
    pub(super) async fn unmake(&mut self) {
        for Made { place, name } in std::mem::take(&mut self.made) {
            let api: Api<DynamicObject> = Api::all_with(self.client().clone(), &place.resource);
            let _absent = request(|| async { api.delete(&name, &DeleteParams::default()).await }).await;
        }
    }
}

/// The served kinds of a definition.
fn kinds(definition: &CustomResourceDefinition) -> Vec<Place> {
    let spec = &definition.spec;
    let served = spec.versions.iter().filter(|version| version.served);
    let place = |version: &str| Place {
        resource: ApiResource {
            group: spec.group.clone(),
            version: version.to_owned(),
            api_version: format!("{}/{version}", spec.group),
            kind: spec.names.kind.clone(),
            plural: spec.names.plural.clone(),
        },
        namespaced: spec.scope == "Namespaced",
    };
    served.map(|version| place(&version.name)).collect()
}
