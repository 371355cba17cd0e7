//! What keeps a restore from beginning, or from going on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hallmark::backup::{
    self, Checked, Finding, LeaderGuard, Outcome, RestoreError, RestoreOptions, RestoreReport,
};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::bed::{Bed, core, counting, dynamic};
use crate::disturb::{Disturbance, Fate};

async fn restore(
    bed: &Bed,
    checked: &Checked,
    options: &RestoreOptions,
) -> Result<RestoreReport, RestoreError> {
    backup::restore(bed.client(), checked, options, &bed.events).await
}

/// What stands in the way; nothing must have changed.
async fn refused(bed: &Bed, checked: &Checked, options: &RestoreOptions) -> Vec<String> {
    let versions = bed.versions().await;
    let error = restore(bed, checked, options).await.unwrap_err();
    assert_eq!(bed.versions().await, versions);
    let RestoreError::Refused(findings) = error else { panic!("{error:?}") };
    findings.iter().map(ToString::to_string).collect()
}

/// [DR-R06] [DR-R14] [DR-R15] [DR-R16] [DR-R18]
pub(crate) async fn obstacles_are_named_before_anything_is_written(bed: &Bed) {
    bed.populate().await;
    let (_report, checked) = bed.backup("obstacles").await;
    bed.clear_namespaces().await;

    // Nothing is there: neither kinds, which are not to be restored, nor Secrets.
    let without = RestoreOptions { definitions: false, ..Bed::options() };
    let findings = refused(bed, &checked, &without).await;
    let has = |text: &str| findings.iter().filter(|finding| finding.contains(text)).count();
    assert_eq!(has("is not served"), 7, "{findings:#?}");
    assert_eq!(has("agentruns.agents.proompteng.ai (v1alpha1) is not served"), 1);
    assert_eq!(has("the Secret"), 4);
    assert_eq!(has("the Secret team-b/example-memory, which 1 object needs, is missing"), 1);

    // A Secret without the key.
    bed.secrets().await;
    let secrets: Api<DynamicObject> = Api::namespaced_with(bed.admin(), "team-a", &core("Secret", "secrets"));
    secrets.delete("example-memory", &DeleteParams::default()).await.unwrap();
    bed.secret("team-a", "example-memory", "other").await;
    let findings = refused(bed, &checked, &Bed::options()).await;
    assert_eq!(findings, ["the Secret team-a/example-memory, which 1 object needs, has no key url"]);

    // A quota that leaves too little room.
    secrets.delete("example-memory", &DeleteParams::default()).await.unwrap();
    bed.secret("team-a", "example-memory", "url").await;
    let quotas: Api<ResourceQuota> = Api::namespaced(bed.admin(), "team-a");
    let quota = json!({"metadata": {"name": "small"}, "spec": {"hard": {"count/agentruns.agents.proompteng.ai": "6"}}});
    quotas.create(&PostParams::default(), &serde_json::from_value(quota).unwrap()).await.unwrap();
    bed.until("the quota counts", async || {
        let status = quotas.get("small").await.unwrap().status;
        status.is_some_and(|status| status.hard.is_some())
    })
    .await;
    let findings = refused(bed, &checked, &Bed::options()).await;
    assert_eq!(
        findings,
        [
            "the ResourceQuota team-a/small leaves room for 6 of agentruns.agents.proompteng.ai, and 7 would be created"
        ]
    );
    quotas.delete("small", &DeleteParams::default()).await.unwrap();

    // For later, when a webhook may be in the way.
    let keep = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "keep", "finalizers": ["hallmark.dev/keep"]}});
    let maps: Api<DynamicObject> =
        Api::namespaced_with(bed.admin(), "team-b", &core("ConfigMap", "configmaps"));
    maps.create(&PostParams::default(), &dynamic(keep)).await.unwrap();

    // A webhook that must be asked and does not answer.
    let hooks = Api::<ValidatingWebhookConfiguration>::all(bed.admin());
    let hook = json!({"metadata": {"name": "silent"}, "webhooks": [{
        "name": "silent.hallmark.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "failurePolicy": "Fail", "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{
            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"],
        }],
    }]});
    hooks.create(&PostParams::default(), &serde_json::from_value(hook).unwrap()).await.unwrap();
    bed.until("the webhook is asked", async || {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tried"}});
        let maps: Api<DynamicObject> =
            Api::namespaced_with(bed.admin(), "team-a", &core("ConfigMap", "configmaps"));
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        maps.create(&parameters, &dynamic(map)).await.is_err()
    })
    .await;
    let findings = refused(bed, &checked, &Bed::options()).await;
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.contains("silent.hallmark.dev")), "{findings:#?}");
    hooks.delete("silent", &DeleteParams::default()).await.unwrap();

    // A namespace that is being deleted, and stays so.
    let namespaces: Api<DynamicObject> = Api::all_with(bed.admin(), &core("Namespace", "namespaces"));
    namespaces.delete("team-b", &DeleteParams::default()).await.unwrap();
    let with = RestoreOptions { allow_missing_secrets: true, ..Bed::options() };
    bed.until("only what has a finalizer is left", async || {
        let secrets: Api<DynamicObject> =
            Api::namespaced_with(bed.admin(), "team-b", &core("Secret", "secrets"));
        secrets.list(&kube::api::ListParams::default()).await.unwrap().items.is_empty()
    })
    .await;
    let error = restore(bed, &checked, &with).await.unwrap_err();
    let RestoreError::Refused(findings) = error else { panic!("{error:?}") };
    let dying = Finding::Terminating { object: "namespaces team-b".to_owned() };
    assert!(findings.contains(&dying), "{findings:#?}");
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("keep", &PatchParams::default(), &free).await.unwrap();
}

/// Who may not read Secrets and quotas restores all the same, and knows what was not looked at.
pub(crate) async fn what_nobody_may_look_at_is_told(bed: &Bed) {
    bed.populate().await;
    let (_report, checked) = bed.backup("forbidden").await;
    bed.clear().await;
    bed.secrets().await;
    let forbidden = Disturbance::new(|seen| {
        let guarded = seen.uri.contains("/secrets") || seen.uri.contains("/resourcequotas");
        if guarded { Fate::Refuse(403) } else { Fate::Pass }
    });
    let client = bed.disturbed(&forbidden);
    let tried = RestoreOptions { dry_run: true, ..Bed::options() };
    let report = backup::restore(client, &checked, &tried, &bed.events).await.unwrap();
    let unchecked: Vec<&str> = report
        .warnings
        .iter()
        .filter_map(|warning| warning.strip_prefix("not checked: ")?.strip_suffix(": injected by the test"))
        .collect();
    let expected = [
        "the Secret team-a/example-github",
        "the Secret team-a/example-memory",
        "the Secret team-b/example-github",
        "the Secret team-b/example-memory",
        "the quotas of namespace team-a",
        "the quotas of namespace team-b",
    ];
    assert_eq!(unchecked, expected, "{:?}", report.warnings);
}

/// [DR-R02]
pub(crate) async fn a_leader_without_hold_is_not_overtaken(bed: &Bed) {
    bed.populate().await;
    let (_report, checked) = bed.backup("led").await;
    let elsewhere = json!({"metadata": {"name": "agents-restore-hold"}});
    let elsewhere: ConfigMap = serde_json::from_value(elsewhere).unwrap();
    bed.clear().await;
    bed.secrets().await;
    let guarded = RestoreOptions { guard: LeaderGuard::default(), ..Bed::options() };
    // A controller that is alone has no Lease: that nobody leads says nothing.
    let findings = refused(bed, &checked, &guarded).await;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(findings[0].starts_with("no hold keeps a controller still"), "{findings:?}");
    // Nor does a hold say that a controller is where it is.
    let holds: Api<ConfigMap> = Api::namespaced(bed.admin(), "kube-public");
    holds.create(&PostParams::default(), &elsewhere).await.unwrap();
    let findings = refused(bed, &checked, &guarded).await;
    assert!(findings[0].ends_with("with --controller-namespace"), "{findings:?}");
    holds.delete("agents-restore-hold", &DeleteParams::default()).await.unwrap();

    let leases: Api<Lease> = Api::namespaced(bed.admin(), "default");
    let lease = json!({
        "metadata": {"name": "agents-controller-leader"},
        "spec": {
            // Of a leader that was killed long ago: the next replica that looks becomes the leader.
            "holderIdentity": "agents-0", "leaseDurationSeconds": 15,
            "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    });
    leases.create(&PostParams::default(), &serde_json::from_value(lease).unwrap()).await.unwrap();
    let findings = refused(bed, &checked, &guarded).await;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(
        findings[0].contains("agents-0 leads") && findings[0].contains("agents-restore-hold"),
        "{findings:?}"
    );

    let maps: Api<ConfigMap> = Api::namespaced(bed.admin(), "default");
    let hold = json!({"metadata": {"name": "agents-restore-hold"}, "data": {"owner": "test"}});
    let hold: ConfigMap = serde_json::from_value(hold).unwrap();
    maps.create(&PostParams::default(), &hold).await.unwrap();
    // It is taken away while what runs refer to is restored: no run is.
    let released = Disturbance::new({
        let maps = maps.clone();
        move |seen| {
            if seen.write > 0 && seen.uri.contains("/agentproviders") {
                tokio::task::block_in_place(|| {
                    let release =
                        async { maps.delete("agents-restore-hold", &DeleteParams::default()).await };
                    // The second of them finds it gone.
                    let _absent = tokio::runtime::Handle::current().block_on(release);
                });
            }
            Fate::Pass
        }
    });
    let client = bed.disturbed(&released);
    let error = backup::restore(client, &checked, &guarded, &bed.events).await.unwrap_err();
    assert!(matches!(error, RestoreError::HoldLost(_)), "{error:?}");
    let content = bed.content().await;
    assert!(content.keys().any(|place| place.starts_with("AgentProvider ")), "{:?}", content.keys());
    assert!(!content.keys().any(|place| place.starts_with("AgentRun ")), "{:?}", content.keys());

    maps.create(&PostParams::default(), &hold).await.unwrap();
    let begin = std::time::Instant::now();
    let report = restore(bed, &checked, &guarded).await.unwrap();
    assert_eq!(report.outcome, Outcome::Completed);
    assert!(begin.elapsed().as_secs() >= 3, "a new hold is given time to be seen");
    maps.delete("agents-restore-hold", &DeleteParams::default()).await.unwrap();
    leases.delete("agents-controller-leader", &DeleteParams::default()).await.unwrap();
}

/// [DR-R02] Runs that are being written are finished, and no other is begun.
pub(crate) async fn a_hold_that_goes_while_runs_are_restored_stops_them(bed: &Bed) {
    bed.populate().await;
    let before = bed.content().await;
    let (_report, checked) = bed.backup("released").await;
    let maps: Api<ConfigMap> = Api::namespaced(bed.admin(), "default");
    let hold = json!({"metadata": {"name": "agents-restore-hold"}});
    let hold: ConfigMap = serde_json::from_value(hold).unwrap();
    let guard = LeaderGuard {
        namespace: Some("default".to_owned()),
        seen: std::time::Duration::ZERO,
        ..LeaderGuard::default()
    };
    let options = RestoreOptions {
        guard,
        workers: std::num::NonZeroUsize::MIN,
        lock_duration: std::time::Duration::from_secs(30),
        ..Bed::options()
    };
    // Once the runs after the third are slow, and once all of them are there before anybody looks again.
    for slow in [true, false] {
        bed.clear().await;
        bed.secrets().await;
        maps.create(&PostParams::default(), &hold).await.unwrap();
        let (created, asked) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
        let released = Disturbance::new({
            let (maps, asked) = (maps.clone(), asked.clone());
            move |seen| {
                let posts = seen.write > 0 && seen.method == "POST" && seen.uri.contains("/agentruns");
                let number = created.fetch_add(usize::from(posts), Ordering::SeqCst) + usize::from(posts);
                if posts && number == 3 {
                    tokio::task::block_in_place(|| {
                        let release =
                            async { maps.delete("agents-restore-hold", &DeleteParams::default()).await };
                        tokio::runtime::Handle::current().block_on(release).unwrap();
                    });
                }
                let asks = number >= 3 && seen.uri.contains("agents-restore-hold");
                asked.fetch_or(asks, Ordering::SeqCst);
                if slow && posts && number > 3 { Fate::Wait } else { Fate::Pass }
            }
        });
        let client = bed.disturbed(&released);
        let resume = async {
            bed.until("the hold is looked for again", async || asked.load(Ordering::SeqCst)).await;
            released.resume();
        };
        let (outcome, ()) = tokio::join!(backup::restore(client, &checked, &options, &bed.events), resume);
        let error = outcome.unwrap_err();
        assert!(matches!(error, RestoreError::HoldLost(_)), "{error:?}");
        let mut runs = bed.content().await;
        runs.retain(|place, _run| place.starts_with("AgentRun "));
        assert!(runs.len() >= 4 && !(slow && runs.len() == 14), "{:?}", runs.keys());
        for (place, run) in runs {
            assert_eq!(run, before[&place], "{place}");
        }
    }
}

/// [DR-R07] [DR-R08] [DR-R09]
pub(crate) async fn stricter_definitions_refuse_before_anything_is_written(bed: &Bed) {
    bed.populate().await;
    let (_report, checked) = bed.backup("strict").await;
    let definitions: Api<CustomResourceDefinition> = Api::all(bed.admin());
    let of_runs = "agentruns.agents.proompteng.ai";
    let definition = serde_json::to_value(definitions.get(of_runs).await.unwrap()).unwrap();
    let with_schema = |change: &dyn Fn(&mut Value)| {
        let mut definition = definition.clone();
        definition["metadata"] = json!({"name": of_runs});
        definition.as_object_mut().unwrap().remove("status");
        change(&mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]);
        definition
    };
    let replace = async |definition: Value| {
        bed.clear().await;
        bed.secrets().await;
        hallmark::cluster::kinds::serve(&bed.admin(), &[definition]).await.unwrap();
    };

    // A new required field.
    replace(with_schema(&|spec| spec["required"].as_array_mut().unwrap().push(json!("summary")))).await;
    let findings = refused(bed, &checked, &Bed::options()).await;
    assert_eq!(findings.len(), 14, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.contains("agentruns")), "{findings:#?}");

    // A field that the target does not know and would drop.
    replace(with_schema(&|spec| drop(spec["properties"].as_object_mut().unwrap().remove("parameters"))))
        .await;
    let findings = refused(bed, &checked, &Bed::options()).await;
    assert_eq!(findings.len(), 14, "{findings:#?}");
    assert!(findings[0].contains("spec.parameters"), "{findings:#?}");

    // A field that the target fills in: nothing refuses, so the comparison must notice.
    replace(with_schema(&|spec| {
        spec["properties"]["added"] = json!({"type": "string", "default": "by the target"});
    }))
    .await;
    let report = restore(bed, &checked, &Bed::options()).await.unwrap();
    assert_eq!(report.outcome, Outcome::PartiallyFailed);
    assert_eq!(report.failed.len(), 14);
    assert!(report.failed[0].reason.contains("spec.added"), "{:?}", report.failed[0]);

    // A version that objects of the target may be stored in, and the archive does not know.
    let mut two = with_schema(&|_spec| {});
    let mut later = two["spec"]["versions"][0].clone();
    later["name"] = json!("v1beta1");
    later["storage"] = json!(false);
    two["spec"]["versions"].as_array_mut().unwrap().push(later);
    replace(two).await;
    let report = restore(bed, &checked, &Bed::options()).await.unwrap();
    assert_eq!(report.outcome, Outcome::Completed);
    assert!(
        report.warnings.iter().any(|warning| warning.contains("stays as it is")),
        "{:?}",
        report.warnings
    );
    let live = definitions.get(of_runs).await.unwrap();
    assert_eq!(live.spec.versions.len(), 2, "the definition of the target stays");
}

/// [DR-X08]
pub(crate) async fn two_restores_do_not_run_at_the_same_time(bed: &Bed) {
    bed.populate().await;
    let before = bed.content().await;
    let (_report, checked) = bed.backup("twice").await;
    bed.clear().await;
    bed.secrets().await;
    // The first one is cut off while it holds the lock.
    let slow = Disturbance::new(|seen| if seen.write == 12 { Fate::Stop } else { Fate::Pass });
    let client = bed.disturbed(&slow);
    let long = RestoreOptions { lock_duration: std::time::Duration::from_secs(3), ..Bed::options() };
    let first = backup::restore(client, &checked, &long, &bed.events);
    let counted = counting();
    let second = async {
        bed.until("the first restore is at work", async || slow.writes() >= 12).await;
        let client = bed.disturbed(&counted);
        backup::restore(client, &checked, &long, &bed.events).await.unwrap_err()
    };
    let error = tokio::select! {
        first = first => panic!("{first:?}"),
        error = second => error,
    };
    assert!(matches!(error, RestoreError::Locked { .. }), "{error:?}");
    assert_eq!(counted.writes(), 0);
    // Nobody renews the lock any more.
    let begin = std::time::Instant::now();
    let report = loop {
        match restore(bed, &checked, &Bed::options()).await {
            Err(RestoreError::Locked { .. }) => assert!(begin.elapsed().as_secs() < 20),
            outcome => break outcome.unwrap(),
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    assert_eq!(report.outcome, Outcome::Completed);
    assert_eq!(bed.content().await, before);
}

/// [DR-X08] One restore looks while another one writes: what it saw is not what it meets.
pub(crate) async fn what_is_written_before_the_lock_is_taken_is_seen(bed: &Bed) {
    bed.populate().await;
    let (_report, first) = bed.backup("before-an-edit").await;
    let edit = Patch::Merge(json!({"spec": {"parameters": {"stage": "third"}}}));
    bed.api("AgentRun", "team-a").patch("won", &PatchParams::default(), &edit).await.unwrap();
    let (_report, second) = bed.backup("after-an-edit").await;
    bed.clear().await;
    bed.secrets().await;
    let trying = Arc::new(AtomicBool::new(false));
    let looking = Disturbance::new({
        let trying = trying.clone();
        move |seen| {
            let tries = seen.uri.contains("dryRun=All");
            trying.fetch_or(tries, Ordering::SeqCst);
            if tries { Fate::Wait } else { Fate::Pass }
        }
    });
    let (client, options) = (bed.disturbed(&looking), Bed::options());
    let meanwhile = async {
        bed.until("objects are tried", async || trying.load(Ordering::SeqCst)).await;
        let report = restore(bed, &first, &options).await.unwrap();
        assert_eq!(report.outcome, Outcome::Completed);
        let versions = bed.versions().await;
        looking.resume();
        versions
    };
    let (outcome, versions) =
        tokio::join!(backup::restore(client, &second, &options, &bed.events), meanwhile);
    let error = outcome.unwrap_err();
    let RestoreError::Refused(findings) = error else { panic!("{error:?}") };
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let text = findings[0].to_string();
    assert!(text.starts_with("agentruns.agents.proompteng.ai team-a/won exists and differs in"), "{text}");
    assert_eq!((looking.writes(), bed.versions().await), (0, versions));
    let locks: Api<Lease> = Api::namespaced(bed.admin(), "default");
    assert_eq!(locks.get_opt("hallmark-restore").await.unwrap(), None, "the lock was given back");
}

/// [DR-X08] By the clock of this machine the lock is long over; the one that renews it has another clock.
pub(crate) async fn a_lock_that_is_renewed_by_another_clock_is_not_taken(bed: &Bed) {
    bed.populate().await;
    let (_report, checked) = bed.backup("clocks").await;
    bed.clear().await;
    bed.secrets().await;
    let locks: Api<Lease> = Api::namespaced(bed.admin(), "default");
    let lease = json!({
        "metadata": {"name": "hallmark-restore"},
        "spec": {
            "holderIdentity": "elsewhere", "leaseDurationSeconds": 2,
            "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    });
    locks.create(&PostParams::default(), &serde_json::from_value(lease).unwrap()).await.unwrap();
    let renew = async {
        for second in 1..60 {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            let time = json!({"spec": {"renewTime": format!("2026-01-01T00:00:{second:02}.000000Z")}});
            locks.patch("hallmark-restore", &PatchParams::default(), &Patch::Merge(time)).await.unwrap();
        }
    };
    let (options, versions) = (Bed::options(), bed.versions().await);
    let error = tokio::select! {
        outcome = restore(bed, &checked, &options) => outcome.unwrap_err(),
        () = renew => panic!("nothing came of the restore"),
    };
    assert!(matches!(&error, RestoreError::Locked { holder, .. } if holder == "elsewhere"), "{error:?}");
    assert_eq!(bed.versions().await, versions);
    // Now nobody renews it.
    let report = restore(bed, &checked, &options).await.unwrap();
    assert_eq!(report.outcome, Outcome::Completed);
}
