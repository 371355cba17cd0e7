//! The verdict of a run.

use serde::Serialize;

use super::aggregate::{Aggregate, Outcome};
use super::repetition::Repetition;
use crate::exit;

/// How many cases ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All selected cases.
    pub planned: usize,
    /// Every claim held.
    pub passed: usize,
    /// A claim did not hold.
    pub failed: usize,
    /// Nothing is known.
    pub inconclusive: usize,
    /// Not run.
    pub skipped: usize,
}

/// What a run says about the implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Conformance {
    /// Every case of the suite that ran passed, none was left out by a filter, and the implementation
    /// declined no MUST of `core`.
    Conformant,
    /// A case failed.
    NonConformant,
    /// No case failed, but nothing is known about at least one of them.
    Inconclusive,
    /// No case ran.
    NothingRun,
    /// Every case that ran passed, but a filter left out others, or the implementation declined them.
    NotDecided,
}

impl Conformance {
    /// The exit code that tells it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Conformant | Self::NotDecided => exit::CONFORMANT,
            Self::NonConformant => exit::NON_CONFORMANT,
            Self::Inconclusive => exit::INCONCLUSIVE,
            Self::NothingRun => exit::NOTHING_RUN,
        }
    }
}

/// The result of a run in a few values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many cases ended how.
    pub counts: Counts,
    /// What that says about the implementation.
    pub conformance: Conformance,
    /// For each failed case its requirements or, if it names none, its own name, and the standing invariants
    /// that it broke; each once, in plan order.
    pub failed: Vec<String>,
    /// The cases that were run more than once, in plan order.
    pub repetitions: Vec<Repetition>,
    /// The exit code, one of [`crate::exit`].
    pub exit: u8,
}

impl Aggregate {
    /// The verdict, as if the run ended now.
    pub fn summary(&self) -> Summary {
        let mut counts = Counts::default();
        let mut failed: Vec<String> = Vec::new();
        for case in self.cases() {
            counts.planned += 1;
            match case.outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Inconclusive(_) => counts.inconclusive += 1,
                Outcome::Skipped(_) => counts.skipped += 1,
                Outcome::Failed(failure) => {
                    counts.failed += 1;
                    let own_name = [case.info.id.to_string()];
                    let broken: &[String] =
                        if case.info.requirements.is_empty() { &own_name } else { &case.info.requirements };
                    for name in broken.iter().chain(failure.broken.iter().map(|broken| &broken.id)) {
                        if !failed.contains(name) {
                            failed.push(name.clone());
                        }
                    }
                }
            }
        }
        let partial = self.filtered() || !self.declined_musts().is_empty();
        let conformance = conformance(counts, self.cut_short(), partial);
        let repetitions = self.repetitions();
        Summary { counts, conformance, failed, repetitions, exit: conformance.exit_code() }
    }
}

fn conformance(counts: Counts, cut_short: bool, partial: bool) -> Conformance {
    if counts.failed > 0 {
        Conformance::NonConformant
    } else if counts.inconclusive > 0 || cut_short {
        Conformance::Inconclusive
    } else if counts.passed == 0 {
        Conformance::NothingRun
    } else if partial {
        Conformance::NotDecided
    } else {
        Conformance::Conformant
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::Conformance;
    use crate::event::Event;
    use crate::exit;
    use crate::report::fixture::{Run, failed, inconclusive, passed, skipped};

    #[rstest]
    #[case::all_green(Run::of([passed(), passed()]), Conformance::Conformant, exit::CONFORMANT)]
    #[case::green_and_skipped(Run::of([passed(), skipped()]), Conformance::Conformant, exit::CONFORMANT)]
    #[case::failed(Run::of([passed(), failed()]), Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::inconclusive(Run::of([passed(), inconclusive()]), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::failed_and_inconclusive(Run::of([inconclusive(), failed(), inconclusive()]), Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::empty_selection(Run::of([]), Conformance::NothingRun, exit::NOTHING_RUN)]
    #[case::skipped_only(Run::of([skipped(), skipped()]), Conformance::NothingRun, exit::NOTHING_RUN)]
    #[case::filtered_green(Run::of([passed()]).filtered(), Conformance::NotDecided, exit::CONFORMANT)]
    #[case::filtered_red(Run::of([failed()]).filtered(), Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::filtered_empty(Run::of([]).filtered(), Conformance::NothingRun, exit::NOTHING_RUN)]
    #[case::interrupted_green(Run::of([passed()]).interrupted(), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::interrupted_before_a_case(Run::of([]).interrupted(), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::interrupted_red(Run::of([failed()]).interrupted(), Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::end_never_reported(Run::of([passed()]).without_end(), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::verdict_never_reported(Run::of([passed(), passed()]).without_verdict(1), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::failure_outside_the_plan(Run::of([passed(), failed()]).unplanned(1), Conformance::NonConformant, exit::NON_CONFORMANT)]
    fn the_worst_case_decides(#[case] run: Run, #[case] conformance: Conformance, #[case] code: u8) {
        let summary = run.aggregate().summary();
        assert_eq!((summary.conformance, summary.exit), (conformance, code));
        let counts = summary.counts;
        assert_eq!(counts.planned, counts.passed + counts.failed + counts.inconclusive + counts.skipped);
    }

    #[test]
    fn nothing_at_all_is_inconclusive() {
        assert_eq!(super::Aggregate::default().summary().exit, exit::INCONCLUSIVE);
    }

    #[test]
    fn an_empty_selection_is_no_trouble() {
        let mut run = super::Aggregate::default();
        run.apply(&Event::NothingToRun { cases: Vec::new(), filtered: true });
        assert_eq!(run.summary().exit, exit::INCONCLUSIVE, "its end may still fail");
        run.apply(&Event::RunFinished { elapsed: Duration::from_secs(1), interrupted: false });
        assert_eq!(run.summary().exit, exit::NOTHING_RUN);
    }

    #[test]
    fn an_end_without_a_beginning_is_inconclusive() {
        let mut run = super::Aggregate::default();
        run.apply(&Event::RunFinished { elapsed: Duration::from_secs(1), interrupted: false });
        assert_eq!(run.summary().exit, exit::INCONCLUSIVE);
    }

    #[test]
    fn a_second_verdict_does_not_hide_a_failure() {
        let mut run = Run::of([failed()]).aggregate();
        run.apply(&Run::of([passed()]).events()[2]);
        assert_eq!(run.summary().exit, exit::NON_CONFORMANT);
    }

    #[test]
    fn each_broken_requirement_is_named_once() {
        let summary = Run::of([failed(), passed(), failed()]).aggregate().summary();
        assert_eq!(summary.failed, ["IMG-01", "TTL-01", "IMG-03"]);
    }
}
