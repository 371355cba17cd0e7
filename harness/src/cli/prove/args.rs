//! The arguments of `hallmark prove`, and their help.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{SpecArgs, SuiteArgs};
use crate::engine::Culprit;

/// `hallmark prove`.
#[derive(Debug, Args)]
#[command(after_help = PROVE_HELP)]
pub(in crate::cli) struct ProveArgs {
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    /// Only this defect; may be repeated
    #[arg(long = "defect", value_name = "NAME")]
    pub(super) defects: Vec<String>,
    /// Plant the defects of the backup engine of this program instead of those of the implementation
    #[cfg(feature = "defects")]
    #[arg(long)]
    pub(super) engine: bool,
    #[command(flatten)]
    pub(super) cluster: SpecArgs,
    /// The implementation with the defects; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
    /// Folder of `prove.json` and `prove.html`
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark")]
    pub(super) report_dir: PathBuf,
    /// How many defects are tried at the same time
    #[arg(long, value_name = "N", default_value = "4")]
    pub(super) parallel: std::num::NonZeroUsize,
    /// How many cases of one defect run at the same time
    #[arg(short, long, value_name = "N", default_value = "6")]
    pub(super) jobs: std::num::NonZeroUsize,
}

impl ProveArgs {
    /// Who is to have the defects.
    #[cfg(feature = "defects")]
    pub(super) fn culprit(&self) -> Culprit {
        if self.engine { Culprit::Engine } else { Culprit::Implementation }
    }

    /// Who is to have the defects.
    #[cfg(not(feature = "defects"))]
    #[expect(clippy::unused_self, reason = "another build has an argument about it")]
    pub(super) fn culprit(&self) -> Culprit {
        Culprit::Implementation
    }
}

const PROVE_HELP: &str = "\
The implementation file says under `defects` which there are and how they are planted. A defect is noticed when
each requirement that it names is: a standing invariant by being broken, any other by a case that names it and
fails by a claim of its own. For clusters that are thrown away: on one that lives on, the namespaces stay.

Exit codes:
  0  every defect was noticed, and every MUST of the families named there has a defect
  1  a defect survived, if only in one of its requirements, or a MUST has no defect
  2  wrong usage, an invalid suite, or no such defect
  3  inconclusive: trouble of the cluster or the harness, or an interruption";
