//! `prove.html`: every defect and what noticed it.

use super::error::ReportError;
use super::matrix::{Cell, Matrix, Row, Section, class};
use super::proof::Proofs;
use crate::engine::{Outcome, Proof};

const COLUMNS: &[&str] = &["Defect", "Requirements", "Outcome", "Noticed by", "Claim", "Seconds"];

impl Proofs {
    /// The page for a browser.
    pub fn page(&self) -> Result<String, ReportError> {
        self.matrix().render()
    }

    fn matrix(&self) -> Matrix {
        let rows = self.defects.iter().map(row).collect();
        Matrix {
            title: "Defects",
            verdict: self.verdict(),
            facts: Vec::new(),
            class: class(self.exit()),
            noun: "defects",
            tables: vec![Section {
                name: "Defects and what noticed them".to_owned(),
                notes: Vec::new(),
                columns: COLUMNS,
                rows,
            }],
        }
    }
}

fn row(proof: &Proof) -> Row {
    let Proof { defect, outcome, elapsed } = proof;
    let (word, looks, by, claim) = match outcome {
        Outcome::Killed { by, claim, .. } => ("noticed", "passed", by.clone(), claim.clone()),
        Outcome::Otherwise { by, claim } => {
            let claim = format!("another claim than the invariant: {claim}");
            ("survived", "failed", by.clone(), claim)
        }
        Outcome::Survived { cases } => {
            let cases =
                if *cases == 1 { "1 case passed".to_owned() } else { format!("{cases} cases passed") };
            ("survived", "failed", "nothing".to_owned(), cases)
        }
        Outcome::Inconclusive { reason } => ("inconclusive", "inconclusive", String::new(), reason.clone()),
    };
    let summary = Some(defect.summary.clone()).filter(|summary| !summary.is_empty());
    Row {
        outcomes: vec![word],
        cells: vec![
            Cell::plain(&defect.name),
            Cell::plain(defect.requirements.join(" ")),
            Cell::marked(word, looks),
            Cell::plain(by),
            Cell::plain(claim).with(summary.map(|summary| format!("planted: {summary}"))),
            Cell::plain(format!("{:.1}", elapsed.as_secs_f64())),
        ],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::subject::Defect;

    fn proofs() -> Proofs {
        let proof = |name: &str, outcome| Proof {
            defect: Defect {
                name: name.to_owned(),
                requirements: vec!["A-1".to_owned(), "A-2".to_owned()],
                summary: "</script><b>forgets".to_owned(),
            },
            outcome,
            elapsed: Duration::from_millis(1540),
        };
        Proofs {
            defects: vec![
                proof(
                    "one",
                    Outcome::Killed {
                        by: "case/row".to_owned(),
                        claim: "never x".to_owned(),
                        broken: Vec::new(),
                    },
                ),
                proof("two", Outcome::Survived { cases: 3 }),
                proof("three", Outcome::Inconclusive { reason: "no cluster".to_owned() }),
            ],
            musts_without_defect: vec!["A-9".to_owned()],
            complete: true,
        }
    }

    #[test]
    fn every_defect_has_a_row_with_what_noticed_it() {
        let matrix = proofs().matrix();
        let rows = &matrix.tables[0].rows;
        let texts = |row: &Row| row.cells.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>().join("|");
        assert_eq!(texts(&rows[0]), "one|A-1 A-2|noticed|case/row|never x|1.5");
        assert_eq!(texts(&rows[1]), "two|A-1 A-2|survived|nothing|3 cases passed|1.5");
        assert_eq!(texts(&rows[2]), "three|A-1 A-2|inconclusive||no cluster|1.5");
        assert!(rows.iter().all(|row| row.cells.len() == COLUMNS.len()));
        assert_eq!(matrix.class, "failed");
        assert!(matrix.verdict.ends_with("no defect breaks A-9"), "{}", matrix.verdict);
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_no_text_leaves_its_place() {
        let page = proofs().page().expect("renders");
        let (markup, _) = page.split_once(r#"<script id="data""#).expect("data");
        for word in ["http:", "https:", "@import", "url(", "src="] {
            assert!(!markup.contains(word), "{word}");
        }
        assert!(markup.contains("prefers-color-scheme: dark"));
        assert!(!page.contains("{{") && !page.contains("<b>forgets"));
        assert_eq!(page.matches("</script>").count(), 2);
    }
}
