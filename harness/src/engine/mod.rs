//! The engine: from a suite to verdicts.
//!
//! ```text
//! Suite ──plan──▶ groups of cases that share a subject
//!                   │
//! run: cluster, CRDs, watches ──▶ subjects ──▶ cases in parallel, each in its namespace
//!                                               │
//!                       case: steps act (act, finish) ──▶ record ──▶ wait (judge) ──▶ verdict
//! ```
//!
//! The engine decides when something is done and how long is waited; [`crate::check`] decides whether a
//! claim holds. It prints nothing: reporters hear from it through [`crate::event::EventSink`].

mod act;
mod api;
mod bless;
mod case;
mod churn;
mod cleanup;
mod cluster_scope;
mod error;
mod explore;
mod faults;
mod fence;
mod finish;
mod halt;
mod host;
mod http;
mod images;
mod keep;
mod kinds;
mod load;
mod own;
mod parallel;
mod place;
mod plan;
mod play;
mod played;
mod prepare;
mod prove;
mod recall;
mod recovery;
mod render;
mod renderings;
mod replay;
mod run;
mod runner;
mod scope;
mod settle;
mod slots;
mod stage;
mod steps;
mod subjects;
mod wait;
mod workbench;

pub(crate) use api::{RequestError, request};
pub(crate) use case::chain;
pub use error::EngineError;
pub use explore::{ExploreRequest, Life, Placement, WriteOutcome, explore};
pub(crate) use finish::end_job;
pub(crate) use kinds::resource;
pub use load::LoadKind;
pub(crate) use own::{OwnCluster, Ruin};
pub use plan::{Abilities, Plan, Release};
pub(crate) use play::is_finished;
pub use played::PlayedJobs;
pub use prove::{BrokenClaim, Culprit, Missed, Noticed, Outcome, Proof, ProveRequest, prove};
pub use recall::recall;
pub use replay::replay;
pub use run::{Request, run};
pub use scope::fit;
pub use workbench::{Round, Workbench, WorkbenchRequest};
