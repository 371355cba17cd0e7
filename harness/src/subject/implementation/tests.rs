//! What an implementation file may say, and where each mistake is found.

use rstest::rstest;

use super::*;

const MINIMAL: &str = "\
apiVersion: hallmark.dev/v1alpha1
kind: Implementation
metadata: {name: mine}
spec:
  install: {chart: {path: chart, release: mine}}
  settings: {namespaces: {path: watch.namespaces}}
  health: {ready: {port: 8080, path: /readyz}}
";

fn parse(text: &str) -> Result<Implementation, Box<Diagnostic>> {
    Implementation::parse(&Source::new("somewhere/implementation.yaml", text))
}

#[test]
fn a_minimal_file_gets_defaults_and_paths_relative_to_itself() {
    let implementation = parse(MINIMAL).unwrap();
    let ready = &implementation.health.ready;
    assert_eq!((ready.status, ready.within), (200, Duration::from_mins(1)));
    assert_eq!(implementation.chart().unwrap(), Path::new("somewhere/chart"));
    assert!(implementation.process.is_none() && implementation.images.is_empty());
    assert!(implementation.install.values().is_empty());
}

#[test]
fn a_deadline_is_a_duration_with_its_unit() {
    let within = |text: &str| parse(&MINIMAL.replace("/readyz", &format!("/readyz, within: {text}")));
    assert_eq!(within("1m30s").unwrap().health.ready.within, Duration::from_secs(90));
    assert!(within("90").is_err());
    assert!(within("-3s").is_err());
}

#[rstest]
#[case::unknown_field("metadata: {name: mine}", "metadata: {name: mine, nmae: x}", "nmae", 3, 24)]
#[case::wrong_type("port: 8080", "port: http", "u16", 7, 26)]
#[case::values_no_mapping("release: mine", "release: mine, values: [a]", "map", 5, 57)]
#[case::other_version("v1alpha1", "v2", "hallmark.dev/v2", 1, 13)]
#[case::other_kind("Implementation", "Scenario", "Scenario", 2, 7)]
#[case::missing_section("  health:", "  #", "missing field `health`", 5, 3)]
#[case::relative_ready_path("/readyz", "readyz", "must begin with `/`", 7, 38)]
#[case::not_yaml("metadata: {name: mine}", "metadata: {name: mine", "", 4, 5)]
fn a_mistake_is_found_where_it_was_made(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] message: &str,
    #[case] line: usize,
    #[case] column: usize,
) {
    let diagnostic = parse(&MINIMAL.replace(right, wrong)).unwrap_err();
    assert!(diagnostic.message.contains(message), "{diagnostic}");
    let span = diagnostic.location.span;
    assert_eq!((span.line, span.column), (line, column), "{diagnostic}");
}

#[rstest]
#[case::command_without_settings("command: {run: [a, b]}", "settings: {}", true)]
#[case::chart_without_namespaces("chart: {path: c, release: r}", "settings: {}", false)]
#[case::chart_that_names_variables(
    "chart: {path: c, release: r}",
    "settings: {namespaces: {path: n}, environment: {a: A}}",
    false
)]
#[case::empty_command("command: {run: []}", "settings: {}", false)]
#[case::command_with_containers("command: {run: [a]}", "process: {programs: {}}", false)]
#[case::two_kinds("{command: {run: [a]}, manifests: {files: [a]}}", "settings: {}", false)]
#[case::no_kind("{}", "settings: {}", false)]
fn each_kind_of_install_has_its_own_sections(#[case] install: &str, #[case] more: &str, #[case] reads: bool) {
    let install = if install.starts_with('{') { install.to_owned() } else { format!("{{{install}}}") };
    let text = MINIMAL
        .replace("{chart: {path: chart, release: mine}}", &install)
        .replace("settings: {namespaces: {path: watch.namespaces}}", more);
    assert_eq!(parse(&text).is_ok(), reads, "{text}");
}

#[test]
fn a_command_is_its_own_program() {
    let launch = "command: {run: [bin/manager, --x], ports: [{port: 8080, env: PORT}]}";
    let text = MINIMAL.replace("chart: {path: chart, release: mine}", launch);
    let implementation = parse(&text).unwrap();
    let process = implementation.process.unwrap();
    assert_eq!(process.programs["bin/manager"], Path::new("bin/manager"));
    assert_eq!((process.ports[0].container_port, process.ports[0].env.as_deref()), (8080, Some("PORT")));
    assert_eq!(implementation.install.command().unwrap().grace, Duration::from_secs(30));
}

#[test]
fn slack_has_a_bound() {
    let slack =
        |text: &str| parse(&MINIMAL.replace("  health:", &format!("  slack: {{within: {text}}}\n  health:")));
    assert_eq!(slack("5s").unwrap().slack, Duration::from_secs(5));
    assert_eq!(slack("10s").unwrap().slack, MOST_SLACK);
    assert!(slack("10001ms").unwrap_err().message.contains("more than 10 s"));
    assert_eq!(parse(MINIMAL).unwrap().slack, Duration::ZERO);
}

#[rstest]
#[case::nothing("")]
#[case::two_documents(&format!("{MINIMAL}---\n{MINIMAL}"))]
fn a_file_holds_one_document(#[case] text: &str) {
    parse(text).unwrap_err();
}

#[test]
fn a_chart_that_is_not_there_is_found_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("implementation.yaml");
    std::fs::write(&path, MINIMAL).unwrap();
    let Err(ImplementationError::Invalid(diagnostic)) = Implementation::load(&path) else {
        panic!("the chart does not exist");
    };
    assert_eq!(diagnostic.message, "there is no chart at `chart`");
    assert_eq!(diagnostic.location.span.line, 5);

    std::fs::create_dir(folder.path().join("chart")).unwrap();
    std::fs::write(folder.path().join("chart/Chart.yaml"), "").unwrap();
    Implementation::load(&path).unwrap();
}
