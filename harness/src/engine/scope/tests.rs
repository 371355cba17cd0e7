//! Which cases an implementation is asked, and what its file has to say before any is.

use std::path::Path;

use rstest::rstest;

use super::*;

const CATALOGUE: &str = "\
apiVersion: hallmark.dev/v1alpha1
kind: Requirements
requirements:
  - {id: A-01, statement: a, level: MUST, feature: core, source: D}
  - {id: B-01, statement: b, level: MUST, feature: limits, source: D}
  - {id: C-01, statement: c, level: MUST, feature: chart, source: D}
";
const SUITE: &str = "\
apiVersion: hallmark.dev/v1alpha1
kind: Suite
metadata: {name: s}
spec: {requirements: requirements.yaml, implementation: none.yaml, settings: settings.yaml}
";
const SETTINGS: &str = "\
apiVersion: hallmark.dev/v1alpha1
kind: Settings
spec: {environment: {ttl: TTL, size: SIZE}, chartOnly: [split]}
";

/// A suite of one scenario, which has these requirements, values and steps.
fn suite(requirements: &str, values: &str, steps: &str) -> Suite {
    let folder = tempfile::tempdir().unwrap();
    let scenario = format!(
        "apiVersion: hallmark.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: it}}\nspec:\n  \
         requirements: {requirements}\n  summary: It holds.\n  given:\n    subject: dedicated\n    \
         values: {values}\n  steps: {steps}\n  expect: [{{always: {{job: {{}}, matches: {{}}}}}}]\n"
    );
    let files = [
        ("suite.yaml", SUITE),
        ("requirements.yaml", CATALOGUE),
        ("settings.yaml", SETTINGS),
        ("it.yaml", &scenario),
    ];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Suite::load(folder.path()).unwrap_or_else(|error| panic!("{:?}", error.diagnostics))
}

fn implementation(install: &str, spec: &str) -> Implementation {
    let text = format!(
        "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {{name: n}}\nspec:\n  \
         install: {install}\n  health: {{ready: {{port: 8080, path: /readyz}}}}\n{spec}"
    );
    Implementation::parse(&Source::new(Path::new("file.yaml"), text)).unwrap()
}

const COMMAND: &str = "{command: {run: [x]}}";
const CHART: &str = "{chart: {path: c, release: r}}";
const CHART_SETTINGS: &str = "  settings: {namespaces: {path: ns}}\n";

fn declined(install: &str, spec: &str, suite: &Suite) -> Option<String> {
    let fitted = fit(implementation(install, spec), suite).unwrap();
    Scope::new(Some(&fitted), suite.requirements()).declines(&suite.cases()[0])
}

#[rstest]
#[case::upgrade("[A-01]", "[{upgrade: {values: {ttl: 1}}}]", "`upgrade` takes a chart")]
#[case::rollback("[A-01]", "[{rollback: {}}]", "`rollback` takes a chart")]
#[case::render("[A-01]", "[{render: {}}]", "`render` takes a chart")]
#[case::about_charts("[C-01]", "[]", "about a chart")]
fn what_takes_a_chart_is_asked_of_charts_only(
    #[case] requirements: &str,
    #[case] steps: &str,
    #[case] reason: &str,
) {
    let suite = suite(requirements, "{}", steps);
    let found = declined(COMMAND, "", &suite).unwrap();
    assert!(found.contains(reason), "{found}");
    assert_eq!(declined(CHART, CHART_SETTINGS, &suite), None);
}

#[rstest]
#[case::claimed("[B-01]", "[limits]", None)]
#[case::unclaimed("[B-01]", "[]", Some("unclaimed: limits"))]
#[case::core_is_always_claimed("[A-01]", "[]", None)]
#[case::one_of_several("[A-01, B-01]", "[]", None)]
fn a_feature_that_is_not_claimed_is_not_asked_for(
    #[case] requirements: &str,
    #[case] features: &str,
    #[case] expected: Option<&str>,
) {
    let suite = suite(requirements, "{}", "[]");
    let spec = format!("  features: {features}\n");
    assert_eq!(declined(COMMAND, &spec, &suite).as_deref(), expected);
    // A chart that claims nothing in particular claims all.
    assert_eq!(declined(CHART, CHART_SETTINGS, &suite), None);
}

#[rstest]
#[case::requirement("[B-01]", "{}", "B-01")]
#[case::setting("[A-01]", "{size: 3}", "`size` is unsupported")]
#[case::for_charts("[A-01]", "{split: true}", "`split` takes a chart")]
fn what_is_unsupported_is_skipped_with_its_name(
    #[case] requirements: &str,
    #[case] values: &str,
    #[case] reason: &str,
) {
    let suite = suite(requirements, values, "[]");
    let spec = "  settings: {unsupported: [B-01, size]}\n";
    let found = declined(COMMAND, spec, &suite).unwrap();
    assert!(found.contains(reason), "{found}");
}

#[test]
fn a_setting_without_a_name_is_an_error_at_the_scenario() {
    let suite = suite("[A-01]", "{ttl: 1, weight: {of: 3}}", "[]");
    let error = fit(implementation(COMMAND, ""), &suite).unwrap_err();
    let [problem] = error.diagnostics.as_slice() else { panic!("{error:?}") };
    assert_eq!(problem.message, "the setting `weight.of` has no name");
    assert!(problem.location.to_string().ends_with("it.yaml:9:31"), "{problem}");
    assert!(problem.help.as_ref().unwrap().contains("file.yaml"));
    // Named or declared, it is none, and a chart names its own.
    let named = "  settings: {environment: {weight.of: WEIGHT}}\n";
    assert!(fit(implementation(COMMAND, named), &suite).is_ok());
    let unsupported = "  settings: {unsupported: [weight]}\n";
    assert!(fit(implementation(COMMAND, unsupported), &suite).is_ok());
    assert!(fit(implementation(CHART, CHART_SETTINGS), &suite).is_ok());
}

#[rstest]
#[case::unknown(COMMAND, "[limit]", "unknown feature `limit`")]
#[case::chart_without_chart(COMMAND, "[chart]", "takes an implementation that is installed by a chart")]
fn only_features_that_it_can_have_are_claimed(
    #[case] install: &str,
    #[case] features: &str,
    #[case] message: &str,
) {
    let suite = suite("[A-01]", "{}", "[]");
    let error = fit(implementation(install, &format!("  features: {features}\n")), &suite).unwrap_err();
    assert!(error.diagnostics[0].message.contains(message), "{error:?}");
}

#[rstest]
#[case::setting("{environment: {tll: TTL}}", "no scenario knows a setting `tll`")]
#[case::unsupported("{unsupported: [B-1]}", "`B-1` is neither a requirement nor a setting")]
fn a_misspelled_name_is_no_silent_nothing(#[case] settings: &str, #[case] message: &str) {
    let suite = suite("[A-01]", "{ttl: 1}", "[]");
    let spec = format!("  settings: {settings}\n");
    let error = fit(implementation(COMMAND, &spec), &suite).unwrap_err();
    assert!(error.diagnostics[0].message.contains(message), "{error:?}");
}

#[test]
fn without_a_chart_all_features_are_all_others() {
    let suite = suite("[A-01]", "{}", "[]");
    let fitted = fit(implementation(COMMAND, ""), &suite).unwrap();
    assert_eq!(claims(&fitted).features, Some(vec!["core".to_owned(), "limits".to_owned()]));
    let fitted = fit(implementation(CHART, CHART_SETTINGS), &suite).unwrap();
    assert_eq!(claims(&fitted), Claims::default());
}
