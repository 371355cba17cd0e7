//! The arguments of `hallmark compare`, and their help.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{FilterArgs, SpecArgs};

/// `hallmark compare`.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_HELP)]
pub(in crate::cli) struct CompareArgs {
    /// The one: an implementation file, or the record of a run (`events.ndjson`, or the folder that holds it);
    /// without it the implementation that the suite names
    #[arg(value_name = "A")]
    pub(super) a: Option<PathBuf>,
    /// The other one; without it A again
    #[arg(value_name = "B")]
    pub(super) b: Option<PathBuf>,
    /// Folder of the suite
    #[arg(long, default_value = "scenarios", value_name = "FOLDER")]
    pub(super) suite: PathBuf,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) cluster: SpecArgs,
    /// Give A this defect, see `hallmark prove`
    #[arg(long, value_name = "NAME")]
    pub(super) defect_a: Option<String>,
    /// Give B this defect
    #[arg(long, value_name = "NAME")]
    pub(super) defect_b: Option<String>,
    /// Compare also in which order different objects come, go and change their phase
    #[arg(long)]
    pub(super) order: bool,
    /// Count also what may be chance: states of a status that one of them left out, and what happened right
    /// before the end of a case
    #[arg(long)]
    pub(super) exact: bool,
    /// A field that does not count, with all below it, for example `status.message`; may be repeated
    #[arg(long, value_name = "PATH")]
    pub(super) ignore: Vec<String>,
    /// Folder of `compare.json` and `compare.html`, and of the reports of both runs in `a` and `b`
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark/compare")]
    pub(super) report_dir: PathBuf,
    /// How many cases run at the same time
    #[arg(short, long, value_name = "N", default_value = "16")]
    pub(super) jobs: std::num::NonZeroUsize,
}

const COMPARE_HELP: &str = "\
Runs the same scenarios against both, one after the other, and shows the verdicts side by side; for each case also
where the histories part first: which field of which object took another value. Histories are compared field by
field. Times, uids, versions, namespaces and generated names do not count, nor does how many writes it took or how
writes to different objects are ordered. Two records are compared without a cluster.

Exit codes:
  0  no difference
  1  another verdict or another history
  2  wrong usage, an invalid suite, no such defect, or no record
  3  inconclusive: of at least one case nothing is known, or an interruption
  4  nothing compared: no case was run";
