//! What happened in a scenario, in one order.
//!
//! [`Record`] is the growing log that the engine and the watches write; [`entry`] are its pure values,
//! which [`crate::check`] judges. Nothing here decides whether something was right.

pub mod entry;
mod log;
mod recording;
mod requests;
mod watch;

pub use entry::{Change, End, Entry, LOG, ObjectVersion, Observation, Request};
pub use log::{RECORD_FILE, Record, RecordWriter, record_schema};
pub use recording::{Recording, RecordingError};
pub use requests::RequestHub;
pub use watch::{OWNER_LABEL, WatchError, WatchHub, Watched, field_selector};
