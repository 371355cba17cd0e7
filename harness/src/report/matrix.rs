//! Tables for a browser: one file that needs no network.
//!
//! What stands in which cell is decided by those who know the subject; `html/matrix.js` shows the tables and
//! filters their rows.

use serde::Serialize;

use super::error::ReportError;
use super::html;

const PAGE: &str = include_str!("html/matrix.html");
const SCRIPT: &str = include_str!("html/matrix.js");

/// A page of tables.
#[derive(Debug, Serialize)]
pub(super) struct Matrix {
    pub(super) title: &'static str,
    /// The verdict over all; a warning in each further line.
    pub(super) verdict: String,
    /// What else is to be known, in lines that warn of nothing.
    pub(super) facts: Vec<String>,
    /// How the verdict looks: `passed`, `failed` or `inconclusive`.
    pub(super) class: &'static str,
    /// What a row is; its plural ends in `s`.
    pub(super) noun: &'static str,
    pub(super) tables: Vec<Section>,
}

/// A table and its name.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    pub(super) name: String,
    /// What is to be said beside its rows.
    pub(super) notes: Vec<String>,
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<Row>,
}

/// A row, and the outcomes by which it is found.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) outcomes: Vec<&'static str>,
    pub(super) cells: Vec<Cell>,
}

/// A text with its looks, and lines below it.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) class: &'static str,
    pub(super) lines: Vec<String>,
}

impl Cell {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::marked(text, "")
    }

    pub(super) fn marked(text: impl Into<String>, class: &'static str) -> Self {
        Self { text: text.into(), class, lines: Vec::new() }
    }

    pub(super) fn with(self, lines: impl IntoIterator<Item = String>) -> Self {
        Self { lines: lines.into_iter().collect(), ..self }
    }
}

impl Matrix {
    pub(super) fn render(&self) -> Result<String, ReportError> {
        html::fill(PAGE, self.title, SCRIPT, self)
    }
}

/// How a verdict with this exit code looks.
pub(super) fn class(code: u8) -> &'static str {
    match code {
        crate::exit::CONFORMANT => "passed",
        crate::exit::NON_CONFORMANT => "failed",
        _ => "inconclusive",
    }
}
