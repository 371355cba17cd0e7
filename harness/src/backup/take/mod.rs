//! From a cluster to an archive, without a write.

mod assemble;
mod listing;

use std::num::NonZeroU32;
use std::time::Instant;

use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};

#[cfg(test)]
pub(in crate::backup) use assemble::KindList;
pub(in crate::backup) use assemble::{Collected, assemble, required_secrets};

use self::listing::Reader;
use super::api::{ApiError, ObjectApi, PAGE, Which};
use super::defects::Defect;
use super::kind::{Kind, Role};
use super::manifest::{Created, Manifest, Scope};
use super::patience::Patience;
use super::portable::Strip;
use crate::archive::{Address, Limits, PublishError, publish_at, unpublished};
use crate::backup::restore::lease;
use crate::backup::verify::verify_bytes;
use crate::event::EventSink;

/// What to back up.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// API groups whose kinds are archived.
    pub groups: Vec<String>,
    /// Only these namespaces; empty means all.
    pub namespaces: Vec<String>,
    /// Plurals of the kinds that stand for work and are restored last.
    pub last: Vec<String>,
    /// Which `ConfigMap`s.
    pub config_maps: ConfigMaps,
    /// Leave out kubectl's annotation with the object as it was applied.
    pub strip_last_applied: bool,
    /// SHA-256 of a dump of the idempotency store, to be recorded.
    pub idempotency_store: Option<String>,
    /// Objects per request of a list.
    pub page: NonZeroU32,
    /// How long trouble of the API server is borne.
    pub patience: Patience,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            groups: vec!["agents.proompteng.ai".to_owned()],
            namespaces: Vec::new(),
            last: vec!["agentruns".to_owned()],
            config_maps: ConfigMaps::default(),
            strip_last_applied: false,
            idempotency_store: None,
            page: PAGE,
            patience: Patience::default(),
        }
    }
}

/// Which `ConfigMap`s are archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConfigMaps {
    /// None.
    None,
    /// Those that archived objects refer to.
    #[default]
    Referenced,
    /// All that people made in the namespaces with archived objects.
    All,
}

/// A published archive.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// Where it is.
    pub archive: Address,
    /// Its digest.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it holds.
    pub manifest: Manifest,
}

/// There is no archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// No `CustomResourceDefinition` is of the groups.
    #[error("the cluster has no CustomResourceDefinition of {}; name another group with --group", .groups.join(", "))]
    NoKinds {
        /// The groups.
        groups: Vec<String>,
    },
    /// A namespace of the scope does not exist.
    #[error("there is no namespace `{0}`")]
    NoNamespace(String),
    /// The API server refused, or did not answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The API server did not tell its version.
    #[error("ask the API server for its version")]
    Version(#[source] Box<kube::Error>),
    /// The archive was not packed.
    #[error("pack the archive")]
    Pack(#[source] std::io::Error),
    /// The archive was not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl BackupError {
    /// Whether the command line is at fault, found before anything was read.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoKinds { .. } | Self::NoNamespace(_) => true,
            Self::Publish(error) => error.is_usage(),
            Self::Api(_) | Self::Version(_) | Self::Pack(_) => false,
        }
    }
}

/// Reads the cluster and publishes an archive, in a file or in a bucket.
pub async fn take(
    client: Client,
    options: &BackupOptions,
    to: impl Into<Address>,
    events: &EventSink,
) -> Result<BackupReport, BackupError> {
    let archive = to.into();
    // The cluster need not be read for nothing.
    unpublished(&archive).await?;
    let assembled = assemble(&collect(client, options, events).await?).map_err(BackupError::Pack)?;
    let begin = Instant::now();
    let verify = |bytes: &[u8], line: &str| verify_bytes(bytes, line, Limits::default());
    let sha256 = publish_at(&assembled.bytes, &archive, verify).await?;
    events.progress_done("writing the archive", begin.elapsed());
    let size = assembled.bytes.len().try_into().unwrap_or(u64::MAX);
    Ok(BackupReport { archive, sha256, size, manifest: assembled.manifest })
}

async fn collect(
    client: Client,
    options: &BackupOptions,
    events: &EventSink,
) -> Result<Collected, BackupError> {
    let begin = Instant::now();
    let started = Timestamp::now();
    let version = client.apiserver_version().await;
    let kubernetes = version.map_err(|error| BackupError::Version(Box::new(error)))?.git_version;
    let api = ObjectApi::new(client, options.patience).paged(options.page);
    let kinds = kinds(&api, options).await?;
    if Defect::BackupWrites.is_planted() {
        let namespace = options.namespaces.first().map_or("default", String::as_str);
        let mark = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "last-backup", "namespace": namespace},
        });
        api.create(&Kind::config_map(), &mark, false).await?;
    }
    let reader = Reader { api: &api, kinds: &kinds, namespaces: &options.namespaces, events };
    let (mut lists, listing) = reader.read().await?;
    for list in &mut lists {
        if list.kind.role == Role::Definition {
            list.items.retain(|definition| of_groups(definition, &options.groups));
        }
    }
    if Defect::UnusedDefinitionsLeftOut.is_planted() {
        let used: Vec<String> =
            lists.iter().filter(|it| !it.items.is_empty()).map(|it| it.kind.resource()).collect();
        for list in lists.iter_mut().filter(|list| list.kind.role == Role::Definition) {
            let name = |it: &Value| it.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
            list.items.retain(|definition| name(definition).is_some_and(|name| used.contains(&name)));
        }
    }
    for namespace in &options.namespaces {
        let found = lists.iter().filter(|list| list.kind.role == Role::Namespace).any(|list| {
            let names = list.items.iter().filter_map(|item| item.pointer("/metadata/name"));
            names.into_iter().any(|name| name.as_str() == Some(namespace.as_str()))
        });
        if !found {
            return Err(BackupError::NoNamespace(namespace.clone()));
        }
    }
    let jobs = jobs(&api, &options.namespaces).await?;
    events.progress_done("reading the cluster", begin.elapsed());
    Ok(Collected {
        scope: Scope {
            groups: options.groups.clone(),
            namespaces: options.namespaces.clone(),
            last: options.last.clone(),
        },
        config_maps: options.config_maps,
        strip: Strip { last_applied: options.strip_last_applied },
        listing,
        kubernetes,
        created: Created { started, finished: Timestamp::now() },
        lists,
        jobs,
        idempotency_store: options.idempotency_store.clone(),
    })
}

/// The kinds to read. The first one is a run kind, if there is one: the moment of its list is the moment of
/// all, and it is the one that changes most.
async fn kinds(api: &ObjectApi, options: &BackupOptions) -> Result<Vec<Kind>, BackupError> {
    let definitions = api.list(&Kind::definition(), Which::default()).await?.items;
    let ours = definitions.iter().filter(|definition| of_groups(definition, &options.groups));
    let mut kinds: Vec<Kind> = ours.filter_map(|it| Kind::of_definition(it, &options.last)).collect();
    if kinds.is_empty() || (Defect::NoRunsNoBackup.is_planted() && nothing_runs(api, &kinds, options).await?)
    {
        return Err(BackupError::NoKinds { groups: options.groups.clone() });
    }
    if Defect::KindLeftOut.is_planted() {
        kinds.pop();
    }
    kinds.extend([Kind::definition(), Kind::namespace()]);
    if Defect::LeasesArchived.is_planted() {
        kinds.push(lease());
    }
    if Defect::SecretsArchived.is_planted() {
        kinds.push(Kind::secret());
    }
    if options.config_maps != ConfigMaps::None {
        kinds.push(Kind::config_map());
    }
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.role));
    Ok(kinds)
}

/// Whether there is no run in the namespaces.
async fn nothing_runs(api: &ObjectApi, kinds: &[Kind], options: &BackupOptions) -> Result<bool, ApiError> {
    let namespace = options.namespaces.first().map(String::as_str);
    for kind in kinds.iter().filter(|kind| kind.role == Role::Run) {
        if !api.list(kind, Which { namespace, ..Which::default() }).await?.items.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn of_groups(definition: &Value, groups: &[String]) -> bool {
    let group = definition.pointer("/spec/group").and_then(Value::as_str);
    group.is_some_and(|group| groups.iter().any(|wanted| wanted == group))
}

/// The Jobs of the namespaces; that the user may not list them is told, not fatal.
async fn jobs(api: &ObjectApi, namespaces: &[String]) -> Result<Result<Vec<Value>, String>, ApiError> {
    let kind = Kind { namespaced: true, ..Kind::built_in("batch", "Job", "jobs", Role::Config) };
    let places: Vec<Option<&str>> = match namespaces {
        [] => vec![None],
        some => some.iter().map(|namespace| Some(namespace.as_str())).collect(),
    };
    let mut jobs = Vec::new();
    for namespace in places {
        match api.list(&kind, Which { namespace, ..Which::default() }).await {
            Ok(listed) => jobs.extend(listed.items),
            Err(error) if error.is_forbidden() => return Ok(Err(error.reason())),
            Err(error) => return Err(error),
        }
    }
    Ok(Ok(jobs))
}
