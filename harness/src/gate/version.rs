//! Which step of the version is due, and whether it was made.
//!
//! From 1.0.0 on these are the rules of Semantic Versioning 2.0.0, § 6 to 8. Below it Semantic Versioning
//! promises nothing (§ 4); here holds what Cargo takes `^` for, and Helm in the dependencies of a chart,
//! too: the first number that is not zero is the one that breaks. So 0.2.3 → 0.3.0 is the breaking step,
//! 0.2.3 → 0.2.4 is enough for everything else, and 0.0.x breaks with every number.

use semver::Version;

use super::chart::{Chart, place};
use super::finding::{Finding, Step};
use super::rules;
use crate::yaml::Location;

/// The step from one version to a later one; what breaks is major, below 1.0.0, too.
pub(super) fn step(from: &Version, to: &Version) -> Step {
    let numbers = |version: &Version| [version.major, version.minor, version.patch];
    let (old, new) = (numbers(from), numbers(to));
    let Some(first) = (0..3).find(|index| old.get(*index) != new.get(*index)) else {
        // A version before the first that counts promised nothing.
        return if from < to && !from.pre.is_empty() { Step::Major } else { Step::None };
    };
    let breaking = old.iter().position(|number| *number != 0).unwrap_or(2);
    match first {
        _ if to < from => Step::None,
        _ if first <= breaking => Step::Major,
        1 => Step::Minor,
        // Below 1.0.0 there is one step for everything that does not break.
        _ if breaking == 1 => Step::Minor,
        _ => Step::Patch,
    }
}

/// The least version that makes the step.
pub(super) fn next(from: &Version, due: Step) -> Version {
    let Version { major, minor, patch, .. } = *from;
    let candidates = [
        Version::new(major, minor, patch + 1),
        Version::new(major, minor + 1, 0),
        Version::new(major + 1, 0, 0),
    ];
    let enough = candidates.iter().find(|candidate| step(from, candidate) >= due);
    enough.unwrap_or(from).clone()
}

/// What is wrong with the version of the new chart, given the step that is due.
pub(super) fn judge(old: &Chart, new: &Chart, due: Step) -> Option<Finding> {
    let at = new.metadata.get("version").map_or(&new.metadata.location, |node| &node.location);
    let (before, after) = (old.text("version"), new.text("version"));
    let finding = |rule, what: String| Some(Finding::new(rule, place(at), "version", what));
    let parsed = |text: &str| Version::parse(text.trim_start_matches('v'));
    let (from, to) = match (parsed(before), parsed(after)) {
        (Ok(from), Ok(to)) => (from, to),
        (_, Err(error)) => {
            return finding(rules::CHART_VERSION_INVALID, format!("`{after}` is no version: {error}"));
        }
        (Err(error), Ok(_)) => {
            let what = format!("`{before}`, the last one, is no version: {error}");
            return finding(rules::CHART_VERSION_INVALID, what);
        }
    };
    if to < from {
        return finding(rules::CHART_VERSION_WENT_BACK, format!("{before} became {after}"));
    }
    if due == Step::None {
        return None;
    }
    let least = next(&from, due);
    if to == from {
        let what = format!("it is still {before}, but the chart changed; {least} is due");
        return finding(rules::CHART_VERSION_NOT_BUMPED, what);
    }
    let made = step(&from, &to);
    (made < due).then(|| {
        let what = format!("{before} became {after}, but {least} is due");
        Finding::new(rules::CHART_VERSION_STEP_TOO_SMALL, place(at), "version", what)
    })
}

/// What Chart.yaml says beside the version: name, appVersion, kubeVersion.
pub(super) fn metadata(old: &Chart, new: &Chart) -> Vec<Finding> {
    let location = |key: &str| -> &Location {
        new.metadata.get(key).map_or(&new.metadata.location, |node| &node.location)
    };
    let mut found = Vec::new();
    let mut tell = |rule, key: &str| {
        let what = format!("`{}` became `{}`", old.text(key), new.text(key));
        found.push(Finding::new(rule, place(location(key)), key, what));
    };
    let changed = |key: &str| old.text(key) != new.text(key);
    if changed("name") {
        tell(rules::CHART_NAME_CHANGED, "name");
    }
    if changed("kubeVersion") {
        tell(rules::CHART_KUBE_VERSION_CHANGED, "kubeVersion");
    }
    if changed("appVersion") {
        let parsed = |chart: &Chart| Version::parse(chart.text("appVersion").trim_start_matches('v')).ok();
        let went_back = parsed(old).zip(parsed(new)).is_some_and(|(old, new)| new < old);
        let rule =
            if went_back { rules::CHART_APP_VERSION_WENT_BACK } else { rules::CHART_APP_VERSION_CHANGED };
        tell(rule, "appVersion");
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.2.3", "1.2.3", Step::None)]
    #[case("1.2.3", "1.2.4", Step::Patch)]
    #[case("1.2.3", "1.3.0", Step::Minor)]
    #[case("1.2.3", "2.0.0", Step::Major)]
    #[case("1.2.3", "1.2.2", Step::None)]
    #[case("0.2.3", "0.2.4", Step::Minor)]
    #[case("0.2.3", "0.3.0", Step::Major)]
    #[case("0.2.3", "1.0.0", Step::Major)]
    #[case("0.0.3", "0.0.4", Step::Major)]
    #[case("0.0.3", "0.1.0", Step::Major)]
    #[case("1.0.0-rc.1", "1.0.0", Step::Major)]
    #[case("1.2.3", "1.3.0-rc.1", Step::Minor)]
    fn a_step_is_what_changes_the_first_number(#[case] from: &str, #[case] to: &str, #[case] expected: Step) {
        let version = |text| Version::parse(text).expect("a version");
        assert_eq!(step(&version(from), &version(to)), expected);
    }

    #[rstest]
    #[case("1.2.3", Step::Patch, "1.2.4")]
    #[case("1.2.3", Step::Minor, "1.3.0")]
    #[case("1.2.3", Step::Major, "2.0.0")]
    #[case("0.2.3", Step::Minor, "0.2.4")]
    #[case("0.2.3", Step::Major, "0.3.0")]
    #[case("0.0.3", Step::Major, "0.0.4")]
    fn the_least_version_that_is_enough(#[case] from: &str, #[case] due: Step, #[case] expected: &str) {
        assert_eq!(next(&Version::parse(from).expect("a version"), due).to_string(), expected);
    }

    fn chart(text: &str) -> Chart {
        Chart::read("c", &BTreeMap::from([("Chart.yaml".to_owned(), text.into())])).expect("reads")
    }

    #[rstest]
    #[case("0.1.0", "0.1.0", Step::None, None)]
    #[case("0.1.0", "0.1.0", Step::Patch, Some("CHART-VERSION-NOT-BUMPED"))]
    #[case("0.1.0", "0.1.1", Step::Minor, None)]
    #[case("0.1.0", "0.1.1", Step::Major, Some("CHART-VERSION-STEP-TOO-SMALL"))]
    #[case("0.1.0", "0.2.0", Step::Major, None)]
    #[case("1.1.0", "1.1.1", Step::Minor, Some("CHART-VERSION-STEP-TOO-SMALL"))]
    #[case("0.2.0", "0.1.9", Step::None, Some("CHART-VERSION-WENT-BACK"))]
    #[case("0.1.0", "1.x", Step::None, Some("CHART-VERSION-INVALID"))]
    fn the_version_has_to_make_the_step_that_is_due(
        #[case] from: &str,
        #[case] to: &str,
        #[case] due: Step,
        #[case] id: Option<&str>,
    ) {
        let chart = |version: &str| chart(&format!("name: a\nversion: {version}\n"));
        let found = judge(&chart(from), &chart(to), due);
        assert_eq!(found.as_ref().map(|finding| finding.rule.id), id);
        assert!(found.is_none_or(|finding| finding.place == "c/Chart.yaml:2"));
    }

    #[test]
    fn app_version_may_not_go_back() {
        let ids = |old: &str, new: &str| -> Vec<&str> {
            let chart = |version| chart(&format!("appVersion: \"{version}\"\n"));
            metadata(&chart(old), &chart(new)).iter().map(|finding| finding.rule.id).collect()
        };
        assert_eq!(ids("0.2.0", "0.1.0"), ["CHART-APP-VERSION-WENT-BACK"]);
        assert_eq!(ids("0.1.0", "0.2.0"), ["CHART-APP-VERSION-CHANGED"]);
        assert!(ids("0.1.0", "0.1.0").is_empty());
    }
}
