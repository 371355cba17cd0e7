//! What an archive holds and what a restore of it would do. No cluster is asked.
//!
//! Velero's archives can be read, too. They carry no digests, so nothing is known about their integrity; the
//! question that they can answer is whether a restore would run work again.

mod hallmark;
mod velero;

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::manifest::{Listing, RequiredSecret};
use super::verify::verify_fetched;
use crate::archive::{Address, Limits, VerifyError, Warning, fetch};

/// First bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What an archive holds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// Who wrote it.
    pub archive: ArchiveKind,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The digest that two backups of equal state share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_digest: Option<String>,
    /// When the cluster was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Version of its API server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// How consistent the content is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
    /// What there is of each kind, in the order of a restore.
    pub kinds: Vec<KindSummary>,
    /// Runs in a terminal phase.
    pub terminal_runs: usize,
    /// Runs that have begun, ended or not, and that a restore would make without their status: a controller
    /// takes them for new.
    pub executed_again: Vec<String>,
    /// Runs that had not ended, by phase.
    pub undecided: BTreeMap<String, usize>,
    /// Jobs that a restore would bring back and that would run again.
    pub jobs_again: Vec<String>,
    /// The writes of a restore into an empty cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Secrets that must be there before.
    pub required_secrets: Vec<RequiredSecret>,
    /// Objects that were being deleted; they are not restored.
    pub terminating: Vec<String>,
    /// What is odd.
    pub warnings: Vec<Warning>,
}

/// Who wrote an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ArchiveKind {
    /// This program.
    Hallmark,
    /// Velero.
    Velero,
}

/// What there is of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindSummary {
    /// Plural and group.
    pub resource: String,
    /// Number of objects.
    pub count: usize,
    /// Of them by `status.phase`.
    pub phases: BTreeMap<String, usize>,
}

/// The writes of a restore into an empty cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Definitions created.
    pub definitions: usize,
    /// Namespaces created, unless they exist.
    pub namespaces: usize,
    /// `ConfigMap`s and objects of config kinds created.
    pub config: usize,
    /// Runs created, after all others.
    pub runs: usize,
    /// Statuses written, each at once after its create.
    pub statuses: usize,
}

/// An archive that cannot be looked into.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// It cannot be read, or is not sound.
    #[error(transparent)]
    Unsound(#[from] VerifyError),
    /// Velero's archive is damaged.
    #[error("read the gzip archive")]
    Damaged(#[source] io::Error),
    /// Something is larger than it may be.
    #[error("the archive is larger than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// An object in Velero's archive is no JSON.
    #[error("entry `{path}` is no JSON")]
    Object {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// Looks into an archive of this program, which must verify, or of Velero. `last` are the plurals of the
/// kinds that stand for work; an archive of this program knows them itself.
pub async fn inspect(archive: &Address, last: &[String]) -> Result<Inspection, InspectError> {
    let limits = Limits::default();
    let fetched = fetch(archive, limits).await?;
    if fetched.bytes.starts_with(&GZIP) {
        return velero::inspect(&fetched.bytes, last, limits);
    }
    Ok(hallmark::describe(&verify_fetched(&fetched, limits)?))
}
