//! `prove.html`: every defect, the requirements that it breaks, and what noticed each of them.

use super::error::ReportError;
use super::matrix::{Cell, Matrix, Row, Section, class};
use super::proof::{Proofs, why_missed};
use super::self_test::Shown;
use crate::engine::{Noticed, Proof};

const COLUMNS: &[&str] = &["Defect", "Requirement", "Outcome", "Noticed by", "Claim", "Seconds"];

impl Proofs {
    /// The page for a browser.
    pub fn page(&self) -> Result<String, ReportError> {
        self.matrix().render()
    }

    fn matrix(&self) -> Matrix {
        let rows = self.defects.iter().flat_map(rows).collect();
        Matrix {
            title: "Defects",
            verdict: self.verdict(),
            facts: self.reporters.iter().map(Shown::words).collect(),
            class: class(self.exit()),
            noun: "broken requirement",
            tables: vec![Section {
                name: "Defects and what noticed them".to_owned(),
                notes: Vec::new(),
                columns: COLUMNS,
                rows,
            }],
        }
    }
}

/// A row for each requirement that the defect breaks.
fn rows(proof: &Proof) -> impl Iterator<Item = Row> {
    let noticed = proof.noticed.iter().map(|Noticed { requirement, broken }| {
        let looks = ("noticed", "passed");
        row(proof, requirement, looks, broken.by.clone(), broken.claim.clone())
    });
    let missed = proof.missed.iter().map(|missed| {
        let (looks, by) = match missed.trouble {
            Some(_) => (("inconclusive", "inconclusive"), ""),
            None => (("survived", "failed"), "nothing"),
        };
        row(proof, &missed.requirement, looks, by.to_owned(), why_missed(missed))
    });
    noticed.chain(missed)
}

fn row(
    proof: &Proof,
    requirement: &str,
    (word, looks): (&'static str, &'static str),
    by: String,
    claim: String,
) -> Row {
    let Proof { defect, elapsed, .. } = proof;
    let summary = Some(defect.summary.clone()).filter(|summary| !summary.is_empty());
    Row {
        outcomes: vec![word],
        cells: vec![
            Cell::plain(&defect.name),
            Cell::plain(requirement),
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
    use crate::engine::{BrokenClaim, Missed};
    use crate::subject::Defect;

    fn proofs() -> Proofs {
        let proof = |name: &str, noticed, missed| {
            let defect = Defect {
                name: name.to_owned(),
                requirements: vec!["A-1".to_owned(), "A-2".to_owned()],
                summary: "</script><b>forgets".to_owned(),
            };
            Proof::new(defect, noticed, missed, Duration::from_millis(1540))
        };
        let noticed = |requirement: &str| Noticed {
            requirement: requirement.to_owned(),
            broken: BrokenClaim { by: "case/row".to_owned(), claim: "never x".to_owned() },
        };
        let missed = |requirement: &str, trouble: Option<&str>| Missed {
            requirement: requirement.to_owned(),
            passed: 3,
            otherwise: None,
            trouble: trouble.map(ToOwned::to_owned),
        };
        Proofs {
            defects: vec![
                proof("one", vec![noticed("A-1")], vec![missed("A-2", None)]),
                proof("two", Vec::new(), vec![missed("A-1", Some("no cluster"))]),
            ],
            reporters: Vec::new(),
            musts_without_defect: vec!["A-9".to_owned()],
            complete: true,
        }
    }

    #[test]
    fn every_requirement_of_a_defect_has_a_row_with_what_noticed_it() {
        let matrix = proofs().matrix();
        let rows = &matrix.tables[0].rows;
        let texts = |row: &Row| row.cells.iter().map(|cell| cell.text.clone()).collect::<Vec<_>>().join("|");
        assert_eq!(texts(&rows[0]), "one|A-1|noticed|case/row|never x|1.5");
        assert_eq!(texts(&rows[1]), "one|A-2|survived|nothing|not noticed: 3 cases passed|1.5");
        assert_eq!(texts(&rows[2]), "two|A-1|inconclusive||no cluster|1.5");
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
