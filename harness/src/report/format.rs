//! The forms that a run is reported in.

use clap::ValueEnum;
use jiff::Timestamp;

use super::aggregate::Aggregate;
use super::error::ReportError;
use super::files::{BADGE_FILE, CASES_FILE, HTML_FILE, JUNIT_FILE, REPORT_FILE, SUMMARY_FILE};
use super::{badge, conformance, html, junit, markdown};

/// A form of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The page for a browser
    Html,
    /// `JUnit` XML, for CI
    Junit,
    /// The conformance report
    Yaml,
    /// The cases, one JSON object a line
    JsonLines,
    /// The badge, an SVG
    Badge,
    /// The verdict in a few lines
    Markdown,
}

impl Format {
    /// All of them. The conformance report is the last: where it is, everything is.
    pub(crate) const ALL: [Self; 6] =
        [Self::Junit, Self::Badge, Self::Html, Self::JsonLines, Self::Markdown, Self::Yaml];

    /// Its name in the report folder.
    pub fn file(self) -> &'static str {
        match self {
            Self::Html => HTML_FILE,
            Self::Junit => JUNIT_FILE,
            Self::Yaml => REPORT_FILE,
            Self::JsonLines => CASES_FILE,
            Self::Badge => BADGE_FILE,
            Self::Markdown => SUMMARY_FILE,
        }
    }

    /// The report of a run as it stands at `now`.
    pub fn render(self, run: &Aggregate, now: Timestamp) -> Result<String, ReportError> {
        match self {
            Self::Html => html::render(run, now),
            Self::Junit => junit::render(run),
            Self::Yaml => conformance::render(run, now),
            Self::JsonLines => conformance::lines(run),
            Self::Badge => Ok(badge::render(run)),
            Self::Markdown => Ok(markdown::render(run)),
        }
    }
}
