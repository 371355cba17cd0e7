//! The one place where YAML enters.
//!
//! Text becomes a [`Node`] tree in which every key and every scalar knows where it was written, so that
//! each later complaint, about syntax or about an object of the cluster that differs from an
//! expectation, can point at a line. Options are fixed here: octal numbers as for
//! `kubectl`, no booleans but `true` and `false`, duplicate keys are errors, alias bombs are refused.

mod decode;
mod node;
mod parse;
mod write;

pub use decode::{DecodeError, Located, decode};
pub use node::{Entry, Location, Node, Source, Span, Value};
pub use parse::{ParseError, parse_documents};
pub use write::to_yaml;
