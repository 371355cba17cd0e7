//! `gate.html`: every change of a chart and what was decided about it.

use super::error::ReportError;
use super::gate::decision;
use super::matrix::{Cell, Matrix, Row, Section, class};
use crate::gate::finding::Severity;
use crate::gate::judgement::{Judged, Judgement};

const COLUMNS: &[&str] = &["Severity", "Decision", "Finding", "Place", "What changed", "What to do"];

impl Judgement {
    /// The page for a browser.
    pub fn page(&self) -> Result<String, ReportError> {
        self.matrix().render()
    }

    fn matrix(&self) -> Matrix {
        Matrix {
            title: "Chart gate",
            verdict: self.verdict_and_doubts(),
            facts: self.facts(),
            class: class(self.exit()),
            noun: "finding",
            tables: vec![Section {
                name: format!("{} → {}", self.from.source, self.to.source),
                notes: Vec::new(),
                columns: COLUMNS,
                rows: self.findings.iter().map(row).collect(),
            }],
        }
    }
}

fn row(finding: &Judged) -> Row {
    let (word, looks) = match finding.severity {
        Severity::Breaking => ("breaking", "failed"),
        Severity::Notice => ("notice", "inconclusive"),
        Severity::Harmless => ("harmless", "passed"),
    };
    Row {
        outcomes: vec![word],
        cells: vec![
            Cell::marked(word, looks),
            Cell::marked(decision(finding), if finding.refused { "failed" } else { "" }),
            Cell::plain(finding.id),
            Cell::plain(&finding.place),
            Cell::plain(format!("{}: {}", finding.subject, finding.what))
                .with(finding.values.iter().cloned()),
            Cell::plain(finding.advice),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::gate::tests::judgement;

    #[test]
    fn every_finding_has_a_row_with_what_was_decided() {
        let matrix = judgement().matrix();
        let rows = &matrix.tables[0].rows;
        let texts =
            |row: &Row| row.cells.iter().map(|cell| cell.text.clone()).take(4).collect::<Vec<_>>().join("|");
        assert_eq!(texts(&rows[1]), "breaking|refused|ENV-DROPPED|Deployment a container c");
        assert_eq!(texts(&rows[2]), "harmless||VALUES-KEY-ADDED|c/values.yaml:3");
        assert!(rows.iter().all(|row| row.cells.len() == COLUMNS.len()));
        assert_eq!(matrix.class, "failed");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_no_text_leaves_its_place() {
        let page = judgement().page().expect("renders");
        let (markup, _) = page.split_once(r#"<script id="data""#).expect("data");
        for word in ["http:", "https:", "@import", "url(", "src="] {
            assert!(!markup.contains(word), "{word}");
        }
        assert!(!page.contains("{{") && !page.contains("<b>it is new"));
        assert_eq!(page.matches("</script>").count(), 2);
    }
}
