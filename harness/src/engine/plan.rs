//! Planning, pure: which cases run, in which namespaces, with which subjects.

use std::cmp::Reverse;
use std::time::Duration;

use super::scope::Scope;
use crate::event::CaseInfo;
use crate::scenario::document::SubjectMode;
use crate::scenario::suite::Suite;
use crate::scenario::{Filter, PlannedCase};
use crate::subject::Implementation;

/// What a cluster can do that others cannot.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is an ability of its own")]
pub struct Abilities {
    /// Pods really run.
    pub node: bool,
    /// Requests can be recorded.
    pub audit: bool,
    /// Another one like it can be started for a case alone.
    pub own: bool,
    /// A database can be started that the subject reaches.
    pub database: bool,
}

/// What a run is going to do.
#[derive(Debug)]
pub struct Plan {
    /// The cases, in the order in which they are started.
    pub cases: Vec<PlacedCase>,
    /// The releases that are shared by several cases.
    pub releases: Vec<Release>,
    /// Whether filters or `focus` left cases out.
    pub filtered: bool,
}

/// A case and its place.
#[derive(Debug, Clone)]
pub struct PlacedCase {
    /// The case.
    pub case: PlannedCase,
    /// Its namespace; empty if it needs none.
    pub namespace: String,
    /// Index of the shared release that serves it.
    pub release: Option<usize>,
    /// Why it is not run.
    pub skip: Option<String>,
    /// Whether that is because of what the implementation says of itself.
    pub declined: bool,
}

/// One install of the subject that serves all cases with equal chart values.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// Namespace of the release itself.
    pub namespace: String,
    /// Chart values that the cases ask for.
    pub values: serde_json::Value,
    /// Namespaces of its cases.
    pub watched: Vec<String>,
}

impl Plan {
    /// Plans the selected cases of a suite for an implementation on a cluster with these abilities.
    pub fn new(
        suite: &Suite,
        filter: &Filter,
        run_id: &str,
        abilities: Abilities,
        implementation: Option<&Implementation>,
    ) -> Self {
        let scope = Scope::new(implementation, suite.requirements());
        let all = suite.cases();
        let wanted: Vec<&PlannedCase> = filter.select(all);
        let focused = wanted.iter().any(|case| case.focus());
        let wanted: Vec<&PlannedCase> = wanted.into_iter().filter(|case| !focused || case.focus()).collect();
        let filtered = wanted.len() < all.len();
        let mut releases: Vec<Release> = Vec::new();
        let mut cases = Vec::with_capacity(wanted.len());
        for (index, case) in wanted.into_iter().enumerate() {
            // What is skipped for everybody says nothing about the implementation.
            let skipped = case.skip().map(ToOwned::to_owned);
            let declined = if skipped.is_none() { scope.declines(case) } else { None };
            let is_declined = declined.is_some();
            let skip = skipped.or(declined).or_else(|| lacking(case, abilities));
            let namespace =
                if case.needs_namespace() { namespace(case, index, run_id) } else { String::new() };
            let release = (skip.is_none() && case.subject == SubjectMode::Shared)
                .then(|| place(&mut releases, case, &namespace, run_id));
            let mut case = case.clone();
            case.retain_invariants(|invariant| {
                scope.judges(invariant) && (abilities.audit || !invariant.is_about_requests())
            });
            cases.push(PlacedCase { case, namespace, release, skip, declined: is_declined });
        }
        cases.sort_by_key(|placed| order(&placed.case));
        Self { cases, releases, filtered }
    }

    /// The namespaces of its cases, and those that its releases watch for cases to come.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        let of_cases = self.cases.iter().map(|placed| &placed.namespace);
        of_cases.chain(self.releases.iter().flat_map(|release| &release.watched)).map(String::as_str)
    }

    /// How many cases will really run.
    pub fn runnable(&self) -> usize {
        self.cases.iter().filter(|placed| placed.skip.is_none()).count()
    }

    /// Whether a case that is run does nothing without an implementation under test.
    pub fn needs_implementation(&self) -> bool {
        self.cases.iter().any(|placed| placed.skip.is_none() && placed.case.needs_implementation())
    }
}

/// What takes longest starts first, so that no single case is waited for at the end: cases with a cluster or a
/// subject of their own or with none, which back up and restore, and then those that say that they need time.
/// Cases that only render the chart wait for nobody, so they fill what is left.
fn order(case: &PlannedCase) -> (bool, bool, bool, Reverse<Duration>) {
    let shares_subject = case.subject == SubjectMode::Shared;
    (!case.needs_namespace(), !case.has_own_cluster(), shares_subject, Reverse(case.declared_time()))
}

impl PlacedCase {
    /// What reporters are told about the case.
    pub fn info(&self) -> CaseInfo {
        CaseInfo { declined: self.declined, ..self.case.info() }
    }
}

/// What the cluster lacks for a case.
fn lacking(case: &PlannedCase, abilities: Abilities) -> Option<String> {
    if case.has_faults() && abilities.node {
        return Some("needs a subject that runs as a process (--cluster local)".to_owned());
    }
    if case.requires_node() && !abilities.node {
        return Some("needs a cluster with a node (--cluster k3s)".to_owned());
    }
    if case.has_own_cluster() && !abilities.own {
        return Some("needs a cluster that it may destroy (--cluster local)".to_owned());
    }
    if case.database.is_some() && !abilities.database {
        return Some("needs the programs of PostgreSQL on this machine, and --cluster local".to_owned());
    }
    (case.requires_audit() && !abilities.audit)
        .then(|| "needs a cluster whose requests are recorded (--cluster local)".to_owned())
}

fn place(releases: &mut Vec<Release>, case: &PlannedCase, namespace: &str, run_id: &str) -> usize {
    if let Some(index) = releases.iter().position(|release| release.values == case.values) {
        if let Some(release) = releases.get_mut(index) {
            release.watched.push(namespace.to_owned());
        }
        return index;
    }
    releases.push(Release {
        namespace: format!("subject-{}-{run_id}", releases.len()),
        values: case.values.clone(),
        watched: vec![namespace.to_owned()],
    });
    releases.len() - 1
}

/// A readable, unique namespace: at most 63 characters, the scenario's name cut first.
pub(super) fn namespace(case: &PlannedCase, index: usize, run_id: &str) -> String {
    let suffix = format!("-{index}-{run_id}");
    let name: String = case.id.scenario.chars().take(63_usize.saturating_sub(suffix.len())).collect();
    format!("{}{suffix}", name.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn who_needs_a_database_is_skipped_where_there_is_none() {
        let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).unwrap();
        let skipped = |database| {
            let abilities = Abilities { node: true, audit: true, own: true, database };
            let plan = Plan::new(&suite, &Filter::default(), "0", abilities, None);
            let needs = |placed: &&PlacedCase| placed.case.database.is_some() && placed.skip.is_some();
            plan.cases.iter().filter(needs).count()
        };
        let needing = suite.cases().iter().filter(|case| case.database.is_some()).count();
        assert_eq!((skipped(true), skipped(false)), (0, needing));
        assert!(needing > 0);
    }

    #[test]
    fn whoever_waits_for_a_shared_subject_starts_after_those_that_wait_for_nobody() {
        let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).unwrap();
        let abilities = Abilities { node: false, audit: true, own: true, database: true };
        let plan = Plan::new(&suite, &Filter::default(), "0", abilities, None);
        let cases: Vec<&PlannedCase> = plan.cases.iter().map(|placed| &placed.case).collect();
        let last = |wanted: fn(&PlannedCase) -> bool| cases.iter().rposition(|case| wanted(case)).unwrap();
        let first = |wanted: fn(&PlannedCase) -> bool| cases.iter().position(|case| wanted(case)).unwrap();

        let shared = |case: &PlannedCase| case.subject == SubjectMode::Shared;
        let alone = |case: &PlannedCase| case.subject == SubjectMode::None && case.needs_namespace();
        assert!(last(PlannedCase::has_own_cluster) < first(alone));
        assert!(last(alone) < first(shared));
        assert!(last(shared) < first(|case| !case.needs_namespace()));
    }
}
