//! The state of a run, folded from its events.
//!
//! Pure: no clock, no files, no output.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::beside::Beside;
use crate::check::{Failure, History, Moment};
use crate::event::{CaseId, CaseInfo, CaseResult, Event, NOT_STARTED, RunInfo, Verdict};

const NO_VERDICT: &str = "the run ended before this case had a verdict";

/// Everything that events have told so far.
#[derive(Debug, Default)]
pub struct Aggregate {
    info: Option<RunInfo>,
    nothing: Option<Nothing>,
    results: BTreeMap<CaseId, CaseResult>,
    unplanned: Vec<CaseInfo>,
    running: BTreeSet<CaseId>,
    notes: Vec<String>,
    end: Option<End>,
    beside: Beside,
}

/// A run without any case to be run.
#[derive(Debug)]
struct Nothing {
    cases: Vec<CaseInfo>,
    filtered: bool,
}

#[derive(Debug, Clone, Copy)]
struct End {
    elapsed: Duration,
    interrupted: bool,
}

/// A case and how it ended.
#[derive(Debug, Clone, Copy)]
pub struct CaseView<'a> {
    /// The case as it was planned.
    pub info: &'a CaseInfo,
    /// How it ended.
    pub outcome: Outcome<'a>,
    /// From its first step to its verdict; zero without one.
    pub elapsed: Duration,
    /// Its namespace; empty if it had none.
    pub namespace: &'a str,
    /// What was recorded, in words.
    pub timeline: &'a [Moment],
    /// What happened to its objects, where it is one of several runs of the case.
    pub history: Option<&'a History>,
}

/// How a case ended.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// Every claim held.
    Passed,
    /// A claim did not hold.
    Failed(&'a Failure),
    /// Nothing is known, for this reason; also what every case is that has no verdict when the run ends.
    Inconclusive(&'a str),
    /// It was not run, for this reason.
    Skipped(&'a str),
}

impl Outcome<'_> {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Inconclusive(_) => "inconclusive",
            Self::Skipped(_) => "skipped",
        }
    }
}

impl Aggregate {
    /// Takes in one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::RunStarted(info) => self.info = Some((**info).clone()),
            Event::NothingToRun { cases, filtered } => {
                self.nothing = Some(Nothing { cases: cases.clone(), filtered: *filtered });
            }
            Event::CaseStarted { case } => {
                self.running.insert(case.clone());
            }
            Event::CaseFinished(result) => self.finish_case(result),
            Event::Note { message } | Event::Trouble { message } => self.notes.push(message.clone()),
            Event::RunFinished { elapsed, interrupted } => {
                self.end = Some(End { elapsed: *elapsed, interrupted: *interrupted });
            }
            Event::Progress { .. } | Event::ProgressDone { .. } => {}
        }
    }

    fn finish_case(&mut self, result: &CaseResult) {
        self.running.remove(&result.id);
        let planned = self.planned().any(|case| case.id == result.id);
        let known = planned || self.unplanned.iter().any(|case| case.id == result.id);
        if !known {
            // A verdict must never be lost, not even one that nobody planned.
            self.unplanned.push(CaseInfo {
                id: result.id.clone(),
                area: "unplanned".to_owned(),
                file: String::new(),
                summary: String::new(),
                requirements: Vec::new(),
                invariants: Vec::new(),
                goldens: Vec::new(),
                declined: false,
            });
        }
        // Should a case report twice, a failure stays.
        if !matches!(self.results.get(&result.id), Some(CaseResult { verdict: Verdict::Failed(_), .. })) {
            self.results.insert(result.id.clone(), result.clone());
        }
    }

    /// The same, beside what other commands found out earlier.
    #[must_use]
    pub fn with(self, beside: Beside) -> Self {
        Self { beside, ..self }
    }

    /// What other commands found out earlier.
    pub(super) fn beside(&self) -> &Beside {
        &self.beside
    }

    /// What the run is about, once it is known.
    pub fn info(&self) -> Option<&RunInfo> {
        self.info.as_ref()
    }

    /// What was noted, in order.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The cases that run right now.
    pub fn running(&self) -> impl Iterator<Item = &CaseId> {
        self.running.iter()
    }

    /// Wall time of the run; zero while it lasts.
    pub fn elapsed(&self) -> Duration {
        self.end.map_or(Duration::ZERO, |end| end.elapsed)
    }

    /// Whether the run did not come to its end: it never got to its cases, it was interrupted, or its end
    /// was never reported.
    pub fn cut_short(&self) -> bool {
        let begun = self.info.is_some() || self.nothing.is_some();
        !begun || self.end.is_none_or(|end| end.interrupted)
    }

    /// Whether filters left out cases.
    pub fn filtered(&self) -> bool {
        let info = self.info.as_ref().map(|info| info.filtered);
        info.or(self.nothing.as_ref().map(|nothing| nothing.filtered)).unwrap_or_default()
    }

    /// Whether the run ended at its first failure, with cases that had not begun. It knows less than it looks.
    pub fn ended_at_failure(&self) -> bool {
        self.cases().any(|case| matches!(case.outcome, Outcome::Skipped(NOT_STARTED)))
    }

    /// The selected cases in plan order.
    fn planned(&self) -> impl Iterator<Item = &CaseInfo> {
        let nothing = self.nothing.iter().flat_map(|nothing| &nothing.cases);
        self.info.iter().flat_map(|info| &info.cases).chain(nothing)
    }

    /// Whether the case has a verdict by now.
    pub fn finished(&self, case: &CaseId) -> bool {
        self.results.contains_key(case)
    }

    /// Every case in plan order, as if the run ended now.
    pub fn cases(&self) -> impl Iterator<Item = CaseView<'_>> {
        self.planned().chain(&self.unplanned).map(|info| self.view(info))
    }

    /// The case, as if the run ended now.
    pub fn case(&self, id: &CaseId) -> Option<CaseView<'_>> {
        self.cases().find(|case| case.info.id == *id)
    }

    fn view<'a>(&'a self, info: &'a CaseInfo) -> CaseView<'a> {
        match self.results.get(&info.id) {
            None => CaseView {
                info,
                outcome: Outcome::Inconclusive(NO_VERDICT),
                elapsed: Duration::ZERO,
                namespace: "",
                timeline: &[],
                history: None,
            },
            Some(result) => CaseView {
                info,
                outcome: match &result.verdict {
                    Verdict::Passed => Outcome::Passed,
                    Verdict::Failed(failure) => Outcome::Failed(failure),
                    Verdict::Inconclusive { reason } => Outcome::Inconclusive(reason),
                    Verdict::Skipped { reason } => Outcome::Skipped(reason),
                },
                elapsed: result.elapsed,
                namespace: &result.namespace,
                timeline: &result.timeline,
                history: result.history.as_deref(),
            },
        }
    }
}
