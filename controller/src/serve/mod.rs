//! The HTTP side of the process: health for probes and people. It only reads, and shows nothing of runs.

mod health;
mod server;

pub use health::Health;
pub use server::{ServeError, serve};
