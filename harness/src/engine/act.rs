//! Steps that change objects.

use std::sync::Arc;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, ResourceExt as _};
use serde_json::Value;

use super::api::{RequestError, request};
use super::case::{CaseRun, Stop};
use super::cluster_scope::Place;
use crate::record::{OWNER_LABEL, Observation};
use crate::scenario::assertion::{BoundObject, Target};
use crate::scenario::document::Propagation;
use crate::scenario::step::Manifest;
use crate::yaml::{Location, Node};

/// An object that a step names.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) uid: String,
}

impl Reference {
    /// An Api for the object, in the case's namespace if it lives in one.
    pub(super) fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        self.place.api(client, namespace)
    }

    pub(super) fn describe(&self) -> String {
        format!("{} {}", self.place.resource.kind, self.name)
    }
}

impl CaseRun<'_> {
    /// Creates an object, in the case's namespace unless it names another one.
    pub(super) async fn create(&mut self, manifest: &Manifest) -> Result<Result<(), String>, Stop> {
        let object = self.object(manifest)?;
        let place = self.place_of(&object)?;
        let api = place.api(self.client(), &self.namespace);
        let parameters = PostParams::default();
        let answer = request(|| async { api.create(&parameters, &object).await }).await;
        match answer {
            Ok(created) => {
                self.bind(manifest, &created)?;
                self.adopt(&place, &created).await?;
                Ok(Ok(()))
            }
            Err(RequestError::Refused(status)) => Ok(Err(status.message)),
            Err(trouble) => {
                Err(trouble_of(&format!("create {} {}", manifest.kind, manifest.alias), &trouble))
            }
        }
    }

    /// Applies an object server-side.
    pub(super) async fn apply(
        &mut self,
        manifest: &Manifest,
        field_manager: &str,
        force: bool,
        at: &Location,
    ) -> Result<(), Stop> {
        let object = self.object(manifest)?;
        let api = self.api_of(&object)?;
        let mut parameters = PatchParams::apply(field_manager);
        parameters.force = force;
        let name = object.metadata.name.clone().unwrap_or_default();
        let answer = request(|| async { api.patch(&name, &parameters, &Patch::Apply(&object)).await }).await;
        let claim = format!("apply {} {}", manifest.kind, manifest.alias);
        let applied = answer.map_err(|error| self.refusal(&claim, &name, &error, at))?;
        self.bind(manifest, &applied)
    }

    /// Sends a JSON merge patch; a refusal is the inner error.
    pub(super) async fn patch(
        &mut self,
        target: &Target,
        merge: &Node,
        status: bool,
        at: &Location,
    ) -> Result<Result<(), String>, Stop> {
        let body = self.expand(merge)?.to_json();
        let reference = self.reference(target, at).await?;
        let api = reference.api(self.client(), &self.namespace);
        let parameters =
            PatchParams { field_manager: Some("hallmark-scenario".to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(&body);
        let answer = request(|| async {
            if status {
                api.patch_status(&reference.name, &parameters, &patch).await
            } else {
                api.patch(&reference.name, &parameters, &patch).await
            }
        })
        .await;
        match answer {
            Ok(patched) => {
                self.wrote(&patched);
                Ok(Ok(()))
            }
            Err(RequestError::Refused(status)) => Ok(Err(status.message)),
            Err(trouble) => Err(trouble_of(&format!("patch {}", reference.describe()), &trouble)),
        }
    }

    /// Deletes exactly the object that the record shows, never one that took its name meanwhile.
    pub(super) async fn delete(
        &mut self,
        target: &Target,
        propagation: Propagation,
        at: &Location,
    ) -> Result<(), Stop> {
        let reference = self.reference(target, at).await?;
        let api = reference.api(self.client(), &self.namespace);
        let parameters = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(reference.uid.clone()), resource_version: None }),
            ..match propagation {
                Propagation::Background => DeleteParams::background(),
                Propagation::Foreground => DeleteParams::foreground(),
                Propagation::Orphan => DeleteParams::orphan(),
            }
        };
        let answer = request(|| async { api.delete(&reference.name, &parameters).await }).await;
        match answer {
            Err(error) if !error.is_not_found() => {
                Err(self.refusal(&format!("delete {}", reference.describe()), &reference.name, &error, at))
            }
            _ => Ok(()),
        }
    }

    /// Records which version a step of the scenario wrote: what it holds is no doing of the subject.
    fn wrote(&self, object: &DynamicObject) {
        let metadata = &object.metadata;
        let version = metadata.resource_version.as_deref().and_then(|text| text.parse().ok());
        let version = version.map(|own: u64| own + self.first_revision());
        if let (Some(uid), Some(resource_version)) = (metadata.uid.clone(), version) {
            self.record.append(Observation::Written { uid, resource_version, restored: false });
        }
    }

    /// The manifest as the object to be sent, templates of the running scenario put in.
    pub(super) fn object(&self, manifest: &Manifest) -> Result<DynamicObject, Stop> {
        let value = self.expand(&manifest.object)?.to_json();
        let mut object: DynamicObject = serde_json::from_value(value).map_err(|error| {
            Stop::Inconclusive(format!("the manifest of {} is no Kubernetes object: {error}", manifest.alias))
        })?;
        if !self.place_of(&object)?.namespaced {
            object.labels_mut().insert(OWNER_LABEL.to_owned(), self.namespace.clone());
        }
        Ok(object)
    }

    fn place_of(&self, object: &DynamicObject) -> Result<Place, Stop> {
        let types = object.types.clone().unwrap_or_default();
        self.place(&types.api_version, &types.kind).cloned()
    }

    pub(super) fn api_of(&self, object: &DynamicObject) -> Result<Api<DynamicObject>, Stop> {
        Ok(self.place_of(object)?.api(self.client(), &self.namespace))
    }

    fn bind(&mut self, manifest: &Manifest, created: &DynamicObject) -> Result<(), Stop> {
        let latest: Value = serde_json::to_value(created)
            .map_err(|error| Stop::Inconclusive(format!("the answer of the API server: {error}")))?;
        let metadata = &created.metadata;
        let types = created.types.clone().unwrap_or_default();
        let object = BoundObject {
            api_version: types.api_version,
            kind: types.kind,
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            latest: Arc::new(latest),
        };
        let alias = manifest.alias.clone();
        self.record.append(Observation::Bound { alias: alias.clone(), object: object.clone() });
        if self.first_revision() != 0 {
            // The object shows the cluster's own revision, which the record knows by another number.
            self.wrote(created);
        }
        self.bindings.objects.insert(alias, object);
        Ok(())
    }

    /// A verdict from an answer: refusals are failures, trouble leaves the question open.
    pub(super) fn refusal(&self, claim: &str, object: &str, error: &RequestError, at: &Location) -> Stop {
        match error {
            RequestError::Refused(status) => self.refused(claim, object, &status.message, at),
            RequestError::Trouble(_) => trouble_of(claim, error),
        }
    }
}

/// Trouble with the cluster, which is no verdict on the subject.
pub(super) fn trouble_of(what: &str, error: &RequestError) -> Stop {
    Stop::Inconclusive(format!("{what}: {error}"))
}
