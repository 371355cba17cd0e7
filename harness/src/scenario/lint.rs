//! What is wrong with a scenario beyond its syntax, found without a cluster.

use std::collections::BTreeSet;

use super::assertion::Target;
use super::case::PlannedCase;
use super::document::{API_VERSION, ScenarioDocument, SubjectMode};
use super::reader::aliases;
use super::step::{Action, RestoreEnd, Step};
use crate::diagnostic::Diagnostic;
use crate::event::RequirementInfo;
use crate::yaml::{Located, Location, Node};

/// Checks `apiVersion` and `kind`.
pub(super) fn header(
    api_version: &Located<String>,
    kind: &Located<String>,
    expected: &str,
    problems: &mut Vec<Diagnostic>,
) {
    if api_version.value != API_VERSION {
        problems.push(
            Diagnostic::new(
                api_version.location.clone(),
                format!("unknown apiVersion `{}`", api_version.value),
            )
            .with_help(format!("this version of the harness reads `{API_VERSION}`")),
        );
    }
    if kind.value != expected {
        problems.push(Diagnostic::new(
            kind.location.clone(),
            format!("kind `{}` where `{expected}` is expected", kind.value),
        ));
    }
}

/// Every id a scenario names must be in the catalogue, and there must be one.
pub(super) fn known_requirements(
    named: &[Located<String>],
    catalogue: &[RequirementInfo],
    problems: &mut Vec<Diagnostic>,
) {
    for id in named {
        if catalogue.iter().any(|requirement| requirement.id == id.value) {
            continue;
        }
        let mut problem = Diagnostic::new(id.location.clone(), format!("unknown requirement `{}`", id.value));
        let nearest = catalogue
            .iter()
            .map(|requirement| (similarity(&requirement.id, &id.value), &requirement.id))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, nearest)) = nearest.filter(|(ratio, _)| *ratio > 0.6) {
            problem = problem.with_help(format!("did you mean `{nearest}`?"));
        }
        problems.push(problem);
    }
}

fn similarity(a: &str, b: &str) -> f32 {
    similar::TextDiff::from_chars(a, b).ratio()
}

/// The rows of a case table by name; a scenario without a table has one row without a name.
pub(super) fn rows(cases: &[Node], problems: &mut Vec<Diagnostic>) -> Vec<(String, serde_json::Value)> {
    if cases.is_empty() {
        return vec![(String::new(), serde_json::json!({}))];
    }
    let mut names = BTreeSet::new();
    let mut rows = Vec::with_capacity(cases.len());
    for case in cases {
        let Some(name) = case.get("name").and_then(Node::as_str) else {
            problems.push(
                Diagnostic::new(case.location.clone(), "a case without a name")
                    .with_help("give every row of the table a `name`"),
            );
            continue;
        };
        if names.insert(name.to_owned()) {
            rows.push((name.to_owned(), case.to_json()));
        } else {
            problems.push(Diagnostic::new(case.location.clone(), format!("case `{name}` stands twice")));
        }
    }
    rows
}

/// Case ids are unique in a suite.
pub(super) fn unique_names(cases: &[PlannedCase], problems: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    for case in cases {
        if seen.insert(&case.id) {
            continue;
        }
        if let Some(place) = case.steps.first().or(case.expect.first()) {
            problems.push(Diagnostic::new(
                place.location.clone(),
                format!("the name `{}` is used by another scenario", case.id),
            ));
        }
    }
}

/// Aliases are defined before they are used, steps fit the subject, and something is claimed at all.
///
/// What a step that could not be read would have defined or claimed is unknown: nothing is said about
/// aliases and missing claims then, which would only repeat that problem in a misleading way.
///
/// In a suite without implementation (`tests_cluster`) the cluster's own controllers answer the fence.
pub(super) fn case(
    case: &PlannedCase,
    document: &ScenarioDocument,
    tests_cluster: bool,
    problems: &mut Vec<Diagnostic>,
) {
    let spec = &document.spec;
    if spec.requirements.is_empty() {
        problems.push(
            Diagnostic::new(document.metadata.name.location.clone(), "the scenario proves no requirement")
                .with_help("name the ids in `spec.requirements`"),
        );
    }
    given_fits(case, &document.metadata.name.location, problems);
    let complete = case.objects.len() == spec.given.objects.len()
        && case.steps.len() == spec.steps.len()
        && case.expect.len() == spec.expect.len();
    let mut known: BTreeSet<&str> = case.objects.iter().map(|manifest| manifest.alias.as_str()).collect();
    let mut rendered: BTreeSet<&str> = BTreeSet::new();
    let mut archives: BTreeSet<&str> = BTreeSet::new();
    let mut copies: BTreeSet<&str> = BTreeSet::new();
    let mut dumps: BTreeSet<&str> = BTreeSet::new();
    for step in case.steps.iter().chain(&case.expect) {
        step_fits(step, case, tests_cluster, problems);
        for target in step.action.targets().into_iter().filter(|_| complete) {
            for alias in aliases(target).filter(|alias| !known.contains(alias)) {
                problems.push(
                    Diagnostic::new(
                        step.location.clone(),
                        format!("no step before this one creates `{alias}`"),
                    )
                    .with_help("an alias is the `as` of a create or apply step, or the name of its object"),
                );
            }
            if let Target::Rendered { of, .. } = target
                && !rendered.contains(of.as_str())
            {
                problems.push(Diagnostic::new(
                    step.location.clone(),
                    format!("no step before this one renders `{of}`"),
                ));
            }
        }
        if let Some(archive) =
            step.action.uses_archive().filter(|archive| complete && !archives.contains(archive))
        {
            problems.push(
                Diagnostic::new(
                    step.location.clone(),
                    format!("no step before this one makes the archive `{archive}`"),
                )
                .with_help("an archive is the `as` of a backup step"),
            );
        }
        archives.extend(step.action.makes_archive());
        if let Some(copy) = step.action.uses_copy().filter(|copy| complete && !copies.contains(copy)) {
            let message = format!("no step before this one copies the datastore as `{copy}`");
            let problem = Diagnostic::new(step.location.clone(), message);
            problems.push(problem.with_help("a copy is the `as` of a copyDatastore step"));
        }
        copies.extend(step.action.makes_copy());
        if let Some(dump) = step.action.uses_dump().filter(|dump| complete && !dumps.contains(dump)) {
            let message = format!("no step before this one dumps the database as `{dump}`");
            let problem = Diagnostic::new(step.location.clone(), message);
            problems.push(problem.with_help("a dump is the `as` of a dumpDatabase step"));
        }
        dumps.extend(step.action.makes_dump());
        known.extend(step.action.manifests().into_iter().map(|manifest| manifest.alias.as_str()));
        if let Action::Render(render) = &step.action {
            rendered.insert(&render.alias);
        }
    }
    for step in case.expect.iter().filter(|step| !step.action.is_assertion()) {
        problems.push(
            Diagnostic::new(step.location.clone(), "`expect` holds assertions only")
                .with_help("move it to `steps`"),
        );
    }
    if complete && !case.steps.iter().chain(&case.expect).any(|step| claims_something(&step.action)) {
        problems.push(
            Diagnostic::new(
                document.metadata.name.location.clone(),
                "the scenario claims nothing and cannot fail",
            )
            .with_help("add an assertion to `steps` or `expect`"),
        );
    }
}

/// What is given goes together; `name` is where the scenario is named.
fn given_fits(case: &PlannedCase, name: &Location, problems: &mut Vec<Diagnostic>) {
    if case.has_own_cluster() && case.subject != SubjectMode::Dedicated {
        problems.push(
            Diagnostic::new(name.clone(), "a scenario with a cluster of its own has a subject of its own")
                .with_help("write `given: {cluster: own, subject: dedicated}`"),
        );
    }
    if case.database.is_some() && case.subject != SubjectMode::Dedicated {
        problems.push(
            Diagnostic::new(name.clone(), "a scenario with a database of its own has a subject of its own")
                .with_help("write `subject: dedicated` beside `database`"),
        );
    }
    if case.loses_cluster() && case.has_faults() {
        problems.push(
            Diagnostic::new(name.clone(), "a scenario that loses its cluster has no faults").with_help(
                "faults meet requests to the first cluster, `loseCluster` goes on with another one",
            ),
        );
    }
}

fn step_fits(step: &Step, case: &PlannedCase, tests_cluster: bool, problems: &mut Vec<Diagnostic>) {
    if step.action.needs_dedicated_subject() && case.subject != SubjectMode::Dedicated {
        problems.push(
            Diagnostic::new(step.location.clone(), "this step needs a subject that no other scenario uses")
                .with_help("write `given: {subject: dedicated}`"),
        );
    }
    if step.action.needs_own_cluster() && !case.has_own_cluster() {
        problems.push(
            Diagnostic::new(step.location.clone(), "this step needs a cluster that no other scenario uses")
                .with_help("write `given: {cluster: own, subject: dedicated}`"),
        );
    }
    if step.action.needs_database() && case.database.is_none() {
        problems.push(
            Diagnostic::new(step.location.clone(), "this step needs a database").with_help(
                "write `given: {subject: dedicated, database: …}` with the value that gets its URL",
            ),
        );
    }
    let needs = match &step.action {
        Action::Fence if !tests_cluster => Some("a fence"),
        Action::Http(_) => Some("a question over HTTP"),
        _ => None,
    };
    if let Some(what) = needs.filter(|_| case.subject == SubjectMode::None) {
        problems.push(Diagnostic::new(step.location.clone(), format!("{what} needs a subject")));
    }
    let about_requests = |target: &&Target| matches!(target, Target::Requests { .. });
    if step.action.targets().iter().any(about_requests) && !case.requires_audit() {
        problems.push(
            Diagnostic::new(step.location.clone(), "requests are recorded only where this is required")
                .with_help("write `requires: [audit]`"),
        );
    }
}

fn claims_something(action: &Action) -> bool {
    match action {
        // A backup claims that it writes nothing.
        Action::Assert(_) | Action::Http(_) | Action::Verify(_) | Action::Backup(_) => true,
        Action::Restore(restore) => restore.rivals > 0 || !matches!(restore.ends, RestoreEnd::Restored),
        Action::Create { refused, .. } | Action::Patch { refused, .. } => refused.is_some(),
        Action::Render(render) => render.fails.is_some(),
        _ => false,
    }
}
