//! Releases that outlive the cases that they were started for.
//!
//! A shared subject is told at its start which namespaces it serves. One that shall serve cases that are not
//! known yet is told some namespaces more, and each further case gets one of them. A namespace serves one
//! case only: what is left of an earlier one would be seen by the next.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::plan::{Plan, Release};
use super::subjects::Shared;

/// How many cases a release can serve beyond those that it was started for. Each costs the subject some
/// watches on an empty namespace.
const SPARE: usize = 16;
/// How many releases go on. More of them, by values that nobody uses any more, only keep processors busy.
const KEPT: usize = 6;

/// A release that goes on, with the namespaces that no case had yet.
#[derive(Debug)]
pub(super) struct Kept<S> {
    values: Value,
    spare: VecDeque<String>,
    shared: S,
}

/// The releases that go on, the one that was used last at the end.
#[derive(Debug)]
pub(super) struct Keep<S = Arc<Shared>>(Vec<Kept<S>>);

impl<S> Default for Keep<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Clone> Keep<S> {
    /// Gives the cases of a plan to releases that run, as far as their values are the same and they have
    /// namespaces left, and `start`s others for the rest. Returns the releases of the plan by index, and
    /// those that are not needed any more.
    pub(super) fn host(&mut self, plan: &mut Plan, start: impl Fn(Release) -> S) -> (Vec<S>, Vec<S>) {
        let mut retired = Vec::new();
        let mut hosts = Vec::with_capacity(plan.releases.len());
        for (index, release) in plan.releases.iter_mut().enumerate() {
            let wanted = release.watched.len();
            let mut kept = match self.0.iter().position(|kept| kept.values == release.values) {
                Some(place) => Some(self.0.remove(place)),
                None => None,
            };
            if let Some(exhausted) = kept.take_if(|kept| kept.spare.len() < wanted) {
                retired.push(exhausted.shared);
            }
            let kept = if let Some(mut kept) = kept {
                let namespaces: Vec<String> = kept.spare.drain(..wanted).collect();
                let cases = plan.cases.iter_mut().filter(|placed| placed.release == Some(index));
                for (placed, namespace) in cases.zip(&namespaces) {
                    placed.namespace.clone_from(namespace);
                }
                release.watched = namespaces;
                kept
            } else {
                let spare: VecDeque<String> =
                    (1..=SPARE).map(|number| format!("case-{number}-{}", release.namespace)).collect();
                release.watched.extend(spare.iter().cloned());
                Kept { values: release.values.clone(), spare, shared: start(release.clone()) }
            };
            hosts.push(kept.shared.clone());
            self.0.push(kept);
        }
        // Those of this plan are the last ones.
        let unused = self.0.len().saturating_sub(KEPT.max(hosts.len()));
        retired.extend(self.0.drain(..unused).map(|kept| kept.shared));
        (hosts, retired)
    }

    /// Gives up the releases that `sound` does not hold of.
    pub(super) fn retain(&mut self, sound: impl Fn(&S) -> bool) -> Vec<S> {
        let (kept, given_up) = std::mem::take(&mut self.0).into_iter().partition(|kept| sound(&kept.shared));
        self.0 = kept;
        Vec::into_iter(given_up).map(|kept: Kept<S>| kept.shared).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::plan::PlacedCase;
    use crate::scenario::suite::Suite;

    /// A plan with cases that share a release with `values`.
    fn plan(round: u32, values: &[(&Value, usize)]) -> Plan {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites/patient");
        let suite = Suite::load(&path).unwrap();
        let case = &suite.cases()[0];
        let mut plan = Plan { cases: Vec::new(), releases: Vec::new(), filtered: false };
        for (index, (values, cases)) in values.iter().enumerate() {
            let watched: Vec<String> = (0..*cases).map(|case| format!("ns-{index}-{case}-{round}")).collect();
            plan.cases.extend(watched.iter().map(|namespace| PlacedCase {
                case: case.clone(),
                namespace: namespace.clone(),
                release: Some(index),
                skip: None,
                declined: false,
            }));
            let namespace = format!("subject-{index}-{round}");
            plan.releases.push(Release { namespace, values: (*values).clone(), watched });
        }
        plan
    }

    fn namespaces(plan: &Plan) -> Vec<&str> {
        plan.cases.iter().map(|placed| placed.namespace.as_str()).collect()
    }

    #[test]
    fn equal_values_are_served_by_the_release_that_runs_in_namespaces_that_it_watches() {
        let mut keep = Keep::default();
        let mut first = plan(1, &[(&json!({"a": 1}), 2)]);
        let (started, retired) = keep.host(&mut first, |release| release);
        assert_eq!(namespaces(&first), ["ns-0-0-1", "ns-0-1-1"]);
        assert_eq!((started.len(), retired.len()), (1, 0));
        let mut seen: Vec<String> = namespaces(&first).iter().map(ToString::to_string).collect();
        for round in 2..6 {
            let mut next = plan(round, &[(&json!({"a": 1}), 2)]);
            let (hosts, retired) = keep.host(&mut next, |_| unreachable!("it runs already"));
            assert_eq!((&hosts, retired.len()), (&started, 0));
            for namespace in namespaces(&next) {
                assert!(started[0].watched.contains(&namespace.to_owned()), "{namespace} is not watched");
                assert!(!seen.contains(&namespace.to_owned()), "{namespace} had a case");
                seen.push(namespace.to_owned());
            }
        }
    }

    #[test]
    fn what_a_release_watches_for_later_rounds_is_the_plans_from_the_first_one_on() {
        let mut keep = Keep::default();
        let mut first = plan(1, &[(&json!({"a": 1}), 1)]);
        keep.host(&mut first, |release| release);
        let expected: Vec<String> = first.namespaces().map(ToOwned::to_owned).collect();
        let mut next = plan(2, &[(&json!({"a": 1}), 1)]);
        keep.host(&mut next, |_| unreachable!("it runs already"));
        for namespace in namespaces(&next) {
            assert!(expected.contains(&namespace.to_owned()), "{namespace} is nobody's in {expected:?}");
        }
    }

    #[test]
    fn other_values_start_another_release() {
        let mut keep = Keep::default();
        keep.host(&mut plan(1, &[(&json!({"a": 1}), 1)]), |release| release);
        let mut both = plan(2, &[(&json!({"a": 2}), 1), (&json!({"a": 1}), 1)]);
        let (hosts, _) = keep.host(&mut both, |release| release);
        let names: Vec<&str> = hosts.iter().map(|release| release.namespace.as_str()).collect();
        assert_eq!(names, ["subject-0-2", "subject-0-1"]);
    }

    #[test]
    fn a_release_without_namespaces_left_is_replaced() {
        let mut keep = Keep::default();
        let values = json!({});
        keep.host(&mut plan(1, &[(&values, 1)]), |release| release);
        let (hosts, retired) = keep.host(&mut plan(2, &[(&values, SPARE)]), |_| unreachable!());
        assert_eq!((hosts[0].namespace.as_str(), retired.len()), ("subject-0-1", 0));
        let (hosts, retired) = keep.host(&mut plan(3, &[(&values, 1)]), |release| release);
        assert_eq!(hosts[0].namespace, "subject-0-3");
        assert_eq!(retired[0].namespace, "subject-0-1");
    }

    #[test]
    fn a_release_that_is_given_up_serves_nobody() {
        let mut keep = Keep::default();
        let values = json!({});
        keep.host(&mut plan(1, &[(&values, 1)]), |release| release);
        assert_eq!(keep.retain(|_| false).len(), 1);
        let (hosts, _) = keep.host(&mut plan(2, &[(&values, 1)]), |release| release);
        assert_eq!(hosts[0].namespace, "subject-0-2");
    }

    #[test]
    fn of_many_releases_those_that_were_used_last_go_on() {
        let mut keep = Keep::default();
        let mut retired = Vec::new();
        for round in 0..=KEPT {
            let mut plan = plan(u32::try_from(round).unwrap(), &[(&json!({"a": round}), 1)]);
            retired.extend(keep.host(&mut plan, |release| release).1);
        }
        let names: Vec<&str> = retired.iter().map(|release| release.namespace.as_str()).collect();
        assert_eq!(names, ["subject-0-0"]);
    }
}
