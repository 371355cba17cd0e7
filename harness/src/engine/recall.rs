//! What a run told its reporters, by its record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::replay::verdict_again;
use crate::check::{Failure, History, timeline, trail};
use crate::event::{CaseId, CaseInfo, CaseResult, Event, Verdict};
use crate::record::{End, Entry, Observation, Recording};
use crate::scenario::suite::Suite;
use crate::yaml::{Location, Source};

/// The events of a recorded run, for reporters. Nothing is judged anew where the record holds the verdict
/// with its explanation. Records of older versions hold the verdict alone: their cases are explained by the
/// claims of `suite`, if it is given and has them.
pub fn recall(recording: &Recording, suite: Option<&Suite>) -> Vec<Event> {
    let mut events = vec![Event::RunStarted(Box::new(recording.run.clone()))];
    let mut told = BTreeSet::new();
    let repeated = repeated(&recording.results);
    for result in &recording.results {
        told.insert(&result.id);
        let history = recording.cases.get(&result.id.to_string()).map_or(&[][..], Vec::as_slice);
        let compared = repeated.contains(&result.id.first()).then(|| Arc::new(History::of(history)));
        let (timeline, history) = (timeline(history), compared);
        events.push(finished(CaseResult { timeline, history, ..result.clone() }));
    }
    for case in recording.run.cases.iter().filter(|case| !told.contains(&case.id)) {
        if let Some(history) = recording.cases.get(&case.id.to_string()) {
            events.extend(reconstructed(case, history, suite).map(finished));
        }
    }
    let elapsed = recording.end.map_or(Duration::ZERO, |end| end.elapsed);
    events.push(Event::RunFinished { elapsed, interrupted: recording.is_interrupted() });
    events
}

/// The cases with several runs, whose histories are compared.
fn repeated(results: &[CaseResult]) -> BTreeSet<CaseId> {
    let mut seen = BTreeSet::new();
    results.iter().map(|result| result.id.first()).filter(|first| !seen.insert(first.clone())).collect()
}

fn finished(result: CaseResult) -> Event {
    Event::CaseFinished(Box::new(result))
}

/// The end of a case by its entries; none if it was cut short.
fn reconstructed(case: &CaseInfo, history: &[Arc<Entry>], suite: Option<&Suite>) -> Option<CaseResult> {
    let (end, at) = history.iter().find_map(|entry| match &entry.observation {
        Observation::CaseFinished { end, .. } => Some((end, entry.at)),
        _ => None,
    })?;
    let namespace = history.iter().find_map(|entry| match &entry.observation {
        Observation::CaseStarted { namespace } => Some(namespace.clone()),
        _ => None,
    });
    let first = case.id.first();
    let planned = suite.and_then(|suite| suite.cases().iter().find(|planned| planned.id == first));
    let again = planned.map(|planned| verdict_again(planned, history).0);
    let verdict = match (end, again) {
        (End::Passed, _) => Verdict::Passed,
        (End::Inconclusive { reason }, _) => Verdict::Inconclusive { reason: reason.clone() },
        // The same verdict with all that can be said about it.
        (End::Failed { claim, .. }, Some(Verdict::Failed(failure))) if failure.claim == *claim => {
            Verdict::Failed(failure)
        }
        (End::Failed { claim, object, reason }, _) => {
            let at = Location::start_of(&Source::new(&case.file, String::new()));
            let (claim, object, reason) = (claim.clone(), object.clone(), reason.clone());
            Verdict::Failed(Box::new(Failure::refused(claim, object, reason, &at, trail(history))))
        }
    };
    let elapsed = history.first().map(|first| at.duration_since(first.at));
    Some(CaseResult {
        id: case.id.clone(),
        verdict,
        elapsed: elapsed.and_then(|elapsed| Duration::try_from(elapsed).ok()).unwrap_or_default(),
        namespace: namespace.unwrap_or_default(),
        timeline: timeline(history),
        history: None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::report::{Aggregate, Format, fixture};

    fn info(name: &str) -> CaseInfo {
        CaseInfo {
            id: CaseId { scenario: name.to_owned(), case: String::new() },
            area: "a".to_owned(),
            file: format!("{name}.yaml"),
            summary: String::new(),
            requirements: vec!["IMG-01".to_owned()],
            invariants: Vec::new(),
            goldens: Vec::new(),
            declined: false,
        }
    }

    fn history(end: End) -> Vec<Arc<Entry>> {
        let observations = [
            Observation::CaseStarted { namespace: "ns".to_owned() },
            Observation::StepStarted {
                index: 0,
                summary: "act".to_owned(),
                assertion: false,
                digest: String::new(),
            },
            Observation::CaseFinished { end, by_claims: false },
        ];
        (0..)
            .zip(observations)
            .map(|(sequence, observation)| {
                let at = Timestamp::from_millisecond(i64::try_from(sequence).unwrap() * 500).unwrap();
                Arc::new(Entry { sequence, at, observation })
            })
            .collect()
    }

    fn recording() -> Recording {
        let end = End::Failed { claim: "the claim".into(), object: "it".into(), reason: "no".into() };
        Recording {
            run: fixture::info(["one", "two", "three"].map(info).into(), false),
            cases: BTreeMap::from([
                ("one".to_owned(), history(End::Passed)),
                ("two".to_owned(), history(end)),
            ]),
            results: Vec::new(),
            end: None,
        }
    }

    fn told(recording: &Recording) -> Aggregate {
        let mut run = Aggregate::default();
        for event in recall(recording, None) {
            run.apply(&event);
        }
        run
    }

    fn verdicts(run: &Aggregate) -> Vec<&'static str> {
        run.cases().map(|case| case.outcome.word()).collect()
    }

    #[test]
    fn the_reports_of_a_record_are_those_of_its_run() {
        let result = |name: &str, verdict| CaseResult {
            id: info(name).id,
            verdict,
            elapsed: Duration::from_secs(1),
            namespace: "ns".to_owned(),
            timeline: Vec::new(),
            history: None,
        };
        let results = vec![
            result("two", fixture::failed()),
            result("one", Verdict::Passed),
            result("three", Verdict::Skipped { reason: "needs a node".to_owned() }),
        ];
        let end = crate::event::RunEnd { elapsed: Duration::from_secs(7), interrupted: false };
        let recording = Recording { results: results.clone(), end: Some(end), ..recording() };
        let mut live = Aggregate::default();
        live.apply(&Event::RunStarted(Box::new(recording.run.clone())));
        for result in results {
            let history = recording.cases.get(&result.id.to_string());
            let timeline = history.map_or_else(Vec::new, |history| timeline(history));
            live.apply(&Event::CaseFinished(Box::new(CaseResult { timeline, ..result })));
        }
        live.apply(&Event::RunFinished { elapsed: end.elapsed, interrupted: false });
        let now = Timestamp::UNIX_EPOCH;
        for format in Format::ALL {
            let again = format.render(&told(&recording), now).unwrap();
            assert_eq!(again, format.render(&live, now).unwrap(), "{format:?}");
        }
        assert!(Format::Html.render(&live, now).unwrap().contains("step 1 began"), "the timeline is there");
    }

    #[test]
    fn a_record_of_an_older_version_tells_the_verdicts_alone() {
        let run = told(&recording());
        assert_eq!(verdicts(&run), ["passed", "failed", "inconclusive"]);
        assert_eq!(run.cases().next().unwrap().elapsed, Duration::from_secs(1));
        assert!(!run.cut_short());
    }

    #[test]
    fn a_run_that_was_killed_is_told_as_cut_short() {
        let result = CaseResult {
            id: info("one").id,
            verdict: Verdict::Passed,
            elapsed: Duration::ZERO,
            namespace: String::new(),
            timeline: Vec::new(),
            history: None,
        };
        let mut recording = Recording { results: vec![result], ..recording() };
        recording.cases.remove("two");
        let run = told(&recording);
        assert_eq!(verdicts(&run), ["passed", "inconclusive", "inconclusive"]);
        assert!(run.cut_short());
    }
}
