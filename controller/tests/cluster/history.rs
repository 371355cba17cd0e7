//! Runs and Jobs of some namespaces at an instant, built up version by version.
//!
//! Versions of both kinds are numbered by one datastore, so their order is the order in which they became
//! true, whatever the order in which two watches delivered them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agents_controller::api::{AgentRun, JobView};
use agents_controller::decide::outcome::Outcome;
use agents_controller::decide::status::{condition_is_true, reason};
use anyhow::{Context as _, Result, ensure};
use hallmark::record::{Change, Entry, ObjectVersion, Observation};

use crate::support::objects::is_terminal;

/// What is there, and what has been there.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Runs by name.
    pub(crate) runs: BTreeMap<String, AgentRun>,
    /// The names of all runs that ever were, in the order in which they came.
    pub(crate) came: Vec<String>,
    /// Present Jobs by the uid of the run that owns them, then by their own uid.
    jobs: BTreeMap<String, BTreeMap<String, JobView>>,
    /// The uids of all Jobs that ever were, by the uid of their run.
    ever: BTreeMap<String, BTreeSet<String>>,
}

impl State {
    /// Takes in the next version.
    pub(crate) fn apply(&mut self, version: &ObjectVersion) -> Result<()> {
        let gone = version.change == Change::Deleted;
        let read = || format!("read version {} of {}", version.resource_version, version.describe());
        let object = serde_json::Value::clone(&version.object);
        match version.kind.as_str() {
            "AgentRun" if gone => drop(self.runs.remove(&version.name)),
            "AgentRun" => {
                let run = serde_json::from_value(object).with_context(read)?;
                if !self.runs.contains_key(&version.name) {
                    self.came.push(version.name.clone());
                }
                self.runs.insert(version.name.clone(), run);
            }
            _ => {
                let owner = version.controller_uid().unwrap_or_default().to_owned();
                self.ever.entry(owner.clone()).or_default().insert(version.uid.clone());
                let jobs = self.jobs.entry(owner).or_default();
                if gone {
                    jobs.remove(&version.uid);
                } else {
                    jobs.insert(version.uid.clone(), serde_json::from_value(object).with_context(read)?);
                }
            }
        }
        Ok(())
    }

    /// Runs that take a slot: those in phase Running, and those that own an unfinished Job.
    pub(crate) fn active(&self) -> usize {
        let unfinished = |uid: &str| {
            self.jobs.get(uid).is_some_and(|jobs| jobs.values().any(|job| !Outcome::of(job).is_finished()))
        };
        let is_active = |run: &&AgentRun| phase(run) == Some("Running") || unfinished(uid(run));
        self.runs.values().filter(is_active).count()
    }

    /// Runs that have ended.
    pub(crate) fn ended(&self) -> usize {
        self.runs.values().filter(|run| is_terminal(phase(run))).count()
    }

    /// Runs that wait for a limit.
    pub(crate) fn blocked(&self) -> usize {
        let is_blocked = |run: &&AgentRun| {
            let conditions = run.status.as_ref().map(|status| &status.conditions);
            conditions.is_some_and(|conditions| condition_is_true(conditions, reason::BLOCKED))
        };
        self.runs.values().filter(is_blocked).count()
    }

    /// Whether the run owns, or ever owned, a Job.
    pub(crate) fn has_had_job(&self, run: &AgentRun) -> bool {
        self.ever.contains_key(uid(run))
    }

    /// Fails unless each run has had exactly one Job, and no Job belonged to anybody else.
    pub(crate) fn each_run_had_one_job(&self) -> Result<()> {
        for run in self.runs.values() {
            let jobs = self.ever.get(uid(run)).map_or(0, BTreeSet::len);
            ensure!(jobs == 1, "run {:?} has had {jobs} Jobs", run.metadata.name);
        }
        ensure!(self.ever.len() == self.runs.len(), "there were Jobs of {} owners", self.ever.len());
        Ok(())
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (runs, active, blocked, ended) = (self.runs.len(), self.active(), self.blocked(), self.ended());
        write!(f, "{runs} runs, {active} active, {blocked} blocked, {ended} ended")
    }
}

/// Phase of a run.
pub(crate) fn phase(run: &AgentRun) -> Option<&str> {
    run.status.as_ref()?.phase.as_deref()
}

fn uid(run: &AgentRun) -> &str {
    run.metadata.uid.as_deref().unwrap_or_default()
}

/// The recorded versions in the order in which they became true. A record with a gap is none of all
/// instants, which is an error.
pub(crate) fn in_order(entries: &[Arc<Entry>]) -> Result<Vec<&ObjectVersion>> {
    let mut versions = Vec::with_capacity(entries.len());
    for entry in entries {
        match &entry.observation {
            Observation::Object(version) => versions.push(version),
            Observation::Gap { kind, reason } => anyhow::bail!("the watch of {kind} has a gap: {reason}"),
            _ => {}
        }
    }
    versions.sort_by_key(|version| version.resource_version);
    Ok(versions)
}
