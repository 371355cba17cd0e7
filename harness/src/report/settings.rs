//! What the user asked the reporters for.

use std::path::PathBuf;

pub use anstream::ColorChoice;

/// Where reports go and how much people see.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the report files; without one none are written.
    pub report_dir: Option<PathBuf>,
    /// File that the summary is appended to as Markdown: GitHub's `GITHUB_STEP_SUMMARY`.
    pub step_summary: Option<PathBuf>,
    /// Colour on stderr. `Auto` honours `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and whether it is a terminal.
    pub color: ColorChoice,
    /// How much is said.
    pub verbosity: Verbosity,
    /// How progress is shown.
    pub progress: Progress,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            report_dir: None,
            step_summary: None,
            color: ColorChoice::Auto,
            verbosity: Verbosity::Normal,
            progress: Progress::Auto,
        }
    }
}

/// How much is said on stderr. Failures are always shown in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Failures and the verdict.
    Quiet,
    /// Preparation, one line per finished area, the summary.
    #[default]
    Normal,
    /// Every case with its time.
    Verbose,
}

/// How progress is shown on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Progress {
    /// [`Progress::Live`] on a terminal outside CI, else [`Progress::Lines`].
    #[default]
    Auto,
    /// Spinners and counters that are redrawn.
    Live,
    /// Lines that stay.
    Lines,
}
