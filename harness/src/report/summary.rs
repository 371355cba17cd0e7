//! The verdict of a run.

use serde::Serialize;

use super::aggregate::{Aggregate, Outcome};
use super::profile::ProfileVerdict;
use super::repetition::Repetition;
use super::shortfall::Shortfall;
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

/// What a run says about the implementation, by the profile that decides: [`Aggregate::deciding_profile`].
///
/// It is the verdict, and the exit code is another thing: that says whether anything failed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Conformance {
    /// Every MUST that decides is met, and no filter left out a case.
    Conformant,
    /// A MUST that decides is not met.
    NonConformant,
    /// No MUST that decides failed, but a case of one told nothing, or the run did not come to its end.
    Inconclusive,
    /// No case ran.
    NothingRun,
    /// No MUST that decides failed, but not all of them were asked: a filter left out cases, or every case of
    /// one was skipped, or none proves it.
    NotDecided,
}

/// The result of a run in a few values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many cases ended how.
    pub counts: Counts,
    /// What that says about the implementation.
    pub conformance: Conformance,
    /// The MUSTs that decide and are not met, in the catalogue's order.
    pub not_met: Vec<String>,
    /// What else is not met.
    pub shortfalls: Vec<Shortfall>,
    /// The cases that were run more than once, in plan order.
    pub repetitions: Vec<Repetition>,
    /// The exit code, one of [`crate::exit`]: whether a case failed, whatever it was to prove.
    pub exit: u8,
}

impl Aggregate {
    /// The verdict, as if the run ended now.
    pub fn summary(&self) -> Summary {
        let mut counts = Counts::default();
        for case in self.cases() {
            counts.planned += 1;
            match case.outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Inconclusive(_) => counts.inconclusive += 1,
                Outcome::Skipped(_) => counts.skipped += 1,
                Outcome::Failed(_) => counts.failed += 1,
            }
        }
        let deciding = self.deciding_profile();
        let verdict = deciding.as_ref().map_or(ProfileVerdict::NotDecided, |profile| profile.verdict);
        Summary {
            counts,
            conformance: conformance(counts, self.cut_short(), verdict),
            not_met: deciding.map(|profile| profile.failed).unwrap_or_default(),
            shortfalls: self.shortfalls(),
            repetitions: self.repetitions(),
            exit: exit_code(counts, self.cut_short()),
        }
    }
}

fn conformance(counts: Counts, cut_short: bool, deciding: ProfileVerdict) -> Conformance {
    match deciding {
        ProfileVerdict::Failed => Conformance::NonConformant,
        _ if cut_short => Conformance::Inconclusive,
        _ if counts.planned == counts.skipped => Conformance::NothingRun,
        ProfileVerdict::Passed => Conformance::Conformant,
        ProfileVerdict::Inconclusive => Conformance::Inconclusive,
        ProfileVerdict::NotDecided | ProfileVerdict::Unclaimed => Conformance::NotDecided,
    }
}

fn exit_code(counts: Counts, cut_short: bool) -> u8 {
    if counts.failed > 0 {
        exit::NON_CONFORMANT
    } else if counts.inconclusive > 0 || cut_short {
        exit::INCONCLUSIVE
    } else if counts.passed == 0 {
        exit::NOTHING_RUN
    } else {
        exit::CONFORMANT
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::Conformance;
    use crate::event::{CORE, Event, Level, Verdict};
    use crate::exit;
    use crate::report::fixture::{Run, failed, inconclusive, passed, skipped};

    /// The catalogue has three MUSTs for three cases, and one for all of them.
    #[rstest]
    #[case::all_green(Run::of([passed(), passed(), passed()]), Conformance::Conformant, exit::CONFORMANT)]
    #[case::a_must_without_a_case(Run::of([passed(), passed()]), Conformance::NotDecided, exit::CONFORMANT)]
    #[case::a_must_that_was_skipped(Run::of([passed(), passed(), skipped()]), Conformance::NotDecided, exit::CONFORMANT)]
    #[case::failed(Run::of([passed(), failed(), passed()]), Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::inconclusive(Run::of([passed(), passed(), inconclusive()]), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::failed_and_inconclusive(Run::of([inconclusive(), failed(), inconclusive()]), Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::empty_selection(Run::of([]), Conformance::NothingRun, exit::NOTHING_RUN)]
    #[case::skipped_only(Run::of([skipped(), skipped()]), Conformance::NothingRun, exit::NOTHING_RUN)]
    #[case::filtered_green(Run::of([passed(), passed(), passed()]).filtered(), Conformance::NotDecided, exit::CONFORMANT)]
    #[case::filtered_red(Run::of([failed()]).filtered(), Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::filtered_empty(Run::of([]).filtered(), Conformance::NothingRun, exit::NOTHING_RUN)]
    #[case::interrupted_green(Run::of([passed(), passed(), passed()]).interrupted(), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::interrupted_before_a_case(Run::of([]).interrupted(), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::interrupted_red(Run::of([failed()]).interrupted(), Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::end_never_reported(Run::of([passed(), passed(), passed()]).without_end(), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    #[case::verdict_never_reported(Run::of([passed(), passed(), passed()]).without_verdict(1), Conformance::Inconclusive, exit::INCONCLUSIVE)]
    // Nobody knows what it was to prove, and yet it is not lost.
    #[case::failure_outside_the_plan(Run::of([passed(), failed()]).unplanned(1), Conformance::NotDecided, exit::NON_CONFORMANT)]
    fn the_worst_case_decides(#[case] run: Run, #[case] conformance: Conformance, #[case] code: u8) {
        let summary = run.aggregate().summary();
        assert_eq!((summary.conformance, summary.exit), (conformance, code));
        let counts = summary.counts;
        assert_eq!(counts.planned, counts.passed + counts.failed + counts.inconclusive + counts.skipped);
    }

    /// The third case alone proves `IMG-03`; all of them prove `TTL-01`, which is no MUST here.
    #[rstest]
    #[case::a_should(failed(), Level::Should, CORE, Conformance::Conformant, exit::NON_CONFORMANT)]
    #[case::a_may(failed(), Level::May, CORE, Conformance::Conformant, exit::NON_CONFORMANT)]
    #[case::a_must_of_a_feature(
        failed(),
        Level::Must,
        "limits",
        Conformance::Conformant,
        exit::NON_CONFORMANT
    )]
    #[case::a_must_of_core(failed(), Level::Must, CORE, Conformance::NonConformant, exit::NON_CONFORMANT)]
    #[case::trouble_with_a_should(
        inconclusive(),
        Level::Should,
        CORE,
        Conformance::Conformant,
        exit::INCONCLUSIVE
    )]
    #[case::a_should_that_was_skipped(
        skipped(),
        Level::Should,
        CORE,
        Conformance::Conformant,
        exit::CONFORMANT
    )]
    fn only_musts_of_core_decide_and_the_exit_code_tells_the_rest(
        #[case] third: Verdict,
        #[case] level: Level,
        #[case] feature: &str,
        #[case] conformance: Conformance,
        #[case] code: u8,
    ) {
        let run = Run::of([passed(), passed(), third])
            .leveled(&[("IMG-03", level, feature), ("TTL-01", Level::Should, CORE)]);
        let summary = run.summary();
        assert_eq!((summary.conformance, summary.exit), (conformance, code));
        let failed = code == exit::NON_CONFORMANT;
        assert_eq!(summary.shortfalls.is_empty(), !failed);
        assert_eq!(summary.not_met.is_empty(), conformance != Conformance::NonConformant);
    }

    #[test]
    fn a_must_is_proved_by_one_case_where_the_cluster_cannot_do_another() {
        // Every case names `TTL-01`, which is the only MUST here.
        let run = Run::of([passed(), skipped()]).leveled(&[
            ("IMG-01", Level::Should, CORE),
            ("IMG-02", Level::Should, CORE),
            ("IMG-03", Level::Should, CORE),
        ]);
        assert_eq!(run.summary().conformance, Conformance::Conformant);
    }

    #[test]
    fn all_musts_decide_where_the_catalogue_has_no_core() {
        let features = [("IMG-01", "a"), ("IMG-02", "a"), ("IMG-03", "b"), ("TTL-01", "b")];
        let features = features.map(|(id, feature)| (id, Level::Must, feature));
        let run = |verdict| Run::of([passed(), passed(), verdict]).leveled(&features).summary().conformance;
        assert_eq!(run(passed()), Conformance::Conformant);
        assert_eq!(run(failed()), Conformance::NonConformant);
        assert_eq!(run(skipped()), Conformance::NotDecided);
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
        assert_eq!(summary.not_met, ["IMG-01", "IMG-03", "TTL-01"]);
    }
}
