//! Somebody else's controller: started by a command, without a chart, with settings of other names.
//!
//! It is the reference controller behind a script that renames its variables, so that nothing reaches it
//! by the names of the specification. Each run starts a local cluster.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests, too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hallmark::cluster::process::Supervisor;
use hallmark::cluster::{BackendChoice, ClusterSpec, start};
use hallmark::event::EventSink;
use hallmark::pulse::Pulse;
use hallmark::subject::{self, Implementation, ReleaseSpec, Subject, SubjectContext, crds};
use hallmark::yaml::{Source, parse_documents, to_yaml};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, ObjectMeta, PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Scenarios that one setting decides, and some that none does.
const BY_VARIABLE: &str = "the-default-ttl-comes-from-the-environment";
const BY_KEY: &str = "without-a-runner-image-the-agent-image-is-used";
const OTHERS: [&str; 3] =
    ["env-vars-decide-the-image-of-the-job", "a-missing-reference-ends-the-run", "deleting-a-running-run"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    parse_documents(&Source::new(path, text)).unwrap().iter().map(hallmark::yaml::Node::to_json).collect()
}

/// The example with changes, in a folder of its own, so that its relative paths are made absolute.
fn implementation(folder: &TempDir, changes: &[(&str, Value)]) -> PathBuf {
    let mut document = documents(&root().join("controller/command-implementation.yaml")).remove(0);
    let base = root().join("controller");
    document["spec"]["install"]["command"]["directory"] = ".".into();
    let absolute = |value: &mut Value| *value = json!(base.join(value.as_str().unwrap()));
    for place in ["build/directory", "run/0", "run/1", "prepare/0", "prepare/1", "directory"] {
        absolute(document.pointer_mut(&format!("/spec/install/command/{place}")).unwrap());
    }
    for (place, value) in changes {
        let (parent, key) = place.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    let file = folder.path().join("implementation.yaml");
    fs::write(&file, to_yaml(&document)).unwrap();
    file
}

/// How the example builds its program.
fn build() -> Value {
    let words = "cargo build --package agents-controller --bin agents-controller --target-dir target";
    json!({"command": words.split(' ').collect::<Vec<_>>(), "directory": root()})
}

/// Changes that make manifests of the example: its account and rights, and a Deployment.
fn as_manifests(folder: &TempDir) -> Vec<(&'static str, Value)> {
    let base = root().join("controller");
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "agents", "namespace": "agents-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "agents"}},
            "template": {
                "metadata": {"labels": {"app": "agents"}},
                "spec": {
                    "serviceAccountName": "agents-sa",
                    "containers": [{
                        "name": "manager",
                        "image": "example.com/agents:v1",
                        "command": ["/renamed", base.join("../target/debug/agents-controller"), "run"],
                        "ports": [{"containerPort": 8080}],
                        // Only the settings of the release can be stronger than this.
                        "env": [{"name": "OTHER_AGENTS_CONTROLLER_NAMESPACES", "value": "nowhere"}],
                    }],
                },
            },
        },
    });
    let file = folder.path().join("deployment.yaml");
    fs::write(&file, to_yaml(&deployment)).unwrap();
    vec![
        (
            "/spec/install",
            json!({"manifests": {"files": [base.join("../charts/agents/crds"), base.join("command/rbac.yaml"), file]}}),
        ),
        (
            "/spec/process",
            json!({
                "build": build(),
                "programs": {"/renamed": base.join("command/renamed.sh")},
                "ports": [{"containerPort": 8080, "env": "PORT"}],
            }),
        ),
    ]
}

/// What a run leaves.
struct Outcome {
    code: Option<i32>,
    stderr: String,
    report: Value,
}

fn run(changes: &[(&str, Value)], names: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    command.args(["run", "--cluster", "local", "--color", "never", "--implementation"]);
    command.arg(implementation(&folder, changes)).arg("--report-dir").arg(&reports).current_dir(root());
    for name in names {
        command.args(["--name", name]);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let file = reports.join("report.yaml");
    let report = if file.exists() { documents(&file).remove(0) } else { Value::Null };
    Outcome { code: output.status.code(), stderr, report }
}

impl Outcome {
    /// Verdicts by case.
    fn verdicts(&self) -> BTreeMap<&str, &str> {
        let cases = self.report["cases"].as_array().unwrap_or_else(|| panic!("{}", self.stderr));
        cases.iter().map(|it| (it["name"].as_str().unwrap(), it["verdict"].as_str().unwrap())).collect()
    }

    /// How long a case took.
    fn seconds(&self, name: &str) -> f64 {
        let cases = self.report["cases"].as_array().unwrap();
        cases.iter().find(|it| it["name"] == name).unwrap()["seconds"].as_f64().unwrap()
    }

    fn profile(&self, name: &str) -> &str {
        let profiles = self.report["profiles"].as_array().unwrap();
        profiles.iter().find(|it| it["name"] == name).unwrap()["verdict"].as_str().unwrap()
    }
}

#[test]
fn a_controller_with_variables_of_its_own_passes() {
    let outcome = run(&[], &[&[BY_VARIABLE, BY_KEY], OTHERS.as_slice()].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let verdicts = outcome.verdicts();
    assert!(verdicts.len() >= 5, "{verdicts:?}");
    assert!(verdicts.values().all(|verdict| *verdict == "passed"), "{verdicts:?}");
    // A selection of cases never says "conformant".
    assert_eq!(outcome.report["result"], "notDecided");
    assert_eq!((outcome.profile("core"), outcome.profile("chart")), ("notDecided", "unclaimed"));
    assert_eq!(outcome.report["run"]["chart"], Value::Null);
}

#[test]
fn settings_by_wrong_names_fail_what_they_decide_and_nothing_else() {
    let names = json!({
        "env.vars.JANGAR_AGENT_RUNNER_JOB_TTL_SECONDS": "JANGAR_MISNAMED",
        "runtime.agentImage": "JANGAR_MISNAMED_TOO",
    });
    let changes = [
        ("/spec/settings/environment", names),
        ("/spec/settings/unsupported", json!(["LC-11"])),
        ("/spec/slack", json!({"within": "2500ms"})),
        // As an administrator it works as well.
        ("/spec/install/command/account", Value::Null),
    ];
    let outcome = run(&changes, &[&[BY_VARIABLE, BY_KEY], OTHERS.as_slice()].concat());
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for (case, verdict) in outcome.verdicts() {
        let expected = match case {
            _ if case.ends_with("/image-of-the-run") => "passed",
            _ if case.starts_with(BY_VARIABLE) || case.starts_with(BY_KEY) => "failed",
            _ if case.starts_with("a-missing-reference") => "skipped",
            _ => "passed",
        };
        assert_eq!(verdict, expected, "{case}: {}", outcome.stderr);
        // What is called promptly, and the slack.
        assert!(verdict != "failed" || outcome.seconds(case) > 7.4, "{case}: {}", outcome.stderr);
    }
    assert_eq!(outcome.profile("core"), "failed");
    let skipped = outcome.report["skipped"][0]["reason"].as_str().unwrap();
    assert_eq!(skipped, "unsupported by the implementation: LC-11");
    assert_eq!(outcome.report["run"]["claims"]["unsupported"], json!(["LC-11"]));
    assert_eq!(outcome.report["run"]["claims"]["slackSeconds"], json!(2.5));
}

#[test]
fn manifests_run_as_their_deployments_say() {
    let folder = tempfile::tempdir().unwrap();
    // Several releases at the same time: each scenario has other settings.
    let outcome = run(&as_manifests(&folder), &[BY_VARIABLE, BY_KEY, OTHERS[0], "a-restarted-controller"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.verdicts().values().all(|verdict| *verdict == "passed"), "{}", outcome.stderr);
    assert!(outcome.verdicts().len() >= 4, "{}", outcome.stderr);
}

/// A release of the manifests in a namespace of its own.
async fn start_release(context: &SubjectContext, namespace: &str) -> Subject {
    let namespaces: Api<Namespace> = Api::all(context.client.clone());
    let metadata = ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() };
    let object = Namespace { metadata, ..Namespace::default() };
    namespaces.create(&PostParams::default(), &object).await.unwrap();
    let values = json!({"replicaCount": 1});
    let release = ReleaseSpec {
        namespace: namespace.to_owned(),
        watched: Vec::new(),
        values,
        shared: false,
        upgraded: false,
    };
    Subject::start(context, release, Arc::new(|_observation| {})).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_release_of_manifests_has_its_own_rights_and_takes_only_them_away() {
    let (events, _reports) = EventSink::channel();
    let supervisor = Supervisor::at(env!("CARGO_BIN_EXE_hallmark"));
    let folder = tempfile::tempdir().unwrap();
    let implementation = Implementation::load(&implementation(&folder, &as_manifests(&folder))).unwrap();
    let build = implementation.process.clone().unwrap().build.unwrap();
    subject::build(&implementation, &build, &events).await.unwrap();
    let spec = ClusterSpec {
        backend: BackendChoice::Local,
        supervisor: supervisor.clone(),
        kinds: crds::of(&implementation, None).await.unwrap(),
        ..ClusterSpec::default()
    };
    let cluster = start(&spec, &events).await.unwrap();
    let client = cluster.client().await.unwrap();
    let context = SubjectContext {
        pulse: Pulse::start(client.clone()),
        client,
        kubeconfig_path: cluster.kubeconfig_path().to_owned(),
        helm: None,
        implementation: Arc::new(implementation),
        supervisor,
        events: events.clone(),
        route: None,
        info: cluster.info().clone(),
    };
    let roles: Api<ClusterRole> = Api::all(context.client.clone());
    let (one, two) = tokio::join!(start_release(&context, "one"), start_release(&context, "two"));
    assert!(roles.get_opt("agents-one").await.unwrap().is_some());
    let role = roles.get("agents-two").await.unwrap();
    let managers = role.metadata.managed_fields.unwrap();
    assert!(managers.iter().all(|entry| entry.manager.as_deref() == Some("hallmark")), "{managers:?}");

    one.retire().await.unwrap();
    assert!(roles.get_opt("agents-one").await.unwrap().is_none());
    let bindings: Api<ClusterRoleBinding> = Api::all(context.client.clone());
    assert!(bindings.get_opt("agents-one").await.unwrap().is_none());
    let binding = bindings.get("agents-two").await.unwrap();
    assert_eq!(binding.role_ref.name, "agents-two");
    assert_eq!(binding.subjects.unwrap()[0].namespace.as_deref(), Some("two"));
    assert_eq!((two.get("/readyz").await.unwrap().status, two.crashed()), (200, None));
    two.retire().await.unwrap();
    cluster.stop().await.unwrap();
}

#[test]
fn a_prefix_renames_what_scenarios_name_in_the_values_of_a_chart() {
    let base = root().join("controller");
    let changes = [
        ("/spec/install", json!({"chart": {"path": base.join("../charts/agents"), "release": "agents"}})),
        (
            "/spec/settings",
            json!({
                "namespaces": {"path": "controller.namespaces", "sharedValues": {"rbac": {"clusterScoped": true}}},
                "environmentPrefix": {"from": "JANGAR_AGENT_RUNNER_", "to": "OTHER_"},
            }),
        ),
        (
            "/spec/process",
            json!({
                "build": build(),
                "programs": {"/agents-controller": base.join("../target/debug/agents-controller")},
                "ports": [{"containerPort": 8080, "env": "PORT"}],
            }),
        ),
    ];
    // The reference controller reads no such names; what the chart itself names stays.
    let outcome = run(&changes, &[BY_VARIABLE, BY_KEY]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for (case, verdict) in outcome.verdicts() {
        let expected = if case.starts_with(BY_VARIABLE) { "failed" } else { "passed" };
        assert_eq!(verdict, expected, "{case}: {}", outcome.stderr);
    }
    assert!(outcome.report["run"]["chart"].is_object());
}

#[test]
fn the_suite_names_settings_as_the_chart_does() {
    let settings = documents(&root().join("scenarios/settings.yaml")).remove(0);
    let template = fs::read_to_string(root().join("charts/agents/templates/_env.tpl")).unwrap();
    let row = regex::Regex::new(r#"(?m)^([A-Z_]+): \{\{ include "agents.env.text" \$(\w+)\.([\w.]+) \}\}$"#)
        .unwrap();
    let mut rows = 0;
    for row in row.captures_iter(&template) {
        let above = match &row[2] {
            "c" => "controller.",
            "policy" => "controller.admissionPolicy.",
            "workload" => "controller.defaultWorkload.",
            "lease" => "controller.leaderElection.",
            "auth" => "controller.authSecret.",
            "backup" => "controller.backup.",
            "grpc" => "grpc.",
            "v" => "",
            name => panic!("the chart takes values from ${name}, whose keys nobody knows here"),
        };
        let key = format!("{above}{}", &row[3]);
        assert_eq!(settings["spec"]["environment"][&key], row[1], "{key}");
        rows += 1;
    }
    assert!(rows > 50, "{rows} rows were recognised");
}

#[test]
fn a_setting_without_a_name_is_wrong_usage_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite");
    fs::create_dir(&suite).unwrap();
    let files = [
        (
            "suite.yaml",
            "apiVersion: hallmark.dev/v1alpha1\nkind: Suite\nmetadata: {name: s}\n\
             spec: {requirements: requirements.yaml, implementation: none.yaml}\n",
        ),
        (
            "requirements.yaml",
            "apiVersion: hallmark.dev/v1alpha1\nkind: Requirements\nrequirements:\n  \
             - {id: A-01, statement: a, level: MUST, feature: core, source: D}\n",
        ),
        (
            "it.yaml",
            "apiVersion: hallmark.dev/v1alpha1\nkind: Scenario\nmetadata: {name: it}\nspec:\n  \
             requirements: [A-01]\n  summary: It holds.\n  given:\n    values:\n      \
             limits: {size: 3}\n  expect: [{always: {job: {}, matches: {}}}]\n",
        ),
    ];
    for (name, text) in files {
        fs::write(suite.join(name), text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .args(["run", "--cluster", "local", "--color", "never"])
        .arg(&suite)
        .arg("--implementation")
        .arg(implementation(&folder, &[]))
        .arg("--report-dir")
        .arg(folder.path().join("reports"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("`limits.size` has no name") && stderr.contains("it.yaml:9:16"), "{stderr}");
    assert!(!folder.path().join("reports").exists(), "there is nothing to be reported");
}
