//! What people and machines get to see of a run.
//!
//! Reporters only consume [`Event`](crate::event::Event)s, and nothing else in the crate prints while a
//! run lasts. One [`Aggregate`] turns events into data; everything written is a view of it, so that no
//! two outputs can disagree about a verdict:
//!
//! ```text
//! events ──▶ aggregate ──▶ summary ──▶ exit code
//!    │           ├──▶ junit.xml
//!    │           ├──▶ report.yaml
//!    │           ├──▶ report.html
//!    │           ├──▶ cases.ndjson
//!    │           ├──▶ badge.svg
//!    │           └──▶ summary.md, and the summary of a CI job
//!    └──▶ human (stderr)
//! ```
//!
//! Not here: the judgement itself ([`crate::check`]) and the recorded events of the cluster
//! ([`crate::record`]).

mod aggregate;
mod badge;
mod beside;
pub mod comparison;
mod comparison_page;
mod conformance;
pub mod coverage;
pub mod drill;
mod drill_page;
mod drilled;
mod durations;
mod error;
pub mod exploration;
mod exploration_page;
mod files;
mod format;
pub mod gate;
mod gate_page;
mod html;
mod human;
mod junit;
mod markdown;
mod matrix;
mod profile;
pub mod proof;
mod proof_page;
mod proof_record;
mod proved;
mod repetition;
mod requirement;
mod self_test;
mod settings;
mod shortfall;
mod statement;
pub mod stress;
mod summary;
mod task;

#[cfg(test)]
pub(crate) mod fixture;

pub use aggregate::{Aggregate, CaseView, Outcome};
pub use beside::Beside;
pub use comparison::Comparison;
pub use conformance::{cases_schema, not_passed};
pub use coverage::Coverage;
pub use durations::durations;
pub use error::ReportError;
pub use exploration::Exploration;
pub use files::{BADGE_FILE, CASES_FILE, HTML_FILE, JUNIT_FILE, REPORT_FILE, SUMMARY_FILE, save, write_all};
pub use format::Format;
pub use profile::{Profile, ProfileVerdict};
pub use proof::Proofs;
pub use proof_record::{ProofRecord, ProofRecordError, Shift};
pub use repetition::{Group, Repetition};
pub use requirement::{RequirementVerdict, RequirementView};
pub use self_test::{Shown, self_test};
pub use settings::{ColorChoice, Progress, Settings, Verbosity};
pub use shortfall::Shortfall;
pub use statement::{CaseStatement, ProfileStatement, ProofStatement, RequirementStatement, Statement};
pub use stress::Stress;
pub use summary::{Conformance, Counts, Summary};
pub use task::{spawn, spawn_progress};

/// Why a case failed, as plain text for test runners that show it themselves.
pub fn failure_text(failure: &crate::check::Failure) -> String {
    const WIDTH: u16 = 120;
    anstream::adapter::strip_str(&human::explain_alone(failure, "", WIDTH)).to_string()
}
