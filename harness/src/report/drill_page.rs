//! `drill.html`: the moments of a recovery, what was claimed of it, and what was measured.

use super::drill::{exit, facts, verdict, word};
use super::error::ReportError;
use super::matrix::{Cell, Matrix, Row, Section, class};
use crate::drill::{Claim, Drill, Mark, Verdict};

/// The page for a browser.
pub fn page(drill: &Drill) -> Result<String, ReportError> {
    matrix(drill).render()
}

fn matrix(drill: &Drill) -> Matrix {
    let section =
        |name: &str, columns, rows| Section { name: name.to_owned(), notes: Vec::new(), columns, rows };
    Matrix {
        title: "Recovery drill",
        verdict: verdict(drill),
        facts: Vec::new(),
        class: class(exit(drill)),
        noun: "line",
        tables: vec![
            section("Claims", &["Verdict", "Claim", "Found"], drill.claims.iter().map(claim).collect()),
            section(
                "Moments",
                &["", "Moment", "Seconds since the loss", "Time"],
                drill.timeline.iter().map(moment).collect(),
            ),
            section("Measured", &["", "Value"], facts(drill).into_iter().map(fact).collect()),
        ],
    }
}

fn claim(claim: &Claim) -> Row {
    let looks = match claim.verdict {
        Verdict::Kept => "passed",
        Verdict::Broken => "failed",
        Verdict::Open => "inconclusive",
    };
    Row {
        outcomes: vec![word(claim.verdict)],
        cells: vec![
            Cell::marked(word(claim.verdict), looks),
            Cell::plain(claim.claim),
            Cell::plain(&claim.found),
        ],
    }
}

fn moment(mark: &Mark) -> Row {
    Row {
        outcomes: vec!["moment"],
        cells: vec![
            Cell::plain(mark.name),
            Cell::plain(mark.what),
            Cell::plain(format!("{:.3}", mark.seconds)),
            Cell::plain(mark.at.to_string()),
        ],
    }
}

fn fact((name, value): (&'static str, String)) -> Row {
    Row { outcomes: vec!["measured"], cells: vec![Cell::plain(name), Cell::plain(value)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drill::tests::drill;

    #[test]
    fn every_claim_moment_and_number_has_a_row() {
        let drill = drill(&[Verdict::Kept, Verdict::Broken]);
        let matrix = matrix(&drill);
        let rows: Vec<usize> = matrix.tables.iter().map(|table| table.rows.len()).collect();
        assert_eq!(rows, [2, 1, facts(&drill).len()]);
        for table in &matrix.tables {
            assert!(table.rows.iter().all(|row| row.cells.len() == table.columns.len()));
        }
        assert_eq!(matrix.tables[0].rows[1].cells[0].class, "failed");
        assert_eq!(matrix.class, "failed");
    }

    #[test]
    fn no_text_leaves_its_place() {
        let page = page(&drill(&[Verdict::Kept])).expect("renders");
        assert!(page.contains("12.340 s") && !page.contains("{{"));
        assert_eq!(page.matches("</script>").count(), 2);
    }
}
