//! The HTTP side of the process: health for probes and people, metrics, and whether now is a good moment
//! for a backup. It only reads, and shows nothing of runs.

pub mod backupz;
mod census;
mod health;
mod server;

pub use census::{Census, Count, View};
pub use health::{Health, Role};
pub use server::{ServeError, Site, serve};
