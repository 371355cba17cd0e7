//! The arguments of `hallmark stress`, and their help.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::{FilterArgs, SpecArgs, SuiteArgs};
use crate::engine::LoadKind;

/// `hallmark stress`.
#[derive(Debug, Args)]
#[command(after_help = STRESS_HELP)]
pub(in crate::cli) struct StressArgs {
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) cluster: SpecArgs,
    /// The implementation under test; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
    /// How often every selected case is run
    #[arg(long, value_name = "N", default_value = "20")]
    pub(super) times: std::num::NonZeroU32,
    /// What is kept busy meanwhile
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND,…")]
    pub(super) load: Vec<Kind>,
    /// Folder of `stress.json` and `stress.html`, and of the reports of the run
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark/stress")]
    pub(super) report_dir: PathBuf,
    /// How many cases run at the same time
    #[arg(short, long, value_name = "N", default_value = "16")]
    pub(super) jobs: std::num::NonZeroUsize,
}

/// A kind of load.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Kind {
    /// Every processor
    Cpu,
    /// The API server, by writes in a namespace of their own
    Api,
    /// The disk, by a file for temporary use that is synced again and again
    Disk,
}

impl Kind {
    pub(super) fn load(self) -> LoadKind {
        match self {
            Self::Cpu => LoadKind::Cpu,
            Self::Api => LoadKind::Api,
            Self::Disk => LoadKind::Disk,
        }
    }
}

const STRESS_HELP: &str = "\
Like `hallmark run --repeat N`, with something that keeps the machine busy, and every case comes to rest before it
ends, so that its histories can be compared. For each case it tells how many runs ended how, how many different
histories there were, where the others part first from that of most runs, and the command that most likely shows it
again.

Exit codes:
  0  every run passed; that histories differ does not change it
  1  a run failed
  2  wrong usage, or an invalid suite
  3  inconclusive: trouble of the cluster or the harness, or an interruption
  4  nothing run: no case selected, or all skipped";
