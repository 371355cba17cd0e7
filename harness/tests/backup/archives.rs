//! What an archive holds.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hallmark::backup::{self, BackupOptions, Limits, Method, VerifyError};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::bed::{Bed, CANARY, NAMESPACES, dynamic};
use crate::disturb::{Disturbance, Fate};

/// [DR-B02] [DR-B03] [DR-B07] [DR-B08]
pub(crate) async fn a_backup_writes_nothing_and_holds_every_object_but_no_secret_value(bed: &Bed) {
    bed.populate().await;
    let (requests, writes) = (bed.requests(), bed.writes());
    let (report, checked) = bed.backup("whole").await;
    assert!(bed.requests() > requests + 10, "the audit log tells the operator's requests");
    assert_eq!(bed.writes(), writes);

    let manifest = &report.manifest;
    assert_eq!(manifest.listing.method, Method::Exact, "{:?}", manifest.listing);
    let counts: Vec<(String, usize)> =
        manifest.kinds.iter().map(|record| (record.kind.plural.clone(), record.count)).collect();
    let expected = [
        ("customresourcedefinitions", 7),
        ("namespaces", 2),
        ("configmaps", 2),
        ("agentproviders", 2),
        ("agents", 2),
        ("implementationsources", 2),
        ("implementationspecs", 2),
        ("memories", 2),
        ("versioncontrolproviders", 2),
        ("agentruns", 14),
    ];
    assert_eq!(counts, expected.map(|(plural, count)| (plural.to_owned(), count)));
    let phases = &manifest.kinds.last().unwrap().phases;
    for phase in ["Succeeded", "Failed", "Cancelled", "Running"] {
        assert_eq!(phases[phase], 2, "{phases:?}");
    }
    let secrets: Vec<String> = manifest
        .required_secrets
        .iter()
        .map(|secret| format!("{}/{} {:?}", secret.namespace, secret.name, secret.keys))
        .collect();
    let expected = NAMESPACES.map(|namespace| {
        [format!("{namespace}/example-github [\"token\"]"), format!("{namespace}/example-memory [\"url\"]")]
    });
    assert_eq!(secrets, expected.concat());

    // Each object once, as it is in the cluster.
    let content = bed.content().await;
    let custom =
        checked.objects.iter().filter(|object| object.path.resource.ends_with("agents.proompteng.ai"));
    let mut seen = 0;
    for object in custom {
        let (kind, namespace) =
            (object.value["kind"].as_str().unwrap(), object.path.namespace.as_deref().unwrap());
        let live = &content[&[kind, namespace, &object.path.name].join(" ")];
        assert_eq!(live["data"]["spec"], object.value["spec"]);
        seen += 1;
    }
    assert_eq!(seen, content.len());

    let file = std::fs::read(bed.path("whole")).unwrap();
    let tar = zstd::decode_all(file.as_slice()).unwrap();
    let holds = |text: &str| tar.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("be brief"), "the ConfigMap that runs refer to is there");
    assert!(!holds(CANARY), "the value of a Secret is in the archive");
}

/// The scope of a backup.
pub(crate) async fn only_the_named_namespaces_are_archived(bed: &Bed) {
    bed.populate().await;
    let of = |namespace: &str| BackupOptions {
        namespaces: vec![namespace.to_owned()],
        ..BackupOptions::default()
    };
    let path = bed.path("one-team");
    let report = backup::take(bed.client(), &of("team-a"), &path, &bed.events).await.unwrap();
    assert_eq!(report.manifest.listing.method, Method::Exact);
    let checked = backup::verify(&path, Limits::default()).unwrap();
    let namespaces: Vec<&str> =
        checked.objects.iter().filter_map(|object| object.path.namespace.as_deref()).collect();
    assert_eq!(namespaces, ["team-a"; 14]);
    assert_eq!(checked.objects.len(), 7 + 1 + 14, "and the definitions and the namespace itself");

    let error =
        backup::take(bed.client(), &of("nobody"), &bed.path("nobody"), &bed.events).await.unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("nobody"), "{error}");
    let other = BackupOptions { groups: vec!["example.dev".to_owned()], ..BackupOptions::default() };
    let error = backup::take(bed.client(), &other, &bed.path("nothing"), &bed.events).await.unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("example.dev"), "{error}");
    assert!(!bed.path("nobody").exists() && !bed.path("nothing").exists());
}

/// [DR-B06]
pub(crate) async fn what_is_being_deleted_is_recorded_and_not_brought_back(bed: &Bed) {
    bed.populate().await;
    bed.api("AgentRun", "team-a").delete("won", &DeleteParams::default()).await.unwrap();
    let (report, checked) = bed.backup("dying").await;
    let path = "resources/agentruns.agents.proompteng.ai/v1alpha1/namespaces/team-a/won.json";
    assert_eq!(report.manifest.terminating.len(), 1);
    assert_eq!(report.manifest.terminating[0].path, path);
    bed.clear().await;
    bed.secrets().await;
    backup::restore(bed.client(), &checked, &Bed::options(), &bed.events).await.unwrap();
    assert_eq!(bed.api("AgentRun", "team-a").get_opt("won").await.unwrap(), None);
    assert!(bed.api("AgentRun", "team-b").get_opt("won").await.unwrap().is_some());
}

/// [DR-B10]
pub(crate) async fn an_unchanged_cluster_gives_the_same_content_digest(bed: &Bed) {
    bed.populate().await;
    let (first, _checked) = bed.backup("first").await;
    let (second, _checked) = bed.backup("second").await;
    assert_eq!(first.manifest.content_digest, second.manifest.content_digest);
    bed.run("team-a", "one-more", "Succeeded").await;
    let (third, _checked) = bed.backup("third").await;
    assert_ne!(first.manifest.content_digest, third.manifest.content_digest);
}

/// [DR-B04] A writer makes an Agent and then a run that names it, and deletes them the other way round: a
/// moment in which a run is there without its Agent never exists.
pub(crate) async fn a_snapshot_shows_one_moment_while_others_write(bed: &Bed) {
    bed.populate().await;
    let done = Arc::new(AtomicBool::new(false));
    let (agents, runs) = (bed.api("Agent", "team-a"), bed.api("AgentRun", "team-a"));
    let writer = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let mut number = 0;
            while !done.load(Ordering::SeqCst) {
                let name = format!("moving-{number}");
                let agent = json!({
                    "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "Agent",
                    "metadata": {"name": name}, "spec": {"providerRef": {"name": "example"}},
                });
                let run = json!({
                    "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun",
                    "metadata": {"name": name},
                    "spec": {
                        "agentRef": {"name": name}, "implementationSpecRef": {"name": "example"},
                        "runtime": {"type": "job"},
                    },
                });
                agents.create(&PostParams::default(), &dynamic(agent)).await.unwrap();
                runs.create(&PostParams::default(), &dynamic(run)).await.unwrap();
                if number >= 5 {
                    let old = format!("moving-{}", number - 5);
                    runs.delete(&old, &DeleteParams::default()).await.unwrap();
                    agents.delete(&old, &DeleteParams::default()).await.unwrap();
                }
                number += 1;
            }
            number
        }
    });
    for round in 0..5 {
        let (report, checked) = bed.backup(&format!("moving-{round}")).await;
        assert_eq!(report.manifest.listing.method, Method::Exact);
        let named = |resource: &str| -> Vec<String> {
            let of = checked.objects.iter().filter(|object| object.path.resource.starts_with(resource));
            of.map(|object| object.path.name.clone()).filter(|name| name.starts_with("moving")).collect()
        };
        let (agents, runs) = (named("agents."), named("agentruns."));
        assert!(runs.iter().all(|run| agents.contains(run)), "{runs:?} without {agents:?}");
        assert!(agents.len() <= runs.len() + 1, "{agents:?} and {runs:?} are of different moments");
        let revision = report.manifest.listing.revision.unwrap();
        for record in &report.manifest.kinds {
            assert_eq!(record.resource_versions, std::slice::from_ref(&revision), "{:?}", record.kind);
        }
    }
    let some = BackupOptions { namespaces: NAMESPACES.map(str::to_owned).into(), ..BackupOptions::default() };
    let to = bed.path("moving-namespaces");
    let manifest = backup::take(bed.admin(), &some, &to, &bed.events).await.unwrap().manifest;
    assert_eq!(manifest.listing.method, Method::Exact);
    let revision = manifest.listing.revision.unwrap();
    for record in &manifest.kinds {
        assert!(record.resource_versions.iter().all(|it| *it == revision), "{record:?}");
    }
    done.store(true, Ordering::SeqCst);
    assert!(writer.await.unwrap() > 10, "the writer was at work");
}

/// [DR-B05]
pub(crate) async fn a_revision_that_is_gone_is_never_mixed_with_another(bed: &Bed) {
    bed.populate().await;
    // One list finds its revision compacted: all begin again at a newer one.
    let refused = Arc::new(AtomicUsize::new(0));
    let once = Disturbance::new({
        let refused = Arc::clone(&refused);
        move |seen| {
            let exact = seen.uri.contains("resourceVersionMatch=Exact") && seen.uri.contains("memories");
            if exact && refused.fetch_add(1, Ordering::SeqCst) == 0 { Fate::Refuse(410) } else { Fate::Pass }
        }
    });
    let options = BackupOptions::default();
    let take = async |disturbance: &Disturbance, name: &str| {
        let client = bed.disturbed(disturbance);
        backup::take(client, &options, &bed.path(name), &bed.events).await.unwrap().manifest
    };
    let manifest = take(&once, "gone-once").await;
    assert_eq!((manifest.listing.method, manifest.listing.attempts), (Method::Exact, 2));
    let revision = manifest.listing.revision.unwrap();
    assert!(manifest.kinds.iter().all(|record| record.resource_versions == [revision.clone()]));

    // None can be listed at a revision: everything is read twice instead, and the manifest says so.
    let always = Disturbance::new(|seen| {
        if seen.uri.contains("resourceVersionMatch=Exact") { Fate::Refuse(410) } else { Fate::Pass }
    });
    let manifest = take(&always, "gone-always").await;
    assert_eq!(manifest.listing.method, Method::DoubleCollect);
    assert_eq!(manifest.listing.revision, None);

    // Nor does anything hold still.
    let admin = bed.admin();
    let restless = Disturbance::new({
        let number = Arc::new(AtomicUsize::new(0));
        let api = bed.api("AgentRun", "team-a");
        move |seen| {
            let number = number.fetch_add(1, Ordering::SeqCst);
            if seen.uri.contains("resourceVersionMatch=Exact") {
                return Fate::Refuse(410);
            }
            let edit = Patch::Merge(json!({"metadata": {"labels": {"edit": number.to_string()}}}));
            let api = api.clone();
            tokio::task::block_in_place(|| {
                let edit = async { api.patch("won", &PatchParams::default(), &edit).await };
                tokio::runtime::Handle::current().block_on(edit).unwrap();
            });
            Fate::Pass
        }
    });
    drop(admin);
    let manifest = take(&restless, "restless").await;
    assert_eq!(manifest.listing.method, Method::PerKind);
}

/// [DR-B09]
pub(crate) async fn a_killed_backup_leaves_nothing_that_verifies(bed: &Bed) {
    bed.populate().await;
    let archive = bed.path("killed");
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
        command.arg("backup").arg(&archive).arg("--kubeconfig").arg(bed.kubeconfig());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let forget = || {
        for file in std::fs::read_dir(bed.folder.path()).unwrap().flatten() {
            if file.file_name().to_string_lossy().contains("killed") {
                std::fs::remove_file(file.path()).unwrap();
            }
        }
    };
    let undisturbed = || {
        forget();
        let begin = std::time::Instant::now();
        assert!(command().status().unwrap().success());
        begin.elapsed()
    };
    let usual = (0..3).map(|_again| undisturbed()).min().unwrap();
    let (mut cut, mut complete) = (0, 0);
    for step in 0..20_u32 {
        forget();
        let mut process = command().spawn().unwrap();
        // From long before the end, where the files appear, to just after it.
        let share = f64::from(30 + 5 * step) / 100.0;
        tokio::time::sleep(Duration::from_secs_f64(usual.as_secs_f64() * share)).await;
        // It may have ended.
        let _ended = process.kill();
        process.wait().unwrap();
        match backup::verify(&archive, Limits::default()) {
            Ok(_complete) => complete += 1,
            Err(VerifyError::NotPublished { .. } | VerifyError::Read { .. }) => cut += 1,
            Err(error) => panic!("a partial archive: {error}"),
        }
    }
    assert!(cut > 0 && cut + complete == 20, "{cut} cut off, {complete} complete");
}
