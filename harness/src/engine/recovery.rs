//! Steps that back up, damage, lose and restore what is in the namespace of a case.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::TempDir;

use super::api::{RequestError, request};
use super::case::{CaseRun, Stop, chain};
use crate::backup::{
    self, BackupOptions, Existing, LeaderGuard, Limits, Outcome, RestoreError, RestoreOptions, RestoreReport,
};
use crate::event::EventSink;
use crate::record::Observation;
use crate::scenario::document::Damage;
use crate::scenario::step::Restore;
use crate::yaml::Location;

/// The `ConfigMap` that Kubernetes puts into every namespace.
const AUTHORITY: &str = "kube-root-ca.crt";

/// The archives of a case; they go with it.
#[derive(Debug, Default)]
pub(super) struct Archives {
    folder: Option<TempDir>,
    /// The content digest of each.
    digests: BTreeMap<String, String>,
}

impl Archives {
    fn path(&mut self, alias: &str) -> std::io::Result<PathBuf> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => tempfile::Builder::new().prefix("hallmark-archives-").tempdir()?,
        };
        Ok(self.folder.insert(folder).path().join(format!("{alias}.tar.zst")))
    }
}

impl CaseRun<'_> {
    /// Archives the namespace; the content is that of an earlier archive if one is named.
    pub(super) async fn back_up(
        &mut self,
        alias: &str,
        equals: Option<&str>,
        at: &Location,
    ) -> Result<(), Stop> {
        let path = self.archive(alias)?;
        let options = BackupOptions {
            groups: self.groups(),
            namespaces: vec![self.namespace.clone()],
            ..BackupOptions::default()
        };
        let taken = backup::take(self.client().clone(), &options, &path, &silent())
            .await
            .map_err(|error| Stop::Inconclusive(chain(&error)))?;
        let digest = taken.manifest.content_digest;
        self.tell(format!("{alias} holds {} objects", taken.manifest.entries.len()));
        let earlier = equals.and_then(|earlier| self.archives.digests.get(earlier).map(|it| (earlier, it)));
        if let Some((earlier, expected)) = earlier.filter(|(_, expected)| **expected != digest) {
            let claim = format!("{alias} has the content of {earlier}");
            let reason = format!("its content digest is {digest}, not {expected}");
            return Err(self.refused(&claim, "the archive", &reason, at));
        }
        self.archives.digests.insert(alias.to_owned(), digest);
        Ok(())
    }

    /// Changes the bytes of an archive.
    pub(super) fn damage(&mut self, alias: &str, how: Damage, share: f64) -> Result<(), Stop> {
        let path = self.archive(alias)?;
        let trouble = |error: std::io::Error| Stop::Inconclusive(format!("damage {alias}: {error}"));
        let mut bytes = std::fs::read(&path).map_err(trouble)?;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a file of some kilobytes, of which nobody needs the exact one"
        )]
        let place = (bytes.len() as f64 * share) as usize;
        match how {
            Damage::Truncated => bytes.truncate(place),
            Damage::FlippedBit => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1;
                }
            }
        }
        std::fs::write(&path, bytes).map_err(trouble)
    }

    /// Verifies an archive, or proves that it is refused.
    pub(super) fn verify(&mut self, alias: &str, fails: Option<&Regex>, at: &Location) -> Result<(), Stop> {
        let path = self.archive(alias)?;
        let outcome = backup::verify(&path, Limits::default()).map(drop).map_err(|error| chain(&error));
        self.expected(outcome, fails, &format!("verify {alias}"), at)
    }

    /// Kills the subject and deletes what a lost cluster would lose, finalizers notwithstanding.
    pub(super) async fn lose(&mut self, at: &Location) -> Result<(), Stop> {
        if let Some(subject) = &self.subject {
            subject.kill().await.map_err(|error| self.subject_trouble(&error, at))?;
        }
        let client = self.client();
        for resource in self.run.kinds.resources() {
            if self.groups().contains(&resource.group) {
                let api = Api::<DynamicObject>::namespaced_with(client.clone(), &self.namespace, &resource);
                wipe(&api, &resource.kind).await?;
            }
        }
        wipe(&Api::<Job>::namespaced(client.clone(), &self.namespace), "Job").await?;
        wipe(&Api::<ConfigMap>::namespaced(client.clone(), &self.namespace), "ConfigMap").await
    }

    /// Restores an archive, or proves that this is refused.
    pub(super) async fn restore(&mut self, restore: &Restore, at: &Location) -> Result<(), Stop> {
        let alias = &restore.archive;
        let claim = format!("restore {alias}");
        let path = self.archive(alias)?;
        // As the command does it: what is damaged never gets as far as the cluster.
        let restored = match backup::verify(&path, Limits::default()) {
            Err(error) => Err(chain(&error)),
            Ok(checked) => {
                let options = self.restore_options(restore);
                let checked = restore.profile.played(checked);
                match backup::restore(self.client().clone(), &checked, &options, &silent()).await {
                    Ok(report) => Ok(report),
                    Err(RestoreError::Refused(findings)) => {
                        Err(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
                    }
                    Err(error) => return Err(Stop::Inconclusive(chain(&error))),
                }
            }
        };
        let restored = restored.and_then(|report| judged(restore, report));
        if let Ok(report) = &restored {
            let RestoreReport { created, completed, unchanged, .. } = report;
            self.tell(format!("{alias}: {created} created, {completed} completed, {unchanged} unchanged"));
        }
        self.expected(restored.map(drop), restore.fails.as_ref(), &claim, at)
    }

    fn restore_options(&self, restore: &Restore) -> RestoreOptions {
        let namespace = self.namespace.clone();
        let implementation = self.run.subjects.as_ref().map(|subjects| &subjects.implementation);
        let lease = implementation.and_then(|it| it.settings.leader_lease.as_ref());
        let mut guard = LeaderGuard { namespace: Some(namespace.clone()), ..LeaderGuard::default() };
        if let Some(lease) = lease {
            guard.lease.clone_from(&lease.name);
        }
        let careful = restore.profile.is_careful();
        guard.assume_none = !careful;
        let defaults = RestoreOptions::default();
        RestoreOptions {
            existing: if restore.skip_existing || !careful { Existing::Skip } else { Existing::Refuse },
            // One after the other, as these tools do it.
            workers: if careful { defaults.workers } else { NonZeroUsize::MIN },
            guard,
            lock_namespace: namespace,
            ..defaults
        }
    }

    /// API groups of the custom kinds that the suite knows.
    fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> =
            self.run.kinds.resources().into_iter().map(|resource| resource.group).collect();
        groups.retain(|group| group.contains('.') && !group.ends_with(".k8s.io"));
        groups.sort();
        groups.dedup();
        groups
    }

    fn archive(&mut self, alias: &str) -> Result<PathBuf, Stop> {
        self.archives
            .path(alias)
            .map_err(|error| Stop::Inconclusive(format!("a folder for archives: {error}")))
    }

    fn tell(&self, what: String) {
        self.record.append(Observation::Subject { what, unexpected: false });
    }

    fn expected(
        &self,
        outcome: Result<(), String>,
        fails: Option<&Regex>,
        claim: &str,
        at: &Location,
    ) -> Result<(), Stop> {
        match (outcome, fails) {
            (Ok(()), None) => Ok(()),
            (Err(message), Some(pattern)) if pattern.is_match(&message) => Ok(()),
            (Err(message), _) => Err(self.refused(claim, "the archive", &message, at)),
            (Ok(()), Some(pattern)) => {
                let claim = format!("{claim} fails with a message like `{pattern}`");
                Err(self.refused(&claim, "the archive", "it succeeded", at))
            }
        }
    }
}

/// Whether a restore came to what the step expects of it.
fn judged(restore: &Restore, report: RestoreReport) -> Result<RestoreReport, String> {
    let written = report.created + report.completed;
    match report.outcome {
        Outcome::PartiallyFailed => {
            let objects: Vec<String> = report.failed.iter().map(|failed| failed.object.clone()).collect();
            Err(format!("not restored: {}", objects.join(", ")))
        }
        _ if restore.unchanged && written > 0 => Err(format!("{written} objects were not there already")),
        _ => Ok(report),
    }
}

/// Progress that no reporter hears: cases run side by side.
fn silent() -> EventSink {
    EventSink::channel().0
}

/// Deletes all objects of a kind; those that wait for a finalizer lose it.
async fn wipe<K>(api: &Api<K>, kind: &str) -> Result<(), Stop>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let trouble = |error: RequestError| Stop::Inconclusive(format!("lose every {kind}: {error}"));
    let all = request(|| async { api.list_metadata(&ListParams::default()).await }).await.map_err(trouble)?;
    for object in all.items {
        let name = object.name_any();
        if name == AUTHORITY {
            continue;
        }
        let gone = |answer: Result<(), RequestError>| match answer {
            Err(error) if !error.is_not_found() => Err(trouble(error)),
            _ => Ok(()),
        };
        let deletion = DeleteParams::background();
        gone(request(|| async { api.delete(&name, &deletion).await }).await.map(drop))?;
        if !object.finalizers().is_empty() {
            let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
            let parameters = PatchParams::default();
            gone(request(|| async { api.patch_metadata(&name, &parameters, &patch).await }).await.map(drop))?;
        }
    }
    Ok(())
}
