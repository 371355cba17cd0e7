//! Reference controller of the agents system: turns `AgentRun` objects into Kubernetes Jobs, follows
//! them, writes down how they ended, and gives finished Jobs a time to live.
//!
//! ```text
//!            environment                              API server
//!                 │                             watch ▲│     │▲ create, patch, delete
//!             [config]                                │▼     ▼│
//!                 │        ┌───────────────────────[reconcile]────────────┐
//!                 ▼        │  caches ─▶ queue ─▶ pass: effects in order   │
//!              settings ──▶│                          │ ▲                 │──▶ [serve]
//!                          └──────────────────────────┼─┼─────────────────┘    health, metrics
//!                                     objects, time   ▼ │   what should be
//!                                                  [decide]
//!                                              pure functions over [api]
//! ```
//!
//! [`leader`] lets only one of several replicas work, [`metrics`] counts what it does, [`store`] is the
//! optional database that remembers idempotency keys and finished runs.
//!
//! Start reading with [`decide`]: every rule of the system stands there, without any IO. [`reconcile`]
//! only puts these decisions into an order that survives a crash at any point.

mod cli;
mod log;
mod process;

pub mod api;
pub mod config;
pub mod crds;
pub mod decide;
pub mod defects;
pub mod exit;
pub mod leader;
pub mod metrics;
pub mod reconcile;
pub mod serve;
pub mod store;

pub use cli::main;
pub use process::ProcessError;
