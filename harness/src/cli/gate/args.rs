//! The arguments of `hallmark gate`, and their help.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::args::SpecArgs;
use crate::gate::judgement::Acceptance;

/// `hallmark gate`.
#[derive(Debug, Args)]
#[command(after_help = GATE_HELP)]
pub(in crate::cli) struct GateArgs {
    /// The last version: REF or REF:PATH of git, a packed chart (.tgz), a folder, or its report.yaml alone
    #[arg(long, value_name = "CHART")]
    pub(super) from: String,
    /// The new version
    #[arg(long, value_name = "CHART", default_value = "charts/agents")]
    pub(super) to: String,
    /// Only what can be told without a cluster
    #[arg(long = "static")]
    pub(super) only_static: bool,
    /// Render with the values files only, not with every edge of the schema
    #[arg(long)]
    pub(super) no_edges: bool,
    /// Let a finding pass, all of its id or that about one subject; may be repeated. It still counts for the
    /// step that is due
    #[arg(long, value_name = "ID[=SUBJECT]")]
    pub(super) accept: Vec<Acceptance>,
    /// Folder of the suite whose cases are run
    #[arg(long, value_name = "FOLDER", default_value = "scenarios")]
    pub(super) suite: PathBuf,
    /// The implementation with the new chart; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
    /// The implementation with the old chart; without it that of the git ref, else the new one
    #[arg(long, value_name = "FILE")]
    pub(super) from_implementation: Option<PathBuf>,
    /// Only the upgrades, not the whole suite on the new version
    #[arg(long)]
    pub(super) no_suite: bool,
    /// report.yaml of the last version: what it met must still be met
    #[arg(long, value_name = "FILE", conflicts_with = "no_suite")]
    pub(super) report: Option<PathBuf>,
    #[command(flatten)]
    pub(super) cluster: SpecArgs,
    /// How many cases run at the same time
    #[arg(short, long, value_name = "N", default_value = "16")]
    pub(super) jobs: std::num::NonZeroUsize,
    /// Folder of gate.md, gate.json and gate.html
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark/gate")]
    pub(super) report_dir: PathBuf,
}

impl GateArgs {
    /// The report that stands for the last version, where no chart of it is named.
    pub(super) fn only_report(&self) -> Option<&Path> {
        let path = Path::new(&self.from);
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        (is_yaml && path.is_file()).then_some(path)
    }
}

const GATE_HELP: &str = "\
Values keys, defaults, variables, rights and images that change pass if `artifacthub.io/changes` in Chart.yaml
tells them; a CRD that accepts less never passes by itself. The findings, and which step of the version is due
for what, are in harness/docs/gate.md. The cluster is a local one unless --cluster names another.

Exit codes:
  0  accepted
  1  refused: a change that breaks or was not told, or a version that does not say what changed
  2  wrong usage: no such chart, or one that cannot be read
  3  inconclusive: trouble of the cluster or of this machine, or an interruption";
