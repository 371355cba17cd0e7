//! The arguments of `hallmark explore`, and their help.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{FilterArgs, SpecArgs, SuiteArgs};

/// `hallmark explore`.
#[derive(Debug, Args)]
#[command(after_help = EXPLORE_HELP)]
pub(in crate::cli) struct ExploreArgs {
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) cluster: SpecArgs,
    /// The implementation under test; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
    /// Give the controller this defect, see `hallmark prove`: does a kill reveal it?
    #[arg(long, value_name = "NAME")]
    pub(super) defect: Option<String>,
    /// Folder of `explore.json` and `explore.html`
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark")]
    pub(super) report_dir: PathBuf,
    /// How many lives are lived at the same time
    #[arg(short, long, value_name = "N", default_value = "8")]
    pub(super) jobs: std::num::NonZeroUsize,
}

const EXPLORE_HELP: &str = "\
Without a filter the scenarios with the label `life` are explored. Each is run once to count the writes of the
controller, and then twice for each write: with the controller killed (SIGKILL) before the API server sees it,
and after. Every such life has to end with the same objects in the same states, made as often, through the same
phases. Needs a controller that runs as a process (--cluster local).

Exit codes:
  0  every life ended as the undisturbed one
  1  one ended in another way, or a claim of its scenario failed
  2  wrong usage, an invalid suite, or no such defect
  3  inconclusive: trouble of the cluster or the harness, or an interruption
  4  nothing to explore";
