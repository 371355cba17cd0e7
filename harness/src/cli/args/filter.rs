//! Which cases are meant.

use std::path::Path;

use clap::Args;

use crate::report;
use crate::scenario::{Durations, Filter, Shard};

/// Which cases of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct FilterArgs {
    /// Only cases whose id contains this; may be repeated, one must match
    #[arg(short, long = "name", value_name = "SUBSTRING")]
    names: Vec<String>,
    /// Only cases that prove this requirement; may be repeated, one must match
    #[arg(long = "requirement", value_name = "ID")]
    requirements: Vec<String>,
    /// Only scenarios with this label; may be repeated, all must match
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Only this share of the selected cases, for example 1/3; all shares together are all cases
    #[arg(long, value_name = "NUMBER/TOTAL")]
    shard: Option<Shard>,
    /// A report (report.yaml, cases.ndjson) or record of an earlier run, by whose durations shards are dealt out;
    /// may be repeated. All shards have to be given the same files
    #[arg(long, value_name = "FILE", requires = "shard", value_parser = durations)]
    durations: Vec<Durations>,
}

impl FilterArgs {
    pub(in crate::cli) fn filter(&self) -> Filter {
        Filter {
            names: self.names.clone(),
            requirements: self.requirements.clone(),
            labels: self.labels.clone(),
            exact: Vec::new(),
            shard: self.shard,
            durations: self.durations.iter().cloned().fold(Durations::default(), Durations::with),
        }
    }
}

/// A file that is not there yet is no mistake: the first run of all has none.
fn durations(path: &str) -> Result<Durations, String> {
    let path = Path::new(path);
    if !path.exists() {
        return Ok(Durations::default());
    }
    report::durations(path).map_err(|error| error.to_string())
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
