//! What is said about cases that were run under load: how often they ended how, where their histories part
//! first, and how to see it again.

use comfy_table::{Table, presets};
use serde::Serialize;

use super::error::ReportError;
use super::matrix::{Cell, Matrix, Row, Section, class};
use super::repetition::Repetition;
use crate::count::count;
use crate::engine::LoadKind;

/// How sure it is to be that a repetition shows the rare outcome again.
const SURE: f64 = 0.95;
/// Nobody waits for more.
const TIMES_AT_MOST: u32 = 1000;

const COLUMNS: &[&str] = &["Case", "Runs", "Passed", "Failed", "Inconclusive", "Histories", "Outcome"];

/// All cases of a command, as `stress.json` holds them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stress {
    /// What kept the machine busy.
    pub load: Vec<LoadKind>,
    /// The cases, in plan order.
    pub cases: Vec<Stressed>,
    /// Exit code of the run.
    #[serde(skip)]
    pub exit: u8,
}

/// A case that was run under load.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stressed {
    /// What its runs came to.
    #[serde(flatten)]
    pub repetition: Repetition,
    /// The command that shows again what most runs did not do, with a chance of 95 %; absent if all runs did
    /// the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Stress {
    /// Takes what a run came to; `options` are what each command needs beside the case and how often it is run.
    pub fn of(repetitions: Vec<Repetition>, load: Vec<LoadKind>, options: &str, exit: u8) -> Self {
        let words: Vec<&str> = load.iter().map(|kind| kind.word()).collect();
        let load_option =
            if words.is_empty() { String::new() } else { format!(" --load {}", words.join(",")) };
        let command = |repetition: &Repetition| {
            let times = times(odd(repetition), repetition.runs)?;
            let name = &repetition.name;
            Some(format!("hallmark stress{options} --name {name} --times {times}{load_option}"))
        };
        let cases =
            repetitions.into_iter().map(|repetition| Stressed { command: command(&repetition), repetition });
        Self { cases: cases.collect(), load, exit }
    }

    /// A table of all cases, and what there is to be said of those that did not always do the same.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["case", "runs", "passed", "failed", "inconclusive", "histories", ""]);
        for case in &self.cases {
            table.add_row(case.columns());
        }
        let table: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        let restless: Vec<String> = self.cases.iter().filter_map(Stressed::text).collect();
        format!("{}\n{}", table.join("\n"), restless.concat())
    }

    /// The verdict in one line.
    pub fn verdict(&self) -> String {
        let flaky = self.cases.iter().filter(|case| case.repetition.flaky).count();
        let restless = self.cases.iter().filter(|case| case.outcome() == Outcome::Restless).count();
        let all = self.cases.len();
        format!(
            "{} under load: {flaky} flaky, {restless} with one verdict and several histories",
            count(all, "case")
        )
    }

    /// The page for a browser.
    pub fn page(&self) -> Result<String, ReportError> {
        let matrix = Matrix {
            title: "Cases under load",
            verdict: self.verdict(),
            facts: Vec::new(),
            class: class(self.exit),
            noun: "case",
            tables: vec![Section {
                name: "Cases".to_owned(),
                notes: Vec::new(),
                columns: COLUMNS,
                rows: self.cases.iter().map(Stressed::row).collect(),
            }],
        };
        matrix.render()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Steady,
    Restless,
    Flaky,
}

impl Stressed {
    fn outcome(&self) -> Outcome {
        match &self.repetition {
            Repetition { flaky: true, .. } => Outcome::Flaky,
            Repetition { histories, .. } if *histories > 1 => Outcome::Restless,
            _ => Outcome::Steady,
        }
    }

    fn word(&self) -> &'static str {
        match self.outcome() {
            Outcome::Steady => "steady",
            Outcome::Restless => "OTHER HISTORIES",
            Outcome::Flaky => "FLAKY",
        }
    }

    fn columns(&self) -> [String; 7] {
        let Repetition { name, runs, verdicts, histories, .. } = &self.repetition;
        let rate = |word| {
            let times = verdicts.get(word).copied().unwrap_or_default();
            format!("{times} ({:.0} %)", 100.0 * share(times, *runs))
        };
        let [passed, failed, inconclusive] = ["passed", "failed", "inconclusive"].map(rate);
        let outcome = self.word().to_owned();
        [name.clone(), runs.to_string(), passed, failed, inconclusive, histories.to_string(), outcome]
    }

    /// What the other groups did, and the command to see it again.
    fn lines(&self) -> Vec<String> {
        let others = self.repetition.groups.iter().filter_map(|group| {
            let runs: Vec<String> = group.runs.iter().map(u32::to_string).collect();
            let verdicts: Vec<&str> = group.verdicts.keys().copied().collect();
            let place = group.divergence.as_ref()?;
            Some(format!("{} in run {}: {place}", verdicts.join(" or "), runs.join(", ")))
        });
        others.chain(self.command.clone()).collect()
    }

    fn text(&self) -> Option<String> {
        let lines: Vec<String> = self.lines().into_iter().map(|line| format!("  {line}\n")).collect();
        let name = &self.repetition.name;
        (!lines.is_empty())
            .then(|| format!("\n{}  {name} (A: most runs, B: these)\n{}", self.word(), lines.concat()))
    }

    fn row(&self) -> Row {
        let looks = match self.outcome() {
            Outcome::Steady => "passed",
            Outcome::Restless => "inconclusive",
            Outcome::Flaky => "failed",
        };
        let columns = self.columns();
        let last = columns.len() - 1;
        let cells = columns.into_iter().enumerate().map(|(place, text)| {
            if place == last { Cell::marked(text, looks).with(self.lines()) } else { Cell::plain(text) }
        });
        Row { outcomes: vec![self.word()], cells: cells.collect() }
    }
}

/// How many runs did not do what most did: by their history, or by their verdict where that is rarer.
fn odd(repetition: &Repetition) -> usize {
    let rest = |most: Option<usize>| repetition.runs - most.unwrap_or_default().min(repetition.runs);
    let verdicts = rest(repetition.verdicts.values().copied().max());
    let known: usize = repetition.groups.iter().map(|group| group.runs.len()).sum();
    let histories = known - repetition.groups.first().map_or(0, |group| group.runs.len());
    if verdicts > 0 { verdicts } else { histories }
}

/// How often a case has to be run until something that happened in `odd` of `runs` is seen again; nothing
/// where it never happened.
fn times(odd: usize, runs: usize) -> Option<u32> {
    if odd == 0 {
        return None;
    }
    let missed = 1.0 - share(odd, runs);
    let enough = (2..TIMES_AT_MOST).find(|times| 1.0 - missed.powf(f64::from(*times)) >= SURE);
    Some(enough.unwrap_or(TIMES_AT_MOST))
}

fn share(part: usize, whole: usize) -> f64 {
    let number = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    number(part) / number(whole.max(1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::check::{Divergence, Place, Side, Turning};
    use crate::exit;
    use crate::report::repetition::Group;

    #[rstest]
    #[case::never(0, 20, None)]
    #[case::half_of_them(10, 20, Some(5))]
    #[case::one_of_ten(1, 10, Some(29))]
    #[case::nearly_always(9, 10, Some(2))]
    #[case::all_of_them(10, 10, Some(2))]
    #[case::one_of_very_many(1, 100_000, Some(1000))]
    fn a_rare_outcome_takes_more_runs_to_be_seen_again(
        #[case] odd: usize,
        #[case] runs: usize,
        #[case] expected: Option<u32>,
    ) {
        assert_eq!(times(odd, runs), expected);
    }

    fn side(value: &str) -> Side {
        Side { value: value.to_owned(), turning: Turning::Takes, at: None }
    }

    /// Ten runs, of which one failed in another way.
    fn flaky() -> Repetition {
        let verdicts = |all: &[(&'static str, usize)]| all.iter().copied().collect::<BTreeMap<_, _>>();
        let divergence = Divergence {
            object: "Job demo".to_owned(),
            place: Place::Field("spec.ttl".to_owned()),
            a: side("30"),
            b: side("5"),
            chance: None,
        };
        Repetition {
            name: "ttl/five".to_owned(),
            runs: 10,
            verdicts: verdicts(&[("failed", 1), ("passed", 9)]),
            histories: 2,
            groups: vec![
                Group { runs: (1..10).collect(), verdicts: verdicts(&[("passed", 9)]), divergence: None },
                Group { runs: vec![10], verdicts: verdicts(&[("failed", 1)]), divergence: Some(divergence) },
            ],
            flaky: true,
        }
    }

    fn steady() -> Repetition {
        let verdicts = BTreeMap::from([("passed", 10)]);
        let groups = vec![Group { runs: (1..11).collect(), verdicts: verdicts.clone(), divergence: None }];
        Repetition { name: "calm".to_owned(), runs: 10, verdicts, histories: 1, groups, flaky: false }
    }

    fn stress() -> Stress {
        let load = vec![LoadKind::Cpu, LoadKind::Disk];
        Stress::of(vec![steady(), flaky()], load, " --cluster local", exit::NON_CONFORMANT)
    }

    #[test]
    fn rates_the_first_difference_and_the_command_are_told() {
        let text = stress().text();
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = "\
case runs passed failed inconclusive histories
calm 10 10 (100 %) 0 (0 %) 0 (0 %) 1 steady
ttl/five 10 9 (90 %) 1 (10 %) 0 (0 %) 2 FLAKY

FLAKY ttl/five (A: most runs, B: these)
failed in run 10: Job demo, spec.ttl: 30 in A, 5 in B
hallmark stress --cluster local --name ttl/five --times 29 --load cpu,disk";
        assert_eq!(squeeze(&text), squeeze(expected), "{text}");
        assert_eq!(
            stress().verdict(),
            "2 cases under load: 1 flaky, 0 with one verdict and several histories"
        );
    }

    #[test]
    fn the_page_tells_the_same() {
        let page = stress().page().expect("renders");
        for told in ["ttl/five", "9 (90 %)", "Job demo, spec.ttl", "--times 29"] {
            assert!(page.contains(told), "{told}");
        }
    }

    #[test]
    fn other_histories_with_one_verdict_are_no_flake_but_told() {
        let restless = Repetition { verdicts: BTreeMap::from([("passed", 10)]), flaky: false, ..flaky() };
        let stress = Stress::of(vec![restless], Vec::new(), "", exit::CONFORMANT);
        assert_eq!(stress.cases[0].word(), "OTHER HISTORIES");
        assert!(stress.text().contains("hallmark stress --name ttl/five --times 29\n"), "{}", stress.text());
    }
}
