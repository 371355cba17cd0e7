//! Settings of the process, read from the environment once at the start.
//!
//! Parsing happens here and nowhere else: the rest of the program gets typed values. Mistakes that are
//! safe to survive become a default and a warning; a policy that cannot be read stops the start, because
//! it must not silently become "no policy". All problems are reported together.

mod backup;
mod database;
mod env;
mod later;
mod leader_election;
mod limits;
mod log_level;
mod restore;
mod settings;
mod workload;

pub use database::Database;
pub use env::{EnvReader, Problem};
pub use later::Later;
pub use leader_election::LeaderElection;
pub use limits::{Bounds, Concurrency, Limits};
pub use restore::{InFlightPolicy, Restore};
pub use settings::{AuthSecret, Namespaces, Policy, Settings, SettingsError};
pub use workload::RunnerDefaults;
