//! Cases that were run several times: did they always come to the same?

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::aggregate::Aggregate;
use crate::event::CaseId;

/// What the runs of one case came to.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repetition {
    /// The case.
    pub name: String,
    /// How often it was run.
    pub runs: usize,
    /// How many runs ended how.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// How many different histories there were, by [`crate::check::Ending`].
    pub histories: usize,
    /// Whether not all runs had the same verdict.
    pub flaky: bool,
}

impl Aggregate {
    /// The cases that were run more than once, in plan order.
    pub fn repetitions(&self) -> Vec<Repetition> {
        let mut order: Vec<CaseId> = Vec::new();
        let mut found: BTreeMap<CaseId, (BTreeMap<&'static str, usize>, BTreeSet<&str>)> = BTreeMap::new();
        for case in self.cases() {
            let first = case.info.id.first();
            let (verdicts, endings) = found.entry(first.clone()).or_insert_with(|| {
                order.push(first);
                Default::default()
            });
            *verdicts.entry(case.outcome.word()).or_default() += 1;
            if !case.ending.is_empty() {
                endings.insert(case.ending);
            }
        }
        let repeated = order.into_iter().filter_map(|id| {
            let (verdicts, endings) = found.remove(&id)?;
            let runs = verdicts.values().sum();
            let (histories, flaky) = (endings.len(), verdicts.len() > 1);
            (runs > 1).then(|| Repetition { name: id.to_string(), runs, verdicts, histories, flaky })
        });
        repeated.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::{CaseResult, Event, Verdict};
    use crate::report::fixture::{failed, info, passed};

    /// A run of cases by scenario and number, each with its verdict and its ending.
    fn run(cases: &[(&str, u32, Verdict, &str)]) -> Aggregate {
        let mut aggregate = Aggregate::default();
        aggregate.apply(&Event::RunStarted(Box::new(info(Vec::new(), false))));
        for (scenario, number, verdict, ending) in cases {
            let id = CaseId { scenario: (*scenario).to_owned(), case: "row".to_owned() };
            aggregate.apply(&Event::CaseFinished(Box::new(CaseResult {
                id: id.repeated(*number),
                verdict: verdict.clone(),
                elapsed: Duration::ZERO,
                namespace: String::new(),
                timeline: Vec::new(),
                ending: (*ending).to_owned(),
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
            ("flaky", 1, passed(), "a"),
            ("flaky", 2, failed(), "b"),
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
    fn one_failed_run_of_a_flaky_case_decides_the_exit_code() {
        let aggregate = run(&[("flaky", 1, passed(), "a"), ("flaky", 2, failed(), "b")]);
        assert_eq!(aggregate.summary().exit, crate::exit::NON_CONFORMANT);
    }
}
