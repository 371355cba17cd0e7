//! What an implementation says that it does, and what that leaves out of a suite.
//!
//! Pure. [`fit`] completes an implementation with what a suite says and complains about what neither of
//! them says: a setting is made, or it is known not to be supported, and never guessed.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::event::{CORE, Claims, RequirementInfo};
use crate::scenario::PlannedCase;
use crate::scenario::assertion::Assertion;
use crate::scenario::document::SubjectMode;
use crate::scenario::step::Action;
use crate::scenario::suite::{LoadError, Suite};
use crate::subject::Implementation;
use crate::subject::mapping::{Mapping, MisfitReason, at};
use crate::yaml::{Located, Location, Source};

/// The feature that only an implementation with a chart can have.
const CHART: &str = "chart";

/// The implementation with the suite's names of settings, and its claims spelled out.
pub fn fit(mut implementation: Implementation, suite: &Suite) -> Result<Implementation, LoadError> {
    let mut problems = Vec::new();
    implementation.mapping = Mapping::new(suite.settings(), &implementation.settings);
    claim(&mut implementation, suite.requirements(), &mut problems);
    names(&implementation, suite, &mut problems);
    if implementation.install.chart().is_none() {
        settings(&implementation, suite, &mut problems);
    }
    if problems.is_empty() {
        return Ok(implementation);
    }
    problems.dedup();
    Err(LoadError { path: implementation.file().to_owned(), diagnostics: problems })
}

/// Checks the features that are claimed; without a chart, all of them are all but the chart's.
fn claim(implementation: &mut Implementation, catalogue: &[RequirementInfo], problems: &mut Vec<Diagnostic>) {
    let known: BTreeSet<&str> = catalogue.iter().map(|requirement| requirement.feature.as_str()).collect();
    let has_chart = implementation.install.chart().is_some();
    for feature in implementation.features.iter().flatten() {
        let location = feature.location.clone();
        if !known.contains(feature.as_str()) {
            let names: Vec<&str> = known.iter().copied().collect();
            problems.push(
                Diagnostic::new(location, format!("unknown feature `{}`", feature.value))
                    .with_help(format!("the suite knows {}", names.join(", "))),
            );
        } else if feature.value == CHART && !has_chart {
            let message = "the feature `chart` takes an implementation that is installed by a chart";
            problems.push(Diagnostic::new(location, message));
        }
    }
    if implementation.features.is_none() && !has_chart && known.contains(CHART) {
        let location = Location::start_of(&Source::new(implementation.file(), String::new()));
        let claimed = known.into_iter().filter(|feature| *feature != CHART);
        let located = |name: &str| Located { value: name.to_owned(), location: location.clone() };
        implementation.features = Some(claimed.map(located).collect());
    }
}

/// Looks for names of settings and requirements that mean nothing here: one that is misspelled would never
/// take effect, and nobody would be told.
fn names(implementation: &Implementation, suite: &Suite, problems: &mut Vec<Diagnostic>) {
    let is_given = |key: &str| suite.cases().iter().any(|case| !at(&case.values, key).is_null());
    let is_key = |key: &str| suite.settings().knows(key) || is_given(key);
    let is_requirement = |id: &str| suite.requirements().iter().any(|info| info.id == id);
    let settings = &implementation.settings;
    for (key, name) in settings.environment.iter().filter(|(key, _)| !is_key(key)) {
        let message = format!("no scenario knows a setting `{key}`");
        problems.push(Diagnostic::new(name.location.clone(), message));
    }
    for name in settings.unsupported.iter().filter(|name| !is_key(name) && !is_requirement(name)) {
        let message = format!("`{}` is neither a requirement nor a setting of the suite", name.value);
        problems.push(Diagnostic::new(name.location.clone(), message));
    }
}

/// Looks for settings of scenarios that nobody named.
fn settings(implementation: &Implementation, suite: &Suite, problems: &mut Vec<Diagnostic>) {
    let scope = Scope::new(Some(implementation), suite.requirements());
    for case in suite.cases().iter().filter(|case| is_configured(case) && scope.declines(case).is_none()) {
        for misfit in implementation.mapping.misfits(&case.given) {
            if misfit.reason != MisfitReason::Unknown {
                continue;
            }
            let file = implementation.file().display();
            problems.push(
                Diagnostic::new(misfit.location, format!("the setting `{}` has no name", misfit.key))
                    .with_label(format!("given by scenario `{}`", case.id.scenario))
                    .with_help(format!(
                        "name a variable for it in `settings.environment` of {file}, or list it in \
                         `settings.unsupported` to skip the scenario"
                    )),
            );
        }
    }
}

fn is_configured(case: &PlannedCase) -> bool {
    case.subject != SubjectMode::None
}

/// What the claims of an implementation are, in the words of reports.
pub(super) fn claims(implementation: &Implementation) -> Claims {
    let features = implementation.features.as_ref().map(|features| {
        let names = features.iter().map(|feature| feature.value.clone());
        std::iter::once(CORE.to_owned()).chain(names.filter(|name| name != CORE)).collect()
    });
    let unsupported = implementation.settings.unsupported.iter().map(|name| name.value.clone()).collect();
    Claims { features, unsupported, slack: implementation.slack }
}

/// Which cases an implementation can be asked at all.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    implementation: Option<&'a Implementation>,
    claims: Claims,
    catalogue: &'a [RequirementInfo],
}

impl<'a> Scope<'a> {
    /// The scope of an implementation; without one it is the cluster that is asked, and nothing is left out.
    pub(super) fn new(implementation: Option<&'a Implementation>, catalogue: &'a [RequirementInfo]) -> Self {
        Self { implementation, claims: implementation.map(claims).unwrap_or_default(), catalogue }
    }

    /// Why the implementation is not asked a case.
    pub(super) fn declines(&self, case: &PlannedCase) -> Option<String> {
        let implementation = self.implementation?;
        if implementation.install.chart().is_none() {
            let word = implementation.install.word();
            if let Some(what) = needs_chart(case) {
                return Some(format!("{what} a chart; the implementation is installed by `{word}`"));
            }
        }
        let features: BTreeSet<&str> = self.requirements(case).map(|info| info.feature.as_str()).collect();
        if implementation.install.chart().is_none() && features.iter().eq([&CHART]) {
            let word = implementation.install.word();
            return Some(format!("it is about a chart; the implementation is installed by `{word}`"));
        }
        if !features.is_empty() && !features.iter().any(|feature| self.claims.claims(feature)) {
            let features: Vec<&str> = features.into_iter().collect();
            return Some(format!("unclaimed: {}", features.join(", ")));
        }
        let unsupported: Vec<&str> = case
            .requirements
            .iter()
            .filter(|id| self.claims.unsupported.contains(id))
            .map(String::as_str)
            .collect();
        if !unsupported.is_empty() {
            return Some(format!("unsupported by the implementation: {}", unsupported.join(", ")));
        }
        if implementation.settings.leader_lease.is_none()
            && case.actions().any(|action| matches!(action, Action::KillLeader))
        {
            return Some("unsupported: the implementation file names no `settings.leaderLease`".to_owned());
        }
        let launch = implementation.install.command();
        if case.requires_audit() && launch.is_some_and(|launch| launch.account.is_none()) {
            let reason = "the requests of an administrator cannot be told from those of others";
            return Some(format!("{reason} (`install.command.account`)"));
        }
        let has_chart = implementation.install.chart().is_some();
        if has_chart || !is_configured(case) {
            return None;
        }
        let misfits = implementation.mapping.misfits(&case.given);
        let misfit = misfits.into_iter().find(|misfit| misfit.reason != MisfitReason::Unknown)?;
        Some(match misfit.reason {
            MisfitReason::ChartOnly => format!("the setting `{}` takes a chart", misfit.key),
            _ => format!("the setting `{}` is unsupported by the implementation", misfit.key),
        })
    }

    /// Whether the implementation is judged on a standing invariant at all.
    pub(super) fn judges(&self, invariant: &Assertion) -> bool {
        let Some(standing) = &invariant.standing else { return true };
        let feature = self.catalogue.iter().find(|info| info.id == standing.id).map(|info| &info.feature);
        let launch = self.implementation.and_then(|implementation| implementation.install.command());
        let is_anonymous = launch.is_some_and(|launch| launch.account.is_none());
        feature.is_none_or(|feature| self.claims.claims(feature))
            && !self.claims.unsupported.contains(&standing.id)
            && !(is_anonymous && invariant.is_about_requests())
    }

    fn requirements(&self, case: &PlannedCase) -> impl Iterator<Item = &RequirementInfo> {
        self.catalogue.iter().filter(|info| case.requirements.contains(&info.id))
    }
}

/// What of a case takes a chart, if anything does.
fn needs_chart(case: &PlannedCase) -> Option<&'static str> {
    case.actions().find_map(|action| match action {
        Action::Render(_) => Some("`render` takes"),
        Action::Upgrade { .. } => Some("`upgrade` takes"),
        Action::Rollback => Some("`rollback` takes"),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
