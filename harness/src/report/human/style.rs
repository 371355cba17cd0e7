//! Styles, times and tables of the human output.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::fmt::friendly::{FractionalUnit, SpanPrinter};

/// Something wrong with the implementation.
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
/// Something wrong with the harness or the cluster.
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
/// Something good.
pub(super) const GREEN: Style = AnsiColor::Green.on_default().bold();
/// A removed line.
pub(super) const REMOVED: Style = AnsiColor::Red.on_default();
/// An added line.
pub(super) const ADDED: Style = AnsiColor::Green.on_default();
/// A position in a diff.
pub(super) const POSITION: Style = AnsiColor::Cyan.on_default();
/// A heading.
pub(super) const BOLD: Style = Style::new().bold();
/// Something in the background.
pub(super) const DIM: Style = Style::new().dimmed();

/// The text in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A time for people, for example `1m 5.20s`.
pub(super) fn time(duration: Duration) -> String {
    SpanPrinter::new()
        .fractional(Some(FractionalUnit::Second))
        .precision(Some(2))
        .unsigned_duration_to_string(&duration)
}

/// Rows in aligned columns without lines, wrapped to `width` columns.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>, width: u16) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    if !header.is_empty() {
        table.set_header(header.to_vec());
    }
    table.add_rows(rows);
    // The caller indents; only the gaps between columns are needed.
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Every line of `text` moved to the right.
pub(super) fn indent(text: &str, columns: usize) -> String {
    let margin = " ".repeat(columns);
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if !line.is_empty() {
            out.push_str(&margin);
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}
