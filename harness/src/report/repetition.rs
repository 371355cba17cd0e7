//! Cases that were run several times: did they always come to the same?

use std::collections::BTreeMap;

use serde::Serialize;

use super::aggregate::Aggregate;
use crate::check::{Divergence, History, Rules};
use crate::event::{CaseId, repetition};

/// What the runs of one case came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repetition {
    /// The case.
    pub name: String,
    /// How often it was run.
    pub runs: usize,
    /// How many runs ended how.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// How many different histories there were.
    pub histories: usize,
    /// The runs by their history, that of most runs first.
    pub groups: Vec<Group>,
    /// Whether not all runs had the same verdict.
    pub flaky: bool,
}

/// The runs of a case with the same history, by [`History`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Their numbers, from 1.
    pub runs: Vec<u32>,
    /// How many of them ended how.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// Where their history parts first from that of the first group; absent in the first group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
}

/// A group while runs come in, with the history of its first run.
type Growing<'a> = (&'a History, Group);

impl Aggregate {
    /// The cases that were run more than once, in plan order.
    pub fn repetitions(&self) -> Vec<Repetition> {
        let mut order: Vec<CaseId> = Vec::new();
        let mut found: BTreeMap<CaseId, (BTreeMap<&'static str, usize>, Vec<Growing<'_>>)> = BTreeMap::new();
        for case in self.cases() {
            let first = case.info.id.first();
            let (verdicts, groups) = found.entry(first.clone()).or_insert_with(|| {
                order.push(first);
                Default::default()
            });
            let word = case.outcome.word();
            *verdicts.entry(word).or_default() += 1;
            if let Some(history) = case.history {
                join(groups, history, repetition(&case.info.id.case).1, word);
            }
        }
        let repeated = order.into_iter().filter_map(|id| {
            let (verdicts, groups) = found.remove(&id)?;
            let runs = verdicts.values().sum();
            let (histories, flaky) = (groups.len(), verdicts.len() > 1);
            let name = id.to_string();
            (runs > 1).then(|| Repetition { name, runs, verdicts, histories, groups: told(groups), flaky })
        });
        repeated.collect()
    }
}

impl Repetition {
    /// Where the first run of another history parts from that of most runs.
    pub fn divergence(&self) -> Option<&Divergence> {
        self.groups.iter().find_map(|group| group.divergence.as_ref())
    }
}

fn join<'a>(groups: &mut Vec<Growing<'a>>, history: &'a History, run: u32, verdict: &'static str) {
    let found = groups.iter().position(|(other, _)| parting(other, history).is_none());
    let place = found.unwrap_or_else(|| {
        groups.push((history, Group { runs: Vec::new(), verdicts: BTreeMap::new(), divergence: None }));
        groups.len() - 1
    });
    if let Some((_, group)) = groups.get_mut(place) {
        group.runs.push(run);
        *group.verdicts.entry(verdict).or_default() += 1;
    }
}

fn told(mut groups: Vec<Growing<'_>>) -> Vec<Group> {
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.runs.len()));
    let most = groups.first().map(|(history, _)| *history);
    let told = groups.into_iter().map(|(history, group)| {
        let divergence = most.and_then(|most| parting(most, history));
        Group { divergence, ..group }
    });
    told.collect()
}

/// The first place at which histories part and chance is no reason.
fn parting(one: &History, other: &History) -> Option<Divergence> {
    one.divergences(other, &Rules::default()).into_iter().find(|divergence| divergence.chance.is_none())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::event::{CaseResult, Event, Verdict};
    use crate::record::{Change, Entry, ObjectVersion, Observation};
    use crate::report::fixture::{failed, info, passed};

    /// The history of a case whose run ends in this phase, long before its end.
    fn history(phase: &str) -> Arc<History> {
        let version = Observation::Object(ObjectVersion {
            change: Change::Added,
            api_version: "v1".to_owned(),
            kind: "Run".to_owned(),
            namespace: "namespace-1".to_owned(),
            name: "demo".to_owned(),
            uid: "uid-1".to_owned(),
            resource_version: 1,
            object: Arc::new(json!({"kind": "Run", "status": {"phase": phase}})),
        });
        let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        let entries = [
            Arc::new(Entry { sequence: 0, at: at(0), observation: version }),
            Arc::new(Entry { sequence: 1, at: at(9), observation: Observation::RequestMark }),
        ];
        Arc::new(History::of(&entries))
    }

    /// A run of cases by scenario and number, each with its verdict and the phase of its history.
    fn run(cases: &[(&str, u32, Verdict, &str)]) -> Aggregate {
        let mut aggregate = Aggregate::default();
        aggregate.apply(&Event::RunStarted(Box::new(info(Vec::new(), false))));
        for (scenario, number, verdict, phase) in cases {
            let id = CaseId { scenario: (*scenario).to_owned(), case: "row".to_owned() };
            aggregate.apply(&Event::CaseFinished(Box::new(CaseResult {
                id: id.repeated(*number),
                verdict: verdict.clone(),
                elapsed: Duration::ZERO,
                namespace: String::new(),
                timeline: Vec::new(),
                history: Some(history(phase)),
            })));
        }
        aggregate
    }

    #[test]
    fn verdicts_that_differ_make_a_case_flaky_and_histories_are_counted() {
        let found = run(&[
            ("same", 1, passed(), "a"),
            ("same", 2, passed(), "a"),
            ("restless", 1, passed(), "a"),
            ("restless", 2, passed(), "b"),
            ("flaky", 1, failed(), "b"),
            ("flaky", 2, passed(), "a"),
            ("flaky", 3, passed(), "a"),
            ("once", 1, failed(), "a"),
        ])
        .repetitions();
        let told: Vec<_> =
            found.iter().map(|it| (it.name.as_str(), it.runs, it.histories, it.flaky)).collect();
        assert_eq!(
            told,
            [("same/row", 2, 1, false), ("restless/row", 2, 2, false), ("flaky/row", 3, 2, true)]
        );
        assert_eq!(found[2].verdicts, BTreeMap::from([("failed", 1), ("passed", 2)]));
    }

    #[test]
    fn runs_with_the_same_history_stand_together_and_others_tell_where_they_part() {
        let found =
            run(&[("flaky", 1, failed(), "b"), ("flaky", 2, passed(), "a"), ("flaky", 3, passed(), "a")])
                .repetitions();
        let [most, other] = found[0].groups.as_slice() else { panic!("{found:?}") };
        assert_eq!((most.runs.as_slice(), most.divergence.as_ref()), ([2, 3].as_slice(), None));
        assert_eq!(other.verdicts, BTreeMap::from([("failed", 1)]));
        let told = found[0].divergence().expect("they part").to_string();
        assert_eq!(told, "Run demo, status.phase: \"a\" in A (+0.000 s), \"b\" in B (+0.000 s)");
    }

    #[test]
    fn one_failed_run_of_a_flaky_case_decides_the_exit_code() {
        let aggregate = run(&[("flaky", 1, passed(), "a"), ("flaky", 2, failed(), "b")]);
        assert_eq!(aggregate.summary().exit, crate::exit::NON_CONFORMANT);
    }
}
