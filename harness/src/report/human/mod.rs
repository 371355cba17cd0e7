//! What people see on stderr: quiet when green, full when red.
//!
//! Text is always made with ANSI styles; the stream it is written to removes them where colour is not
//! wanted, so that there is one rendering for terminals, log files and the `JUnit` body.

mod explain;
mod live;
mod reporter;
mod style;
mod summary;

pub(super) use explain::{explain, explain_alone};
pub(super) use reporter::Human;
