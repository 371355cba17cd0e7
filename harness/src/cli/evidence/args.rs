//! The arguments of the commands about evidence.

use std::path::PathBuf;

use clap::Args;

use crate::exit;

/// `hallmark evidence`.
#[derive(Debug, Args)]
#[command(after_help = EVIDENCE_HELP)]
pub(in crate::cli) struct EvidenceArgs {
    /// Folder with the reports and the record of the run
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark")]
    pub(in crate::cli) report_dir: PathBuf,
    /// Folder of the suite of that run
    #[arg(long, value_name = "FOLDER", default_value = "scenarios")]
    pub(in crate::cli) suite: PathBuf,
    /// The implementation of that run; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) implementation: Option<PathBuf>,
    /// The bundle; one that exists is not overwritten
    #[arg(long, value_name = "FILE", default_value = "evidence.tar.zst")]
    pub(in crate::cli) output: PathBuf,
}

/// `hallmark verify-evidence`.
#[derive(Debug, Args)]
#[command(after_help = exit::EVIDENCE_HELP)]
pub(in crate::cli) struct VerifyEvidenceArgs {
    /// The bundle; its digest file is checked, too, if it stands beside it
    pub(in crate::cli) file: PathBuf,
}

const EVIDENCE_HELP: &str = "\
The bundle holds what the record holds, also objects and log lines: look before you give it away. \
The chart and the images are not in it; the digest of the chart is.

Exit codes:
  0  packed, read back and found whole
  2  wrong usage: no such run, not its suite or implementation, or the file exists
  3  trouble of this machine";
