//! What the caches hold, for those who ask from outside.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::reflector::{Lookup, Store};
use kube::{Resource, ResourceExt as _};
use tokio::sync::watch;

use crate::api::{Agent, AgentProvider, AgentRun, AgentRunStatus, ImplementationSpec, JobView, Memory};
use crate::decide::stage::Stage;
use crate::decide::status::{phase, reason};

/// How long a run may be without any phase. Twice the time after which a run is looked at in any case.
const UNTOUCHED: Duration = Duration::from_mins(10);

/// The caches of one controller.
pub struct View {
    /// Runs.
    pub runs: Store<AgentRun>,
    /// Their Jobs.
    pub jobs: Store<JobView>,
    /// Agents.
    pub agents: Store<Agent>,
    /// `AgentProvider`s.
    pub providers: Store<AgentProvider>,
    /// `ImplementationSpec`s.
    pub implementations: Store<ImplementationSpec>,
    /// Memories.
    pub memories: Store<Memory>,
    /// Whether each cache holds everything that was there at the start.
    pub filled: Vec<watch::Receiver<bool>>,
}

/// The caches of all controllers that work now.
#[derive(Default)]
pub struct Census {
    views: Mutex<Vec<View>>,
}

/// What a look into all caches gives. It holds numbers only, nothing of a run's contents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Caches that do not hold everything yet.
    pub unfilled: usize,
    /// Runs by phase.
    pub phases: BTreeMap<&'static str, usize>,
    /// Runs by the reason they show for waiting.
    pub blocked: BTreeMap<String, usize>,
    /// Runs without any phase: their first write is still to come.
    pub untouched: usize,
    /// Runs whose status does not tell about what they are now.
    pub outdated: usize,
    /// Runs that are being executed.
    pub in_flight: usize,
    /// Newest version that was seen, by kind.
    pub revisions: BTreeMap<&'static str, u64>,
}

impl Census {
    /// These controllers work from now on.
    pub fn open(&self, views: Vec<View>) {
        *self.views.lock().unwrap_or_else(PoisonError::into_inner) = views;
    }

    /// No controller works any more.
    pub fn close(&self) {
        self.open(Vec::new());
    }

    /// Looks into all caches, or returns nothing when there are none.
    pub fn count(&self, now: Timestamp) -> Option<Count> {
        let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.is_empty() {
            return None;
        }
        let mut count = Count::default();
        for view in views.iter() {
            count.unfilled += view.filled.iter().filter(|filled| !*filled.borrow()).count();
            for run in view.runs.state() {
                count.run(&run, now);
            }
            count.revision("AgentRun", &view.runs);
            count.revision("Job", &view.jobs);
            count.revision("Agent", &view.agents);
            count.revision("AgentProvider", &view.providers);
            count.revision("ImplementationSpec", &view.implementations);
            count.revision("Memory", &view.memories);
        }
        Some(count)
    }
}

impl Count {
    fn run(&mut self, run: &AgentRun, now: Timestamp) {
        let none = AgentRunStatus::default();
        let status = run.status.as_ref().unwrap_or(&none);
        let current = status.phase.as_deref().unwrap_or(phase::PENDING);
        let known = phase::ALL.into_iter().find(|known| *known == current).unwrap_or(phase::PENDING);
        *self.phases.entry(known).or_default() += 1;
        let stage = Stage::of(run);
        if stage == Stage::Terminal {
            // An edit of a run that has ended is never answered.
            return;
        }
        self.in_flight += usize::from(stage == Stage::Accepted);
        let is_true = |type_: &str| {
            status.conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
        };
        if let Some(blocked) = is_true(reason::BLOCKED) {
            *self.blocked.entry(blocked.reason.clone()).or_default() += 1;
        }
        if status.phase.is_none() {
            self.untouched += 1;
            let created = run.creation_timestamp().map_or(now, |created| created.0);
            let age = Duration::try_from(now.duration_since(created)).unwrap_or_default();
            self.outdated += usize::from(age > UNTOUCHED);
        } else {
            self.outdated += usize::from(status.observed_generation != run.metadata.generation);
        }
    }

    fn revision<K>(&mut self, kind: &'static str, cache: &Store<K>)
    where
        K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + 'static,
    {
        let objects = cache.state().into_iter();
        let versions = objects.filter_map(|object| object.resource_version()?.parse::<u64>().ok());
        if let Some(newest) = versions.max() {
            let known = self.revisions.entry(kind).or_default();
            *known = newest.max(*known);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn counted(status: &Value) -> Count {
        let run: AgentRun = serde_json::from_value(json!({
            "metadata": {"name": "r", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}}, "status": status,
        }))
        .unwrap();
        let mut count = Count::default();
        count.run(&run, "2026-01-01T00:20:00Z".parse().unwrap());
        count
    }

    #[rstest]
    #[case::new(json!({}), "Pending", 1, 1, 0)]
    #[case::current(json!({"phase": "Running", "observedGeneration": 2}), "Running", 0, 0, 1)]
    #[case::edited(json!({"phase": "Running", "observedGeneration": 1}), "Running", 0, 1, 1)]
    #[case::ended(json!({"phase": "Failed", "observedGeneration": 1}), "Failed", 0, 0, 0)]
    #[case::unknown_phase(json!({"phase": "Strange", "observedGeneration": 2}), "Pending", 0, 0, 0)]
    fn runs_are_counted_by_what_they_show(
        #[case] status: Value,
        #[case] phase: &'static str,
        #[case] untouched: usize,
        #[case] outdated: usize,
        #[case] in_flight: usize,
    ) {
        let count = counted(&status);
        assert_eq!(count.phases, BTreeMap::from([(phase, 1)]));
        assert_eq!((count.untouched, count.outdated, count.in_flight), (untouched, outdated, in_flight));
    }

    #[test]
    fn waiting_runs_are_counted_by_reason() {
        let blocked = json!({
            "type": "Blocked", "status": "True", "reason": "QueueLimit", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let count = counted(&json!({"phase": "Pending", "observedGeneration": 2, "conditions": [blocked]}));
        assert_eq!(count.blocked, BTreeMap::from([("QueueLimit".to_owned(), 1)]));
    }

    #[test]
    fn without_controllers_nothing_is_known() {
        assert_eq!(Census::default().count(Timestamp::now()), None);
    }
}
