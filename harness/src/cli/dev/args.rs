//! The arguments of `hallmark dev`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{FilterArgs, SpecArgs};

/// `hallmark dev`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct DevArgs {
    /// Only cases whose id contains one of these; they run at once. Without any, and without another filter,
    /// the first save decides what runs
    #[arg(value_name = "SCENARIO")]
    pub(super) scenarios: Vec<String>,
    /// Folder of the suite
    #[arg(long, default_value = "scenarios", value_name = "FOLDER")]
    pub(super) suite: PathBuf,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) cluster: SpecArgs,
    /// The implementation under test; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
    /// Folder of the reports and the record of the last round
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark/dev")]
    pub(super) report_dir: PathBuf,
    /// How many cases run at the same time
    #[arg(short, long, value_name = "N", default_value = "16")]
    pub(super) jobs: std::num::NonZeroUsize,
    /// Leave the namespaces of cases that did not pass in the cluster
    #[arg(long)]
    pub(super) keep: bool,
}

const HELP: &str = "\
Ctrl-C stops the controllers and the cluster. The controller is built once: after a change of its program or its
implementation file start again.

Exit codes:
  0  ended by Ctrl-C
  2  wrong usage: no such suite, or no implementation
  3  trouble: no cluster, or it was lost";
