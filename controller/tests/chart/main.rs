//! The chart's files agree with each other: values, schema, templates and documents.
//!
//! What the chart renders is claimed by the scenarios in `scenarios/chart`; here it is rendered only to be compared
//! with the table of the README.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests, too")]

mod crds;
mod documents;
mod environment;
mod examples;
mod installed;
mod names;
mod ranges;
mod readme;
mod schema;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

/// A file or folder of the chart.
fn chart(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/agents").join(path)
}

/// The text of a file of the chart.
fn read(path: &str) -> String {
    let path = chart(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
