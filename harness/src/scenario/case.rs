//! A case: one scenario with one row of its table, ready to be run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::assertion::{Assertion, Operator, Target};
use super::document::{Capability, ClusterMode, JobMode, SubjectMode};
use super::golden::{self, Golden};
use super::reader::PROMPTLY;
use super::step::{Action, Manifest, Step};
use crate::event::{CaseId, CaseInfo};
use crate::yaml::Node;

/// One scenario with one row of its case table.
#[derive(Debug, Clone)]
pub struct PlannedCase {
    /// Which.
    pub id: CaseId,
    /// File of the scenario.
    pub file: PathBuf,
    /// Every file that it is made of, as they are named: its own, fixtures and golden files.
    pub files: BTreeSet<PathBuf>,
    /// What it claims.
    pub summary: String,
    /// Labels of the scenario.
    pub labels: BTreeMap<String, String>,
    /// Ids of the requirements that it proves.
    pub requirements: Vec<String>,
    /// What the cluster must have.
    pub requires: Vec<Capability>,
    /// Why it is not run at present.
    pub skip: Option<String>,
    /// Whether only cases that have this are run.
    pub focus: bool,
    /// The deadline of the whole case.
    pub timeout: Duration,
    /// Whether a controller runs, and for whom.
    pub subject: SubjectMode,
    /// Whose the cluster is.
    pub cluster: ClusterMode,
    /// Who ends the Jobs.
    pub jobs: JobMode,
    /// The chart value that gets the URL of a database that only this case has.
    pub database: Option<String>,
    /// Chart values of the controller.
    pub values: serde_json::Value,
    /// The same, with the places where they were written.
    pub given: Node,
    /// The values of the row, a JSON object.
    pub case: serde_json::Value,
    /// What is there before the first step.
    pub objects: Vec<Manifest>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// Assertions over the whole history.
    pub expect: Vec<Step>,
}

impl PlannedCase {
    /// What reporters are told about the case.
    pub fn info(&self) -> CaseInfo {
        CaseInfo {
            id: self.id.clone(),
            area: self.labels.get("area").cloned().unwrap_or_default(),
            file: self.file.display().to_string(),
            summary: self.summary.clone(),
            requirements: self.requirements.clone(),
            invariants: self.standing(),
            goldens: golden::texts([self]).into_keys().collect(),
            declined: false,
        }
    }

    /// Whether pods must really run.
    pub fn requires_node(&self) -> bool {
        self.requires.contains(&Capability::Node)
    }

    /// Whether requests of the subject must be recorded.
    pub fn requires_audit(&self) -> bool {
        self.requires.contains(&Capability::Audit)
    }

    /// Whether something is claimed about requests of the subject.
    pub fn reads_requests(&self) -> bool {
        self.actions().flat_map(Action::targets).any(|target| matches!(target, Target::Requests { .. }))
    }

    /// The golden files with which it compares whole objects.
    pub fn goldens(&self) -> impl Iterator<Item = &Golden> {
        let claims = self.actions().flat_map(|action| match action {
            Action::Assert(assertion) => assertion.operator.claims(),
            _ => Vec::new(),
        });
        claims.filter_map(|claim| claim.condition.golden.as_ref())
    }

    /// The standing invariants that the case is judged on.
    pub fn invariants(&self) -> impl Iterator<Item = &Assertion> {
        self.actions().filter_map(|action| match action {
            Action::Assert(assertion) if assertion.standing.is_some() => Some(assertion.as_ref()),
            _ => None,
        })
    }

    /// The requirements that these state, each once.
    pub fn standing(&self) -> Vec<String> {
        let ids = self.invariants().filter_map(|assertion| assertion.standing.as_ref());
        let mut ids: Vec<String> = ids.map(|standing| standing.id.clone()).collect();
        ids.dedup();
        ids
    }

    /// Takes away the invariants that are not to be judged.
    pub fn retain_invariants(&mut self, is_judged: impl Fn(&Assertion) -> bool) {
        self.expect.retain(|step| match &step.action {
            Action::Assert(assertion) if assertion.standing.is_some() => is_judged(assertion),
            _ => true,
        });
    }

    /// Whether it needs a cluster that no other case uses.
    pub fn has_own_cluster(&self) -> bool {
        self.cluster == ClusterMode::Own
    }

    /// Whether it goes on in another cluster.
    pub fn loses_cluster(&self) -> bool {
        self.actions().any(|action| matches!(action, Action::LoseCluster))
    }

    /// Whether the harness stands between the subject and the API server.
    pub fn has_faults(&self) -> bool {
        self.actions().any(Action::needs_fault_proxy)
    }

    /// Why it is not run at present.
    pub fn skip(&self) -> Option<&str> {
        self.skip.as_deref()
    }

    /// Whether only cases that have this are run.
    pub fn focus(&self) -> bool {
        self.focus
    }

    /// Whether Jobs get no pods, so that the scenario plays their end.
    pub fn plays_jobs(&self) -> bool {
        self.jobs == JobMode::Played && !self.requires_node()
    }

    /// Whether it does nothing without an implementation under test.
    pub fn needs_implementation(&self) -> bool {
        self.subject != SubjectMode::None || self.actions().any(|action| matches!(action, Action::Render(_)))
    }

    /// Everything that is done and claimed, in order.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().chain(&self.expect).map(|step| &step.action)
    }

    /// Whether it upgrades its release.
    pub fn is_upgraded(&self) -> bool {
        self.actions().any(|action| matches!(action, Action::Upgrade { .. }))
    }

    /// Every object that the case brings.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.objects.iter().chain(self.actions().flat_map(Action::manifests))
    }

    /// The time that the scenario itself says that it needs: pauses, and where something may take longer
    /// than is called promptly, that longer time.
    pub fn declared_time(&self) -> Duration {
        let declared = |action: &Action| match action {
            Action::Wait(duration) => *duration,
            Action::Assert(assertion) => match &assertion.operator {
                Operator::Eventually { within, .. } if *within > PROMPTLY => *within,
                _ => Duration::ZERO,
            },
            _ => Duration::ZERO,
        };
        self.actions().map(declared).sum()
    }

    /// How often it may wait for the implementation: once for each step and claim, and for the fence before the
    /// claims on the whole history.
    pub fn waits(&self) -> u32 {
        u32::try_from(self.actions().count() + 1).unwrap_or(u32::MAX)
    }

    /// Whether the case acts on a cluster at all, or only renders the chart.
    pub fn needs_namespace(&self) -> bool {
        self.subject != SubjectMode::None || self.manifests().next().is_some()
    }
}
