//! Judging a stored record again, without a cluster.
//!
//! What a step did stands in the record and is taken as it is; what a claim says is judged anew. Claims of
//! the scenario are paired with those of the record between the same two actions. One that has a partner
//! is judged on the entries that its partner was judged on in the end, so that an unchanged suite gets the
//! verdicts of the run; one that is new is judged on everything up to the next action, and so is an `eventually`
//! that does not hold where its partner did. If it comes true after that action, but in its time, nobody knows what
//! a run would have said that had waited for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::parallel::in_parallel;
use crate::check::bindings::{expand_assertion, refreshed};
use crate::check::{Failure, History, Judgement, broken, explain, judge, missed, timeline, trail};
use crate::count::{agree, count};
use crate::event::{CaseId, CaseInfo, CaseResult, Event, EventSink, RunInfo, Verdict, repetition};
use crate::record::{End, Entry, Observation, Recording};
use crate::scenario::assertion::{Assertion, Bindings, Operator};
use crate::scenario::step::{Action, Step};
use crate::scenario::suite::Suite;
use crate::scenario::{Filter, PlannedCase, golden};
use crate::yaml::{Location, Source};

/// Judges every selected case of the suite that the record holds; verdicts go to `events`, with a note for
/// each that is not that of the run. A case of the run that left no entries keeps what the run said of it, and a
/// run that did not come to its end has none here either.
pub fn replay(suite: &Suite, filter: &Filter, recording: &Recording, events: &EventSink) {
    let begin = std::time::Instant::now();
    let unchanged = suite.digest() == recording.run.suite_digest;
    let selected: Vec<PlannedCase> = filter
        .select(suite.cases())
        .into_iter()
        .map(|case| if unchanged { as_judged(case, &recording.run.cases) } else { case.clone() })
        .collect();
    let runs = runs(recording);
    let recorded: Vec<(&PlannedCase, CaseId, &[Arc<Entry>])> = selected
        .iter()
        .flat_map(|case| {
            let runs = runs.get(case.id.to_string().as_str()).into_iter().flatten();
            runs.map(move |(number, history)| (case, case.id.repeated(*number), *history))
        })
        .collect();
    let without_entries = without_entries(&selected, recording);
    let is_known = |case: &&PlannedCase| {
        runs.contains_key(case.id.to_string().as_str())
            || without_entries.iter().any(|(info, _)| info.id.first() == case.id)
    };
    let known = selected.iter().filter(is_known).count();
    let infos = recorded.iter().map(|(case, id, _)| CaseInfo { id: id.clone(), ..case.info() });
    events.send(Event::RunStarted(Box::new(RunInfo {
        suite: suite.name().to_owned(),
        suite_digest: suite.digest().to_owned(),
        goldens: golden::texts(recorded.iter().map(|(case, ..)| *case)),
        requirements: suite.requirements().to_vec(),
        cases: infos.chain(without_entries.iter().map(|(info, _)| (*info).clone())).collect(),
        // Nobody has run what the suite says now, or all of what it says.
        filtered: recording.run.filtered
            || !unchanged
            || selected.len() < suite.cases().len()
            // Nor do its cases tell what the implementation declined.
            || recording.run.cases.iter().any(|case| case.declined),
        replayed: true,
        ..recording.run.clone()
    })));
    if !unchanged {
        events.note("the suite has changed since the run; steps that act are taken as they were");
    }
    if known < selected.len() {
        let unknown = selected.len() - known;
        let are = agree(&unknown, "is", "are");
        events.note(format!("{} {are} not in the record", count(unknown, "selected case")));
    }
    let repeated: BTreeSet<CaseId> =
        recorded.iter().filter(|(_, id, _)| *id != id.first()).map(|(_, id, _)| id.first()).collect();
    let replays: Vec<Replay<'_>> =
        recorded.iter().map(|(case, _, history)| Replay::of(case, history)).collect();
    let verdicts = in_parallel(&replays, Replay::verdict);
    for (((_, id, history), replayed), verdict) in recorded.into_iter().zip(&replays).zip(verdicts) {
        if let (Some(then), now) = (replayed.end.map(End::word), word(&verdict))
            && then != now
        {
            events.note(format!("{id}: {then} in the run, {now} now"));
        }
        let history_of = || Arc::new(History::of(history));
        events.send(Event::CaseFinished(Box::new(CaseResult {
            history: repeated.contains(&id.first()).then(history_of),
            id,
            verdict,
            elapsed: replayed.elapsed(),
            namespace: replayed.namespace.to_owned(),
            timeline: timeline(history),
        })));
    }
    for (_, result) in without_entries {
        events.send(Event::CaseFinished(Box::new(result)));
    }
    let interrupted = recording.is_interrupted();
    events.send(Event::RunFinished { elapsed: begin.elapsed(), interrupted });
}

/// The case with those standing invariants that the run judged it on: what the implementation does not claim, or the
/// cluster could not show, was no matter of it.
fn as_judged(case: &PlannedCase, cases: &[CaseInfo]) -> PlannedCase {
    let mut judged = case.clone();
    if let Some(info) = cases.iter().find(|info| info.id.first() == case.id.first()) {
        judged.retain_invariants(|invariant| {
            invariant.standing.as_ref().is_some_and(|standing| info.invariants.contains(&standing.id))
        });
    }
    judged
}

/// What the run said of selected cases that left no entries: they were skipped, could not begin, or their turn never
/// came. Records of older versions do not tell these from each other.
fn without_entries<'a>(
    selected: &[PlannedCase],
    recording: &'a Recording,
) -> Vec<(&'a CaseInfo, CaseResult)> {
    if recording.results.is_empty() {
        return Vec::new();
    }
    let selected: BTreeSet<CaseId> = selected.iter().map(|case| case.id.first()).collect();
    let cases = recording.run.cases.iter();
    cases
        .filter(|info| selected.contains(&info.id.first()))
        .filter(|info| !recording.cases.contains_key(&info.id.to_string()))
        .map(|info| {
            let told = recording.results.iter().find(|result| result.id == info.id);
            let unknown = || CaseResult {
                id: info.id.clone(),
                verdict: inconclusive("the run ended before the case began"),
                elapsed: Duration::ZERO,
                namespace: String::new(),
                timeline: Vec::new(),
                history: None,
            };
            (info, told.cloned().unwrap_or_else(unknown))
        })
        .collect()
}

/// The verdict of one recorded run of a case by its present claims, and how long it took.
pub(super) fn verdict_again(case: &PlannedCase, history: &[Arc<Entry>]) -> (Verdict, Duration) {
    let replay = Replay::of(case, history);
    (replay.verdict(), replay.elapsed())
}

/// The number of a run of a case, and its history.
type Numbered<'a> = (u32, &'a [Arc<Entry>]);

/// The recorded runs of each case, by its name, with their numbers and in their order.
fn runs(recording: &Recording) -> BTreeMap<&str, Vec<Numbered<'_>>> {
    let mut runs: BTreeMap<&str, Vec<Numbered<'_>>> = BTreeMap::new();
    for (name, history) in &recording.cases {
        let (first, number) = repetition(name);
        runs.entry(first).or_default().push((number, history.as_slice()));
    }
    for of_case in runs.values_mut() {
        of_case.sort_by_key(|(number, _)| *number);
    }
    runs
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed(_) => "failed",
        Verdict::Inconclusive { .. } => "inconclusive",
        Verdict::Skipped { .. } => "skipped",
    }
}

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
struct Replay<'a> {
    case: &'a PlannedCase,
    history: &'a [Arc<Entry>],
    steps: Vec<Recorded<'a>>,
    namespace: &'a str,
    end: Option<&'a End>,
    by_claims: bool,
    /// How many entries the run had when its verdict stood.
    length: usize,
}

impl<'a> Replay<'a> {
    fn of(case: &'a PlannedCase, history: &'a [Arc<Entry>]) -> Self {
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
    fn elapsed(&self) -> Duration {
        let at = |place: usize| self.history.get(place).map(|entry| entry.at);
        match (at(0), at(self.length).or_else(|| at(self.length.saturating_sub(1)))) {
            (Some(first), Some(last)) => Duration::try_from(last.duration_since(first)).unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    fn verdict(&self) -> Verdict {
        let Some(end) = self.end else {
            return inconclusive("the record does not hold the end of the case");
        };
        if !self.by_claims {
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

fn inconclusive(reason: &str) -> Verdict {
    Verdict::Inconclusive { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
