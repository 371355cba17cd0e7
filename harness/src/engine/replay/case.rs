//! Judging the recorded run of one case again.
//!
//! What a step did stands in the record and is taken as it is; what a claim says is judged anew. Claims of
//! the scenario are paired with those of the record between the same two actions. One that has a partner
//! is judged on the entries that its partner was judged on in the end, so that an unchanged suite gets the
//! verdicts of the run; one that is new is judged on everything up to the next action, and so is an `eventually`
//! that does not hold where its partner did. If it comes true after that action, but in its time, nobody knows what
//! a run would have said that had waited for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::check::bindings::{expand_assertion, refreshed};
use crate::check::{Failure, Judgement, broken, explain, judge, missed, trail};
use crate::event::Verdict;
use crate::record::{End, Entry, Observation};
use crate::scenario::PlannedCase;
use crate::scenario::assertion::{Assertion, Bindings, Operator};
use crate::scenario::step::{Action, Step};
use crate::yaml::{Location, Source};

/// A step as it was recorded.
#[derive(Debug)]
struct Recorded<'a> {
    summary: &'a str,
    digest: &'a str,
    assertion: bool,
    /// Sequence number of its beginning.
    started: usize,
    /// Absent if it never ended.
    finished: Option<Finished>,
}

/// The end of a recorded step.
#[derive(Debug, Clone, Copy)]
struct Finished {
    /// How many entries there were before.
    place: usize,
    /// How many of them a claim was judged on.
    judged: Option<usize>,
    /// Whether it did what was asked.
    ok: bool,
}

/// A case and what is known about its run.
pub(super) struct Replay<'a> {
    case: &'a PlannedCase,
    history: &'a [Arc<Entry>],
    steps: Vec<Recorded<'a>>,
    pub(super) namespace: &'a str,
    pub(super) end: Option<&'a End>,
    by_claims: bool,
    /// How many entries the run had when its verdict stood.
    length: usize,
}

impl<'a> Replay<'a> {
    pub(super) fn of(case: &'a PlannedCase, history: &'a [Arc<Entry>]) -> Self {
        let mut replay = Self {
            case,
            history,
            steps: Vec::new(),
            namespace: "",
            end: None,
            by_claims: false,
            length: history.len(),
        };
        for (place, entry) in history.iter().enumerate() {
            match &entry.observation {
                Observation::CaseStarted { namespace } => replay.namespace = namespace,
                Observation::CaseFinished { end, by_claims } => {
                    (replay.end, replay.by_claims, replay.length) = (Some(end), *by_claims, place);
                }
                Observation::StepStarted { summary, assertion, digest, .. } => replay.steps.push(Recorded {
                    summary,
                    digest,
                    assertion: *assertion,
                    started: place,
                    finished: None,
                }),
                Observation::StepFinished { ok, judged, .. } => {
                    let judged = judged.and_then(|length| usize::try_from(length).ok());
                    if let Some(step) = replay.steps.last_mut() {
                        step.finished = Some(Finished { place, judged, ok: *ok });
                    }
                }
                _ => {}
            }
        }
        replay
    }

    /// From the first entry to the verdict of the run.
    pub(super) fn elapsed(&self) -> Duration {
        let at = |place: usize| self.history.get(place).map(|entry| entry.at);
        match (at(0), at(self.length).or_else(|| at(self.length.saturating_sub(1)))) {
            (Some(first), Some(last)) => Duration::try_from(last.duration_since(first)).unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        let Some(end) = self.end else {
            return inconclusive("the record does not hold the end of the case");
        };
        // Nothing passes but by its claims, whatever the record says of that.
        if !self.by_claims && *end != End::Passed {
            return self.taken_over(end);
        }
        match self.judge() {
            Ok(()) => Verdict::Passed,
            Err(Verdict::Failed(failure)) => Verdict::Failed(self.with_broken_invariants(failure)),
            Err(verdict) => verdict,
        }
    }

    /// As the run itself does it.
    fn with_broken_invariants(&self, mut failure: Box<Failure>) -> Box<Failure> {
        let history = self.up_to(self.length);
        let bindings = refreshed(&self.bindings(history), history);
        let mut others = broken(self.case.invariants(), history, &bindings);
        others.retain(|other| failure.broken.iter().all(|known| known.id != other.id));
        failure.broken.extend(others);
        failure
    }

    /// The verdict of the run, which something else than its claims decided.
    fn taken_over(&self, end: &End) -> Verdict {
        match end {
            End::Passed => Verdict::Passed,
            End::Inconclusive { reason } => inconclusive(reason),
            End::Failed { claim, object, reason } => {
                let last = self.steps.len().checked_sub(1);
                let at = last.and_then(|last| self.steps_of_case().nth(last)).map_or_else(
                    || Location::start_of(&Source::new(&self.case.file, String::new())),
                    |step| step.location.clone(),
                );
                let (claim, object, reason) = (claim.clone(), object.clone(), reason.clone());
                let failure = Failure::refused(claim, object, reason, &at, trail(self.history));
                Verdict::Failed(self.with_broken_invariants(Box::new(failure)))
            }
        }
    }

    fn steps_of_case(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.case.steps.iter().chain(&self.case.expect)
    }

    fn judge(&self) -> Result<(), Verdict> {
        let recorded = gaps(self.steps.iter(), |step| step.assertion);
        let planned = gaps(self.steps_of_case(), |step| step.action.is_assertion());
        for (index, gap) in planned.iter().enumerate() {
            let Some(partner) = recorded.get(index) else {
                let action = gap.action.map_or("", |step| &step.summary);
                return Err(inconclusive(&format!("the run ended before `{action}`")));
            };
            if let (Some(now), Some(then)) = (gap.action, partner.action)
                && now.summary != then.summary
            {
                let changed = format!("`{}` was not recorded; a step that acts needs a new run", now.summary);
                return Err(inconclusive(&changed));
            }
            if let (Some(now), Some(then)) = (gap.action, partner.action)
                && !then.digest.is_empty()
                && now.digest != then.digest
            {
                let changed = format!("`{}` did something else in the run; it needs a new one", now.summary);
                return Err(inconclusive(&changed));
            }
            let last = index + 1 == recorded.len();
            let end =
                recorded.get(index + 1).and_then(|next| next.action).map_or(self.length, |step| step.started);
            let window = partner.action.map_or(0, |step| step.started);
            self.judge_gap(gap, partner, Bounds { window, end, last })?;
        }
        if recorded.len() > planned.len() {
            return Err(inconclusive("the run did more than the scenario says now; it needs a new run"));
        }
        Ok(())
    }

    /// Judges the claims between two actions.
    fn judge_gap(
        &self,
        planned: &Gap<'_, Step>,
        recorded: &Gap<'_, Recorded<'_>>,
        bounds: Bounds,
    ) -> Result<(), Verdict> {
        let failed_here = bounds.last && self.end != Some(&End::Passed);
        let in_expect = self.steps.len() > self.case.steps.len();
        let by_place = failed_here || planned.claims.len() == recorded.claims.len();
        let mut unused: Vec<&Recorded<'_>> = recorded.claims.clone();
        for (place, step) in planned.claims.iter().enumerate() {
            let Action::Assert(assertion) = &step.action else { continue };
            let partner = if by_place {
                recorded.claims.get(place).copied()
            } else {
                let found = unused.iter().position(|other| other.summary == step.summary);
                found.map(|found| unused.remove(found))
            };
            match partner {
                Some(Recorded { started, finished: Some(finished), .. }) => {
                    let length = finished.judged.unwrap_or(finished.place);
                    let waited = self.between(*started, finished.place);
                    let judged =
                        self.judge_claim(assertion, Span { started: *started, length, waited }, bounds);
                    // It held in the run, so it says something else by now, and nobody waited for that.
                    if finished.ok && waits(assertion) && matches!(judged, Err(Verdict::Failed(_))) {
                        self.judge_unawaited(assertion, *started, bounds)?;
                    } else {
                        judged?;
                    }
                }
                None if !failed_here && waits(assertion) => {
                    self.judge_unawaited(assertion, bounds.end, bounds)?;
                }
                // Claims over the whole history need no time of their own: they were all due at the end.
                None if !failed_here || (in_expect && !waits(assertion)) => {
                    let span = Span { started: bounds.end, length: bounds.end, waited: None };
                    self.judge_claim(assertion, span, bounds)?;
                }
                _ => {
                    return Err(inconclusive(&format!(
                        "the run ended before `{}` ({})",
                        step.summary, step.location
                    )));
                }
            }
        }
        Ok(())
    }

    /// Judges an `eventually` that the run did not wait for, on what was recorded until it went on.
    fn judge_unawaited(&self, assertion: &Assertion, started: usize, bounds: Bounds) -> Result<(), Verdict> {
        let waited = self.between(started, bounds.end);
        let judged = self.judge_claim(assertion, Span { started, length: bounds.end, waited }, bounds);
        let Operator::Eventually { within, .. } = &assertion.operator else { return judged };
        if !matches!(judged, Err(Verdict::Failed(_))) {
            return judged;
        }
        let in_time = |place: &usize| self.between(started, *place).is_some_and(|passed| passed <= *within);
        let length = (bounds.end..self.length).take_while(in_time).last().map_or(bounds.end, |last| last + 1);
        if self.judge_claim(assertion, Span { started, length, waited: None }, bounds).is_ok() {
            return Err(inconclusive(&format!(
                "a claim came true in its time, but after the run had gone on ({}); it needs a new run",
                assertion.location
            )));
        }
        judged
    }

    fn judge_claim(&self, assertion: &Assertion, span: Span, bounds: Bounds) -> Result<(), Verdict> {
        let (before, history) = (self.up_to(span.started), self.up_to(span.length));
        let bindings = refreshed(&self.bindings(before), before);
        let assertion =
            expand_assertion(assertion, &bindings).map_err(|problem| inconclusive(&problem.to_string()))?;
        let window = bounds.window as u64;
        let judged = judge(&assertion, history, window, &bindings);
        match judged {
            Judgement::Holds => Ok(()),
            Judgement::Inconclusive(reason) => Err(inconclusive(&reason)),
            Judgement::NotYet | Judgement::Impossible | Judgement::Violated => {
                if let Some(reason) = missed(&judged, &assertion, history, &bindings) {
                    return Err(inconclusive(&reason));
                }
                let waited = span.waited.filter(|_| waits(&assertion));
                Err(Verdict::Failed(Box::new(explain(&assertion, history, window, &bindings, waited))))
            }
        }
    }

    fn up_to(&self, length: usize) -> &'a [Arc<Entry>] {
        self.history.get(..length).unwrap_or(self.history)
    }

    fn between(&self, start: usize, end: usize) -> Option<Duration> {
        let at = |place: usize| self.history.get(place).map(|entry| entry.at);
        Duration::try_from(at(end)?.duration_since(at(start)?)).ok()
    }

    /// What names stand for after these entries, objects as they were first answered.
    fn bindings(&self, history: &[Arc<Entry>]) -> Bindings {
        let mut bindings = Bindings {
            namespace: self.namespace.to_owned(),
            case: self.case.case.clone(),
            objects: BTreeMap::new(),
            rendered: BTreeMap::new(),
        };
        for entry in history {
            match &entry.observation {
                Observation::Bound { alias, object } => {
                    bindings.objects.insert(alias.clone(), object.clone());
                }
                Observation::Rendered { alias, objects } => {
                    bindings.rendered.insert(alias.clone(), Arc::clone(objects));
                }
                _ => {}
            }
        }
        bindings
    }
}

/// Where the claims between two actions are judged.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Where the window of `eventually` begins.
    window: usize,
    /// How many entries there were when the next action began.
    end: usize,
    /// Whether the run came to no further action.
    last: bool,
}

/// What a claim is judged on.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// How many entries there were when it was reached.
    started: usize,
    /// How many there are to be judged.
    length: usize,
    /// How long it was waited for.
    waited: Option<Duration>,
}

/// An action and the claims that follow it; the first gap has no action.
struct Gap<'a, T> {
    action: Option<&'a T>,
    claims: Vec<&'a T>,
}

fn gaps<'a, T>(steps: impl Iterator<Item = &'a T>, is_claim: impl Fn(&T) -> bool) -> Vec<Gap<'a, T>> {
    let mut gaps = vec![Gap { action: None, claims: Vec::new() }];
    for step in steps {
        match gaps.last_mut() {
            Some(gap) if is_claim(step) => gap.claims.push(step),
            _ => gaps.push(Gap { action: Some(step), claims: Vec::new() }),
        }
    }
    gaps
}

/// Whether the claim has time to come true.
fn waits(assertion: &Assertion) -> bool {
    matches!(assertion.operator, Operator::Eventually { .. })
}

pub(super) fn inconclusive(reason: &str) -> Verdict {
    Verdict::Inconclusive { reason: reason.to_owned() }
}
