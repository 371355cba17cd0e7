//! What the command does on a terminal and with colour, and what it leaves of failed cases where that is asked for.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use hallmark::cluster::process::Supervisor;
use hallmark::cluster::{BackendChoice, ClusterSpec, start};
use hallmark::event::EventSink;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use kube::config::Kubeconfig;
use rstest::rstest;

/// The command beside the suites, whatever the environment of the tests says about colour.
fn hallmark(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    command
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites"))
        .stdin(Stdio::null());
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI", "GITHUB_STEP_SUMMARY"] {
        command.env_remove(variable);
    }
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs nothing, which needs no cluster, and says so in colour or without.
fn is_coloured(arguments: &[&str], environment: &[(&str, &str)]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut run = hallmark(&["run", "planted", "--name", "nothing-like-that"]);
    run.args(arguments).envs(environment.iter().copied()).arg("--report-dir").arg(folder.path());
    let output = run.output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("nothing run:"), "{text}");
    text.contains("\u{1b}[")
}

#[rstest]
#[case::no_terminal(&[], &[], false)]
#[case::asked_for_by_the_environment(&[], &[("CLICOLOR_FORCE", "1")], true)]
#[case::no_color_wins_over_the_environment(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false)]
#[case::always(&["--color", "always"], &[], true)]
#[case::always_wins_over_no_color(&["--color", "always"], &[("NO_COLOR", "1")], true)]
#[case::never(&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false)]
fn colour_is_where_it_is_wanted(
    #[case] arguments: &[&str],
    #[case] environment: &[(&str, &str)],
    #[case] coloured: bool,
) {
    assert_eq!(is_coloured(arguments, environment), coloured);
}

#[rstest]
#[case::bash("bash", "complete -F _hallmark")]
#[case::zsh("zsh", "#compdef hallmark")]
#[case::fish("fish", "complete -c hallmark")]
#[case::elvish("elvish", "edit:completion:arg-completer[hallmark]")]
#[case::powershell("powershell", "Register-ArgumentCompleter -Native -CommandName 'hallmark'")]
fn completions_know_commands_and_options(#[case] shell: &str, #[case] registers: &str) {
    let output = hallmark(&["completions", shell]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let script = String::from_utf8(output.stdout).unwrap();
    for part in [registers, "verify-evidence", "rerun-failed"] {
        assert!(script.contains(part), "{part}");
    }
}

#[test]
fn bash_completes_a_command_from_its_beginning() {
    let script = String::from_utf8(hallmark(&["completions", "bash"]).output().unwrap().stdout).unwrap();
    let ask = "COMP_WORDS=(hallmark verify-e); COMP_CWORD=1; _hallmark hallmark verify-e hallmark; echo ${COMPREPLY[@]}";
    let answer = Command::new("bash").arg("-c").arg(format!("{script}\n{ask}")).output().unwrap();
    assert_eq!(String::from_utf8(answer.stdout).unwrap().trim(), "verify-evidence");
}

/// Writes a suite of two cases, `fails` and `holds`, that need no controller.
fn suite(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let head = "apiVersion: hallmark.dev/v1alpha1\n";
    write(
        "suite.yaml",
        &format!("{head}kind: Suite\nmetadata: {{name: s}}\nspec: {{requirements: r.yaml}}\n"),
    );
    write(
        "r.yaml",
        &format!(
            "{head}kind: Requirements\nrequirements:\n  \
             - {{id: A-01, level: MUST, feature: core, statement: Text., source: text}}\n"
        ),
    );
    std::fs::create_dir(folder.join("fixtures")).unwrap();
    write("fixtures/thing.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: thing}}\n");
    for (name, count) in [("fails", 2), ("holds", 1)] {
        let text = format!(
            "{head}kind: Scenario\nmetadata: {{name: {name}}}\nspec:\n  requirements: [A-01]\n  \
             summary: Text.\n  given: {{subject: none}}\n  steps:\n    \
             - create: {{file: fixtures/thing.yaml, as: thing}}\n  expect:\n    \
             - exactly: {{count: {count}, object: thing}}\n"
        );
        write(&format!("{name}.yaml"), &text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_namespaces_of_failed_cases_are_kept_and_only_where_that_is_asked_for() {
    let (events, _reports) = EventSink::channel();
    let supervisor = Supervisor::at(env!("CARGO_BIN_EXE_hallmark"));
    let spec = ClusterSpec { backend: BackendChoice::Local, supervisor, ..ClusterSpec::default() };
    let cluster = start(&spec, &events).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    suite(folder.path());
    let kubeconfig = cluster.kubeconfig_path().to_owned();
    let context = Kubeconfig::read_from(&kubeconfig).unwrap().current_context.unwrap();
    let namespaces: Api<Namespace> = Api::all(cluster.client().await.unwrap());
    let mut left = Vec::new();
    for keep in [&[][..], &["--keep"]] {
        let mut run = hallmark(&["run", "--cluster", "kubeconfig", "--context", &context]);
        run.arg(folder.path()).args(keep).env("KUBECONFIG", &kubeconfig);
        run.arg("--report-dir").arg(folder.path().join("reports"));
        let output = tokio::task::spawn_blocking(move || run.output().unwrap()).await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let stay = namespaces.list(&ListParams::default()).await.unwrap().items.into_iter();
        // Deleted ones are there until all that was in them is gone.
        let stay = stay.filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
        let names = stay.filter_map(|namespace| namespace.metadata.name);
        left.push(
            names.filter(|name| name.starts_with("fails") || name.starts_with("holds")).collect::<Vec<_>>(),
        );
    }
    cluster.stop().await.unwrap();
    let [without, with] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!(without, &Vec::<String>::new());
    assert!(matches!(with.as_slice(), [one] if one.starts_with("fails-")), "{left:?}");
}
