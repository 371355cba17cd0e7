//! Steps that back up, damage, lose and restore what is in the namespace of a case.
//!
//! The backup engine is tested here as a controller is elsewhere: it asks the API server through a fault
//! proxy of its own, which also counts what it changes. What a step claims of an archive is judged without
//! the engine's own conversions.

mod damage;
mod database;
mod killed;
mod outage;
mod recorded;
mod restoring;
mod taking;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Client, Resource, ResourceExt};
use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::api::{RequestError, request};
use super::case::{CaseRun, Stop};
use crate::archive::digest_path;
use crate::backup::Patience;
use crate::count::agree;
use crate::fault::FaultProxy;
use crate::record::Observation;
use crate::scenario::step::Harm;
use crate::scratch::{self, Scratch};
use crate::yaml::Location;

/// The `ConfigMap` that Kubernetes puts into every namespace.
const AUTHORITY: &str = "kube-root-ca.crt";

/// Long enough for an API server that starts again, with short pauses at first.
const PATIENCE: Patience =
    Patience { first: Duration::from_millis(20), longest: Duration::from_secs(1), times: 12 };

/// What a case has backed up, and its way to the API server for that; all of it goes with the case.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    folder: Option<TempDir>,
    /// The content digest of each archive.
    digests: BTreeMap<String, String>,
    way: Option<Way>,
    /// Whether a killed restore may have left its lock behind.
    abandoned: bool,
}

/// The proxy between engine and API server.
#[derive(Debug)]
struct Way {
    proxy: FaultProxy,
    kills: mpsc::UnboundedReceiver<()>,
}

impl Recovery {
    fn path(&mut self, alias: &str) -> std::io::Result<PathBuf> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => scratch::folder(Scratch::Archives)?,
        };
        Ok(self.folder.insert(folder).path().join(format!("{alias}.tar.zst")))
    }

    /// What stands between engine and API server, if anything was asked of it yet.
    pub(super) fn proxy(&self) -> Option<&FaultProxy> {
        self.way.as_ref().map(|way| &way.proxy)
    }

    /// The API server is gone: the way to the next one is made when something is asked of it.
    pub(super) fn lose_way(&mut self) {
        self.way = None;
    }
}

impl CaseRun<'_> {
    /// What stands between the backup engine and the API server.
    pub(super) fn recovery_proxy(&mut self) -> &FaultProxy {
        &self.way().proxy
    }

    fn way(&mut self) -> &mut Way {
        let (client, record) = (self.client().clone(), self.record.clone());
        self.recovery.way.get_or_insert_with(|| {
            let log = move |observation: Observation| {
                // Writes are counted as those of the subject, which these are not.
                if !matches!(observation, Observation::Write { .. }) {
                    record.append(observation);
                }
            };
            let (proxy, kills) = FaultProxy::within(client, std::sync::Arc::new(log));
            Way { proxy, kills }
        })
    }

    fn engine_client(&mut self) -> Client {
        self.recovery_proxy().client()
    }

    /// How many requests of the engine changed something up to now.
    fn engine_changes(&mut self) -> u64 {
        self.recovery_proxy().changes()
    }

    /// Changes an archive.
    pub(super) fn damage(&mut self, alias: &str, how: &Harm) -> Result<(), Stop> {
        let path = self.archive(alias)?;
        let trouble = |error: std::io::Error| Stop::Inconclusive(format!("damage {alias}: {error}"));
        let bytes = std::fs::read(&path).map_err(trouble)?;
        let damaged = damage::damaged(bytes, how).map_err(trouble)?;
        if damaged.sealed {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let line = format!("{}  {name}\n", crate::archive::digest(&damaged.bytes));
            std::fs::write(digest_path(&path), line).map_err(trouble)?;
        }
        std::fs::write(&path, damaged.bytes).map_err(trouble)
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
        self.recovery
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

/// Tells of requests where there should be none.
fn changes_sent(number: u64) -> String {
    let sent =
        agree(&number, "request that changes something was sent", "requests that change something were sent");
    format!("{number} {sent}")
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
