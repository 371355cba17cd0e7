//! Logical backup and restore of the objects of an API group, with proof that an archive is whole.
//!
//! ```text
//!            take ──▶ archive (pack, publish) ──▶ <name>.tar.zst + .sha256
//!             ▲                                          │
//!   cluster ──┘                                       verify ──▶ inspect
//!      ▲                                                 │
//!      └──── restore (preflight ▸ lock ▸ write ▸ compare)┘
//! ```
//!
//! A logical restore makes every object anew: uid, resourceVersion and creation time are others, and status
//! is a second write. The rules here keep a finished run from running again because of that, and keep a
//! damaged archive from changing anything: [`verify`](verify()) reads the whole file before the first write.
//!
//! Pure are [`crate::archive`], [`verify`](verify()), [`inspect`](inspect()) and the conversions of objects; only
//! [`take`](take()) and [`restore`](restore()) talk to a cluster. Kinds are found from the
//! `CustomResourceDefinition`s of the group; no kind of any controller is known here. Not archived: volumes,
//! pods, Jobs (they are listed as evidence), Leases and the values of Secrets.

mod api;
pub mod defects;
mod inspect;
mod kind;
mod manifest;
mod object_path;
mod patience;
mod phase;
mod portable;
mod profile;
mod references;
mod restore;
mod take;
mod verify;

#[cfg(test)]
pub(crate) mod fixture;

pub use crate::archive::{self, Address, Limits, VerifyError, Warning, digest, to_canonical};
pub use api::ApiError;
pub use inspect::{ArchiveKind, InspectError, Inspection, KindSummary, Plan, inspect};
pub use kind::{Kind, Role};
pub(crate) use manifest::content_digest;
pub use manifest::{
    Created, DefinitionRecord, Engine, Entry, EvidenceRecord, FORMAT, KindRecord, Listing, Manifest, Method,
    RequiredSecret, Scope, Terminating,
};
pub use object_path::ObjectPath;
pub use patience::Patience;
pub use phase::is_terminal;
pub use profile::Profile;
pub use restore::{
    Existing, Finding, LeaderGuard, Outcome, RestoreError, RestoreOptions, RestoreReport, Unrestored, restore,
};
pub use take::{BackupError, BackupOptions, BackupReport, ConfigMaps, take};
pub use verify::{Checked, Stored, verify, verify_at, verify_bytes};
