//! "Nothing happens" is bounded by a fence, not by a sleep.
//!
//! A sentinel object is created and the subject must process it; then the record is brought up to the
//! present. A claim that something never happened is judged only after that.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject, PostParams};

use super::act::trouble_of;
use super::api::request;
use super::case::{CaseRun, Stop};
use super::wait::Wait;
use crate::check::{Judgement, explain, judge};
use crate::cluster::audit::MARK;
use crate::record::{Entry, Observation};
use crate::scenario::assertion::{Assertion, Bindings, BoundObject, Claim, Condition, Operator, Target};
use crate::yaml::Location;

/// How long the watches may lag behind a list.
const CAUGHT_UP: Duration = Duration::from_secs(10);

/// The alias of the sentinel.
const ALIAS: &str = "fence";

impl CaseRun<'_> {
    /// Waits until the subject has processed everything up to now and the record shows it.
    pub(super) async fn fence(&mut self, at: &Location) -> Result<(), Stop> {
        // Where the cluster itself is tested, its controllers run beside every case.
        let is_answered = self.subject.is_some() || self.run.subjects.is_none();
        if let Some(fence) = self.run.fence.clone().filter(|_| is_answered && !self.namespace.is_empty()) {
            let claim = Claim {
                target: Target::Object { alias: ALIAS.to_owned() },
                condition: Condition { matches: Some(fence.matches.clone()), ..Condition::default() },
                location: at.clone(),
            };
            let within = Wait::Fence.within(self.run.slack);
            let assertion = Assertion {
                operator: Operator::Eventually { claim, within },
                location: at.clone(),
                standing: None,
            };
            self.sentinel(&fence).await?;
            let bindings = self.fence_bindings();
            let begin = self.record.snapshot().len().saturating_sub(1) as u64;
            let judged =
                self.wait_for(Wait::Fence, |history| judge(&assertion, history, 0, &bindings)).await?;
            if !matches!(judged, Judgement::Holds) {
                self.still_answered().await?;
                let history = self.record.snapshot();
                let mut failure = explain(&assertion, &history, begin, &bindings, Some(within));
                failure.claim = format!("the subject goes on processing objects (fence): {}", failure.claim);
                return Err(Stop::Failed(Box::new(failure)));
            }
        }
        self.catch_up().await
    }

    async fn sentinel(&mut self, fence: &crate::scenario::suite::Fence) -> Result<(), Stop> {
        self.fences += 1;
        let mut value = self.expand(&fence.manifest.object)?.to_json();
        let name = format!("{}-{}", fence.manifest.alias, self.fences);
        if let Some(slot) = value.pointer_mut("/metadata/name") {
            *slot = name.clone().into();
        }
        let object: DynamicObject = serde_json::from_value(value)
            .map_err(|error| Stop::Inconclusive(format!("the fence is no Kubernetes object: {error}")))?;
        let resource = self.resource(&fence.manifest.api_version, &fence.manifest.kind)?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client().clone(), &self.namespace, resource);
        let parameters = PostParams::default();
        let created = request(|| async { api.create(&parameters, &object).await })
            .await
            .map_err(|error| trouble_of(&format!("create the fence {name}"), &error))?;
        self.sentinel = Some(BoundObject {
            api_version: fence.manifest.api_version.clone(),
            kind: fence.manifest.kind.clone(),
            namespace: self.namespace.clone(),
            name,
            uid: created.metadata.uid.clone().unwrap_or_default(),
            latest: std::sync::Arc::default(),
        });
        Ok(())
    }

    /// The fence is no alias of the scenario, so it is bound apart.
    fn fence_bindings(&self) -> Bindings {
        let mut bindings = self.bindings.clone();
        if let Some(sentinel) = &self.sentinel {
            bindings.objects.insert(ALIAS.to_owned(), sentinel.clone());
        }
        bindings
    }

    /// Waits until the record shows every request that was answered up to now: requests are logged in the
    /// order in which they were answered, so a request of the engine's own marks how far the log has come.
    async fn requests_caught_up(&mut self) -> Result<(), Stop> {
        let marks = |history: &[Arc<Entry>]| {
            history.iter().filter(|entry| matches!(entry.observation, Observation::RequestMark)).count()
        };
        let before = marks(&self.record.snapshot());
        let api: Api<ConfigMap> = Api::namespaced(self.client().clone(), &self.namespace);
        request(|| async { api.get_opt(MARK).await })
            .await
            .map_err(|error| trouble_of("mark the audit log", &error))?;
        let caught_up = self
            .wait_for(Wait::Own(CAUGHT_UP), |history| {
                if marks(history) > before { Judgement::Holds } else { Judgement::NotYet }
            })
            .await?;
        if matches!(caught_up, Judgement::Holds) {
            return Ok(());
        }
        Err(Stop::Inconclusive(format!("the audit log is more than {} s behind", CAUGHT_UP.as_secs())))
    }

    /// Waits until the record shows every object that the claims of the case look at, at least as new as in
    /// a list made now.
    ///
    /// Watches of different kinds are independent: without this a claim over one kind could be judged
    /// before versions arrive that were written before the fence.
    pub(super) async fn catch_up(&mut self) -> Result<(), Stop> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        if self.placed.case.reads_requests() {
            self.requests_caught_up().await?;
        }
        for place in self.run.kinds.judged(&self.placed.case) {
            let (api, resource) = (place.api(self.client(), &self.namespace), &place.resource);
            let mine = place.of_case(&self.namespace);
            let list = request(|| async { api.list_metadata(&mine).await })
                .await
                .map_err(|error| trouble_of(&format!("list {}", resource.plural), &error))?;
            let present: Vec<(String, u64)> = list
                .items
                .into_iter()
                .map(|item| {
                    let version = item.metadata.resource_version.and_then(|text| text.parse().ok());
                    let version: u64 = version.unwrap_or_default();
                    (item.metadata.uid.unwrap_or_default(), version + self.first_revision())
                })
                .collect();
            let caught_up = self
                .wait_for(Wait::Own(CAUGHT_UP), |history| {
                    let seen = |uid: &str, version: u64| {
                        history.iter().rev().any(|entry| match &entry.observation {
                            Observation::Object(object) => {
                                object.uid == uid && object.resource_version >= version
                            }
                            _ => false,
                        })
                    };
                    if present.iter().all(|(uid, version)| seen(uid, *version)) {
                        Judgement::Holds
                    } else {
                        Judgement::NotYet
                    }
                })
                .await?;
            if !matches!(caught_up, Judgement::Holds) {
                return Err(Stop::Inconclusive(format!(
                    "the watch of {} lags more than {} s behind the API server",
                    resource.kind,
                    CAUGHT_UP.as_secs()
                )));
            }
        }
        Ok(())
    }
}
