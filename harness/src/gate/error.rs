//! Why two charts could not be compared.

use std::path::PathBuf;

use crate::subject::HelmError;
use crate::yaml::ParseError;

/// What keeps the gate from an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// Nothing on this machine has that name.
    #[error(
        "`{name}` is no folder, no file and no git ref; help: name a chart's folder, a packed chart (.tgz), \
         REF or REF:PATH"
    )]
    NoSource {
        /// What was named.
        name: String,
    },
    /// A folder or an archive without what is needed of a chart.
    #[error("there is no {what} in `{source_name}`; help: {help}")]
    Incomplete {
        /// What is missing.
        what: &'static str,
        /// Where it was looked for.
        source_name: String,
        /// What to name instead.
        help: &'static str,
    },
    /// A report in place of a chart, where a chart is needed.
    #[error(
        "`{name}` tells what was met and holds no chart; help: leave out --static, --no-suite and --report, or \
         name the chart with --from and the report with --report"
    )]
    OnlyReport {
        /// The report.
        name: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{action} `{}`", .path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An archive that leads elsewhere, or is too large to be a chart.
    #[error("unpack `{name}`: {reason}")]
    Archive {
        /// Which.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is not YAML.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Git could not be asked.
    #[error("git could not {action}: {message}")]
    Git {
        /// What it should do.
        action: String,
        /// What it said.
        message: String,
    },
    /// Helm could not be run; that a chart refuses values is a finding, not an error.
    #[error(transparent)]
    Helm(#[from] HelmError),
}

impl GateError {
    /// Whether what was named on the command line is at fault.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Helm(_))
    }
}
