//! Suites and scenarios: from text to typed values that remember where they were written.
//!
//! Nothing here knows of clusters. Everything that can be known before a cluster exists is checked
//! here: unknown fields, wrong types, unknown requirement ids, missing files, expressions that do not
//! compile; see [`suite`] for what is found when.
//!
//! ```text
//! file ──yaml──▶ Node ──template(case)──▶ Node ──decode──▶ document ──reader──▶ PlannedCase
//! ```

pub mod assertion;
pub mod case;
pub mod catalogue;
mod change;
pub mod document;
mod duration;
pub mod expression;
pub mod fault;
mod files;
mod filter;
pub mod golden;
mod lint;
mod reader;
pub mod schema;
mod set;
pub mod settings;
mod shard;
pub mod step;
pub mod suite;
pub mod template;

pub use case::PlannedCase;
pub use change::{Changes, plain as plain_path};
pub use filter::Filter;
pub use reader::describe as describe_target;
#[cfg(test)]
pub(crate) use reader::read_assertion;
pub use shard::{Durations, NoShard, Shard};
