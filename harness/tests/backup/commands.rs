//! The commands as people call them: how a cluster is named, what is printed, and the exit codes.

use std::path::Path;
use std::process::Output;

use flate2::Compression;
use flate2::write::GzEncoder;
use hallmark::backup::{self, Limits};
use hallmark::exit;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::bed::Bed;

/// Calls a command with the cluster's context, which it finds by the variable.
async fn call(bed: &Bed, command: &str, archive: &Path, options: &[&str]) -> Output {
    let context = Kubeconfig::read_from(bed.kubeconfig()).unwrap().current_context.unwrap();
    let mut hallmark = Command::new(env!("CARGO_BIN_EXE_hallmark"));
    hallmark.env("KUBECONFIG", bed.kubeconfig()).arg(command).arg(archive);
    hallmark.args(["--context", &context]).args(options).output().await.unwrap()
}

#[track_caller]
fn came_to(output: &Output, code: u8, message: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(code)), "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
}

#[track_caller]
fn printed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The steps before a restore: the backup with the digest of the database's dump, and two looks at the target.
pub(crate) async fn a_dry_run_looks_at_everything_and_writes_nothing(bed: &Bed) {
    bed.populate().await;
    let archive = bed.path("tried");
    let dump = "5e".repeat(32);
    let output = call(bed, "backup", &archive, &["--idempotency-store", &dump]).await;
    came_to(&output, exit::CONFORMANT, "listed exact");
    let manifest = backup::verify(&archive, Limits::default()).unwrap().manifest;
    assert_eq!(manifest.idempotency_store, Some(dump));

    bed.clear().await;
    bed.secrets().await;
    let locks: Api<Lease> = Api::namespaced(bed.admin(), "default");
    let lock = async || locks.get_opt("hallmark-restore").await.unwrap();
    let before = (bed.versions().await, lock().await);
    let flags = ["--assume-no-controller", "--json", "--dry-run"];
    for (command, options) in [("verify", &flags[..2]), ("restore", &flags[..])] {
        let output = call(bed, command, &archive, options).await;
        came_to(&output, exit::CONFORMANT, "dry run: 35 created, 0 completed, 2 unchanged");
        let report = printed(&output);
        assert_eq!((&report["dryRun"], &report["created"]), (&json!(true), &json!(35)));
        let output = call(bed, command, &archive, &options[1..]).await;
        came_to(&output, exit::REFUSED, "help: create the ConfigMap `agents-restore-hold`");
        assert_eq!(printed(&output)["findings"][0]["problem"], "noHold");
    }
    assert_eq!((bed.versions().await, lock().await), before);
}

/// A dry run that is green says what it did not try, and what objects refer to that nobody brings back.
pub(crate) async fn what_a_dry_run_cannot_try_is_told(bed: &Bed) {
    bed.populate().await;
    let archive = bed.path("untried");
    let output = call(bed, "backup", &archive, &["--config-maps", "none"]).await;
    came_to(&output, exit::CONFORMANT, "listed exact");
    bed.clear().await;
    bed.secrets().await;
    let output = call(bed, "restore", &archive, &["--assume-no-controller", "--json", "--dry-run"]).await;
    came_to(&output, exit::CONFORMANT, "dry run: ");
    let report = printed(&output);
    let warnings: Vec<&str> =
        report["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let has = |text: &str| warnings.iter().any(|warning| warning.contains(text));
    assert!(has("the ConfigMap team-a/prompt is neither in the archive nor in the target"), "{warnings:?}");
    assert!(has("of agentruns.agents.proompteng.ai, which the target does not serve"), "{warnings:?}");
}

/// [DR-R04] [DR-R05] [DR-R08] [DR-X08]
pub(crate) async fn every_end_of_a_restore_has_its_exit_code(bed: &Bed) {
    bed.populate().await;
    let (_report, _checked) = bed.backup("ends").await;
    let archive = bed.path("ends");
    let restore = async |options: &[&str]| {
        let options = [&["--assume-no-controller", "--json"][..], options].concat();
        call(bed, "restore", &archive, &options).await
    };

    // Another restore runs.
    let locks: Api<Lease> = Api::namespaced(bed.admin(), "default");
    let _absent = locks.delete("hallmark-restore", &DeleteParams::default()).await;
    let now = format!("{:.6}", Timestamp::now());
    let lock = json!({
        "metadata": {"name": "hallmark-restore"},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 600, "renewTime": now},
    });
    locks.create(&PostParams::default(), &serde_json::from_value(lock).unwrap()).await.unwrap();
    came_to(&restore(&[]).await, exit::LOCKED, "somebody holds the Lease default/hallmark-restore");
    locks.delete("hallmark-restore", &DeleteParams::default()).await.unwrap();

    // A name is taken.
    let edit = Patch::Merge(json!({"spec": {"parameters": {"repository": "another/one"}}}));
    bed.api("AgentRun", "team-a").patch("won", &PatchParams::default(), &edit).await.unwrap();
    let output = restore(&[]).await;
    came_to(&output, exit::REFUSED, "agentruns.agents.proompteng.ai team-a/won exists and differs");
    assert_eq!(printed(&output)["outcome"], "FailedValidation");
    let output = restore(&["--existing", "skip"]).await;
    came_to(&output, exit::RESTORED_WITH_SKIPS, "skipped: agentruns.agents.proompteng.ai team-a/won");
    assert_eq!(printed(&output)["outcome"], "CompletedWithSkips");

    // The target fills in a field, which only the comparison notices.
    let definitions: Api<CustomResourceDefinition> = Api::all(bed.admin());
    let of_runs = "agentruns.agents.proompteng.ai";
    let mut definition = serde_json::to_value(definitions.get(of_runs).await.unwrap()).unwrap();
    definition["metadata"] = json!({"name": of_runs});
    definition.as_object_mut().unwrap().remove("status");
    let added = json!({"type": "string", "default": "by the target"});
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["added"] =
        added;
    bed.clear().await;
    bed.secrets().await;
    hallmark::cluster::kinds::serve(&bed.admin(), &[definition]).await.unwrap();
    let output = restore(&[]).await;
    came_to(&output, exit::PARTLY_RESTORED, "team-a/won: it is not as it was written: spec.added differ");
    assert_eq!(printed(&output)["outcome"], "PartiallyFailed");
}

/// No cluster is asked.
pub(crate) async fn runs_that_velero_would_execute_again_are_listed(bed: &Bed) {
    let run = |name: &str, phase: &str, restored: bool| {
        let annotations = if restored { json!({"velero.io/restore-status": "true"}) } else { json!({}) };
        let metadata = json!({"name": name, "namespace": "team-a", "annotations": annotations});
        (name.to_owned(), json!({"metadata": metadata, "spec": {}, "status": {"phase": phase}}))
    };
    let runs = [
        run("won", "Succeeded", false),
        run("won-restored", "Succeeded", true),
        run("going", "Running", false),
        run("going-restored", "Running", true),
        run("queued", "Pending", false),
    ];
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, run) in runs {
        let path = format!("resources/agentruns.agents.proompteng.ai/namespaces/team-a/{name}.json");
        let content = run.to_string();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    let archive = bed.folder.path().join("velero.tar.gz");
    std::fs::write(&archive, builder.into_inner().unwrap().finish().unwrap()).unwrap();
    let inspect = async |options: &[&str]| {
        let mut hallmark = Command::new(env!("CARGO_BIN_EXE_hallmark"));
        hallmark.arg("inspect").arg(&archive).args(options).output().await.unwrap()
    };

    let output = inspect(&["--json"]).await;
    came_to(&output, exit::CONFORMANT, "");
    let found = printed(&output);
    let of = |name: &str| format!("agentruns.agents.proompteng.ai team-a/{name}");
    assert_eq!(found["executedAgain"], json!([of("won"), of("going")]));
    assert_eq!((&found["archive"], &found["terminalRuns"]), (&json!("velero"), &json!(2)));
    assert_eq!(found["undecided"], json!({"Pending": 1, "Running": 2}));

    let text = String::from_utf8(inspect(&[]).await.stdout).unwrap();
    for line in [
        "finished runs     2".to_owned(),
        "executed again    2 by a restore".to_owned(),
        format!("executed again: {}", of("won")),
        format!("executed again: {}", of("going")),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(!text.contains("-restored") && !text.contains("queued"), "{text}");
}
