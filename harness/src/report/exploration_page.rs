//! `explore.html`: every life, its writes, and what became of a kill before and after each.

use super::error::ReportError;
use super::exploration::{Exploration, lines, word};
use super::matrix::{Cell, Matrix, Row, Section, class};
use crate::engine::{Life, Placement, WriteOutcome};

const COLUMNS: &[&str] = &["#", "Write", "Killed before", "Killed after"];

impl Exploration {
    /// The page for a browser.
    pub fn page(&self) -> Result<String, ReportError> {
        self.matrix().render()
    }

    fn matrix(&self) -> Matrix {
        Matrix {
            title: "Kills at every write",
            verdict: self.verdict(),
            facts: self.defect.iter().map(|defect| format!("planted: {defect}")).collect(),
            class: class(self.exit()),
            noun: "write",
            tables: self.lives.iter().map(table).collect(),
        }
    }
}

fn table(life: &Life) -> Section {
    let rows = (1..).zip(&life.writes).map(|(number, write)| row(number, write)).collect();
    Section {
        name: life.case.clone(),
        notes: life.trouble.iter().map(|trouble| format!("not explored: {trouble}")).collect(),
        columns: COLUMNS,
        rows,
    }
}

fn row(number: usize, write: &WriteOutcome) -> Row {
    let mut outcomes = vec![word(&write.before), word(&write.after)];
    outcomes.dedup();
    let cell = |placement: &Placement| {
        Cell::marked(word(placement), looks(placement)).with(lines(placement).into_iter().map(str::to_owned))
    };
    Row {
        outcomes,
        cells: vec![
            Cell::plain(number.to_string()),
            Cell::plain(&write.request),
            cell(&write.before),
            cell(&write.after),
        ],
    }
}

fn looks(placement: &Placement) -> &'static str {
    match placement {
        Placement::Same => "passed",
        Placement::Different { .. } | Placement::Failed { .. } => "failed",
        Placement::NotMade => "skipped",
        Placement::Inconclusive { .. } => "inconclusive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_of_every_life_tells_both_kills_and_their_differences() {
        let write = |before, after| WriteOutcome { request: "create jobs demo".to_owned(), before, after };
        let differences = vec!["Job demo was made 2 times, not 1".to_owned()];
        let exploration = Exploration {
            defect: None,
            lives: vec![
                Life {
                    case: "a-life".to_owned(),
                    trouble: None,
                    writes: vec![
                        write(Placement::Same, Placement::Different { differences: differences.clone() }),
                        write(Placement::Same, Placement::Same),
                    ],
                },
                Life {
                    case: "another".to_owned(),
                    trouble: Some("it failed".to_owned()),
                    writes: Vec::new(),
                },
            ],
            complete: true,
        };
        let matrix = exploration.matrix();
        let [first, second] = matrix.tables[0].rows.as_slice() else { panic!("{matrix:?}") };
        assert_eq!(first.outcomes, ["same end", "OTHER END"]);
        assert_eq!(first.cells[3].lines, differences);
        assert!(first.cells[2].lines.is_empty());
        assert_eq!(
            (second.cells[0].text.as_str(), second.outcomes.as_slice()),
            ("2", ["same end"].as_slice())
        );
        assert_eq!(matrix.tables[1].notes, ["not explored: it failed"]);
        assert_eq!(matrix.class, "failed");
        assert!(exploration.page().expect("renders").contains("Job demo was made 2 times"));
    }
}
