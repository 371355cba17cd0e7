//! The arguments of `hallmark drill`, and their help.

use std::path::PathBuf;

use clap::Args;
use jiff::SignedDuration;

use crate::cli::args::SuiteArgs;
use crate::cluster::KubernetesVersion;
use crate::drill::MINIMUM;

/// `hallmark drill`.
#[derive(Debug, Args)]
#[command(after_help = DRILL_HELP)]
pub(in crate::cli) struct DrillArgs {
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    /// How many runs there are at the backup, at least 10
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = number)]
    pub(super) runs: usize,
    /// The implementation under test; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
    /// Print the outcome as JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
    /// Folder of `drill.json` and `drill.html`
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark")]
    pub(super) report_dir: PathBuf,
    /// Plant this defect in the controller, or in the engine (`engine-…`), and see whether it is noticed
    #[arg(long, value_name = "NAME")]
    pub(super) defect: Option<String>,
    /// How long nobody may write once all runs have settled
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(super) quiet_for: SignedDuration,
    /// The longest recovery; without it what is promised for so many runs
    #[arg(long, value_name = "TIME")]
    pub(super) recovery: Option<SignedDuration>,
    /// Version of the clusters: 1.34, 1.35 or 1.36
    #[arg(long, value_name = "VERSION", default_value = "1.35")]
    pub(super) kubernetes: KubernetesVersion,
}

fn number(text: &str) -> Result<usize, String> {
    let number: usize = text.parse().map_err(|error| format!("{error}"))?;
    if number < MINIMUM {
        return Err(format!("a drill needs at least {MINIMUM} runs to have one of every sort"));
    }
    Ok(number)
}

const DRILL_HELP: &str = "\
Starts a cluster of local processes, fills it, backs it up, kills it with all of its data, starts another one
and restores the backup there. The suite says under `drill` what runs look like. Promised, on two cores: up to
1000 runs have settled within 60 s of the new API server's readiness, up to 10000 within 8 minutes.

Exit codes:
  0  every claim held
  1  a claim was broken, or the controller did not do its work before the loss; what, is named
  2  wrong usage, an invalid suite, or no such defect
  3  inconclusive: trouble of a cluster or the harness, or an interruption";
