//! What a run left and what it was made from, in one file that somebody else can check.
//!
//! ```text
//! suite, implementation file, report folder ──pack──▶ evidence.tar.zst (+ .sha256)
//!                                                        │
//!                                  open: every digest ◀──┘
//!                                    │
//!             judge: the packed record by the packed suite ──▶ what the packed report says otherwise
//! ```
//!
//! The container is that of [`crate::archive`]. Digests find damage; they do not stop somebody who computes
//! all of them anew. Such a person still has to change the record, because verdicts are not believed but
//! judged again, and what there was to be judged is taken from the suite. Who must not be able to change the record either signs the digest file.
//!
//! Not here: cases that were skipped left no record, so they are taken from the report and counted.

mod compare;
mod error;
mod judge;
mod manifest;
mod open;
mod pack;
mod suite;

#[cfg(test)]
pub(crate) mod tests;

pub use compare::Disagreement;
pub use error::EvidenceError;
pub use judge::{Judged, judge};
pub use manifest::{FORMAT, FileRecord, ImplementationRecord, Manifest, RunRecord, SuiteRecord};
pub use open::{Bundle, open, open_bytes};
pub use pack::{pack, publish};
