//! Decisions: pure functions from objects, settings and time to what should be.
//!
//! Nothing here talks to a cluster, reads a clock or logs. That makes every rule a table of cases, and
//! leaves [`crate::reconcile`] with nothing but the order of effects.

pub mod config_maps;
pub mod contract;
pub mod events;
pub mod heartbeat;
pub mod hold;
pub mod idempotency;
pub mod image;
pub mod job;
pub mod kinds;
pub mod lease;
pub mod limits;
pub mod metadata;
pub mod names;
pub mod number;
pub mod outcome;
pub mod ownership;
pub mod pattern;
pub mod restored;
pub mod retention;
pub mod run_files;
pub mod spec_hash;
pub mod stage;
pub mod status;
pub mod template;
pub mod text;
pub mod ttl;
pub mod validate;
pub mod workflow;
