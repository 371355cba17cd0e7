//! Judging a stored record again, without a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::case::{Replay, inconclusive};
use super::parallel::in_parallel;
use crate::check::{History, timeline};
use crate::count::{agree, count};
use crate::event::{CaseId, CaseInfo, CaseResult, Event, EventSink, RunInfo, Verdict, repetition};
use crate::record::{End, Entry, Recording};
use crate::scenario::suite::Suite;
use crate::scenario::{Filter, PlannedCase, golden};

mod case;

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
                verdict: inconclusive("the record holds nothing of the case"),
                elapsed: Duration::ZERO,
                namespace: String::new(),
                timeline: Vec::new(),
                history: None,
            };
            // Whatever passes or fails leaves entries, by which that can be judged again.
            let told = told.filter(|result| !matches!(result.verdict, Verdict::Passed | Verdict::Failed(_)));
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

#[cfg(test)]
mod tests;
