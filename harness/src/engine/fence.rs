//! "Nothing happens" is bounded by a fence, not by a sleep.
//!
//! A sentinel object is created and the subject must process it; then the record is brought up to the
//! present. A claim that something never happened is judged only after that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject, ObjectList, PostParams};
use kube::core::PartialObjectMeta;

use super::act::trouble_of;
use super::api::request;
use super::case::{CaseRun, Stop};
use super::cluster_scope::Place;
use super::wait::Wait;
use crate::check::{Judgement, explain, judge, missed};
use crate::cluster::audit::MARK;
use crate::record::{Change, Entry, OWNER_LABEL, ObjectVersion, Observation};
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
                if let Some(reason) = missed(&judged, &assertion, &history, &bindings) {
                    return Err(Stop::Inconclusive(reason));
                }
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
    /// a list made now, and the end of those that are not in it any more.
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
            let listed = Listed::new(list, place, self);
            let caught_up = self
                .wait_for(Wait::Own(CAUGHT_UP), |history| {
                    if listed.is_shown_by(history) { Judgement::Holds } else { Judgement::NotYet }
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

/// What the API server has of a kind at one moment.
struct Listed {
    api_version: String,
    kind: String,
    /// Where objects are of the cluster, the namespace that those of the case name in their label: the record may
    /// have others.
    owner: Option<String>,
    /// The moment, as the record counts revisions.
    revision: u64,
    /// The version of each object, by uid.
    versions: BTreeMap<String, u64>,
}

impl Listed {
    fn new(list: ObjectList<PartialObjectMeta<DynamicObject>>, place: &Place, case: &CaseRun<'_>) -> Self {
        let number =
            |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let revision = |text: Option<String>| number(text) + case.first_revision();
        let version = |item: PartialObjectMeta<DynamicObject>| {
            (item.metadata.uid.unwrap_or_default(), revision(item.metadata.resource_version))
        };
        Self {
            api_version: place.resource.api_version.clone(),
            kind: place.resource.kind.clone(),
            owner: (!place.namespaced).then(|| case.namespace.clone()),
            revision: revision(list.metadata.resource_version),
            versions: list.items.into_iter().map(version).collect(),
        }
    }

    /// Whether a record has come as far: it has each object at least as new, and what it has from before that is not
    /// here it knows to be deleted.
    fn is_shown_by(&self, history: &[Arc<Entry>]) -> bool {
        let mut last: BTreeMap<&str, &ObjectVersion> = BTreeMap::new();
        for entry in history {
            if let Observation::Object(version) = &entry.observation
                && version.kind == self.kind
                && version.api_version == self.api_version
            {
                last.insert(&version.uid, version);
            }
        }
        let has = |uid: &str, revision| last.get(uid).is_some_and(|seen| seen.resource_version >= revision);
        let is_left_behind = |version: &&ObjectVersion| {
            version.change != Change::Deleted
                && version.resource_version <= self.revision
                && !self.versions.contains_key(&version.uid)
                && self.lists(version)
        };
        self.versions.iter().all(|(uid, revision)| has(uid, *revision)) && !last.values().any(is_left_behind)
    }

    /// Whether a version was in the list if it was there.
    fn lists(&self, version: &ObjectVersion) -> bool {
        let Some(namespace) = &self.owner else { return true };
        let labels = version.object.pointer("/metadata/labels");
        labels.and_then(|labels| labels.get(OWNER_LABEL)?.as_str()) == Some(namespace)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn version(uid: &str, resource_version: u64, change: Change, owner: Option<&str>) -> Arc<Entry> {
        Arc::new(Entry {
            sequence: 0,
            at: Timestamp::UNIX_EPOCH,
            observation: Observation::Object(ObjectVersion {
                change,
                api_version: "v1".to_owned(),
                kind: "ConfigMap".to_owned(),
                namespace: "n".to_owned(),
                name: uid.to_owned(),
                uid: uid.to_owned(),
                resource_version,
                object: Arc::new(json!({"metadata": {"labels": {OWNER_LABEL: owner}}})),
            }),
        })
    }

    /// A list of `a` in version 5, made at revision 10.
    fn listed(owner: Option<&str>) -> Listed {
        Listed {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            owner: owner.map(ToOwned::to_owned),
            revision: 10,
            versions: [("a".to_owned(), 5)].into(),
        }
    }

    #[rstest]
    #[case::nothing_yet(&[], false)]
    #[case::an_older_version(&[("a", 4, Change::Added)], false)]
    #[case::the_version(&[("a", 4, Change::Added), ("a", 5, Change::Modified)], true)]
    #[case::a_later_one(&[("a", 11, Change::Modified)], true)]
    #[case::deleted_since(&[("a", 4, Change::Added), ("a", 12, Change::Deleted)], true)]
    #[case::an_end_that_is_late(&[("a", 5, Change::Added), ("b", 6, Change::Added)], false)]
    #[case::an_end_that_is_there(&[("a", 5, Change::Added), ("b", 6, Change::Added), ("b", 7, Change::Deleted)], true)]
    #[case::an_object_that_came_later(&[("a", 5, Change::Added), ("b", 11, Change::Added)], true)]
    #[case::back_after_its_end(
        &[("a", 5, Change::Added), ("b", 6, Change::Added), ("b", 7, Change::Deleted), ("b", 8, Change::Added)],
        false
    )]
    fn a_record_has_come_as_far_as_a_list(#[case] seen: &[(&str, u64, Change)], #[case] shown: bool) {
        let history: Vec<_> =
            seen.iter().map(|(uid, revision, change)| version(uid, *revision, *change, None)).collect();
        assert_eq!(listed(None).is_shown_by(&history), shown);
    }

    #[rstest]
    #[case::of_the_case(Some("n"), false)]
    #[case::of_nobody(None, true)]
    #[case::of_another_case(Some("m"), true)]
    fn only_objects_that_the_list_would_have_are_missed(#[case] owner: Option<&str>, #[case] shown: bool) {
        let history = [version("a", 5, Change::Added, None), version("b", 6, Change::Added, owner)];
        assert_eq!(listed(Some("n")).is_shown_by(&history), shown);
    }
}
