//! Restores that are cut off or meet trouble.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use hallmark::backup::{self, Checked, Outcome, RestoreError, RestoreOptions, RestoreReport};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::process::Command;

use crate::bed::{Bed, counting};
use crate::disturb::{Disturbance, Fate};

/// Runs beside the usual ones: enough for several kills before all of them are there.
const RUNS_MORE: usize = 20;

/// One write after the other: which one is the k-th is the same each time.
fn options() -> RestoreOptions {
    RestoreOptions { workers: std::num::NonZeroUsize::MIN, ..Bed::options() }
}

async fn start_over(bed: &Bed) {
    bed.clear().await;
    bed.secrets().await;
}

/// Restores when the lock of the one before has come to its end.
async fn restore(bed: &Bed, checked: &Checked) -> RestoreReport {
    let begin = std::time::Instant::now();
    loop {
        match backup::restore(bed.client(), checked, &options(), &bed.events).await {
            Err(RestoreError::Locked { .. }) => assert!(begin.elapsed() < Duration::from_secs(20)),
            outcome => return outcome.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// [DR-R12] What is sent but never answered is what a kill leaves: the server may or may not have done it.
pub(crate) async fn a_restore_cut_off_after_any_write_is_finished_by_the_next(bed: &Bed) {
    bed.populate().await;
    let before = bed.content().await;
    let (_report, checked) = bed.backup("cut").await;
    start_over(bed).await;
    let undisturbed = counting();
    let client = bed.disturbed(&undisturbed);
    backup::restore(client, &checked, &options(), &bed.events).await.unwrap();
    let all = undisturbed.writes();
    assert!(all > 40, "definitions, objects and statuses: {all}");
    // The first and the last ones, and some of each stage in between; each in both ways.
    let chosen = (1..=all).filter(|k| *k <= 2 || *k >= all - 2 || k % 8 == 0);
    for k in chosen {
        start_over(bed).await;
        let fate = if k % 2 == 0 { Fate::Stop } else { Fate::Reset };
        let stop = Disturbance::new(move |seen| if seen.write >= k { fate } else { Fate::Pass });
        let client = bed.disturbed(&stop);
        let options = options();
        tokio::select! {
            outcome = backup::restore(client, &checked, &options, &bed.events) => panic!("{k}: {outcome:?}"),
            () = bed.until("the restore has come to the write", async || stop.writes() >= k) => {}
        }
        let report = restore(bed, &checked).await;
        assert_eq!((report.outcome, &*report.failed), (Outcome::Completed, &[][..]), "cut off at write {k}");
        assert_eq!(bed.content().await, before, "cut off at write {k}");
    }
}

/// [DR-R12] The real process with its eight workers, killed by SIGKILL at 25 moments under the hold. Each time the
/// same command goes on with what the one before left. No controller runs here: what one does meanwhile is
/// judged by the scenario `an-interrupted-restore-is-finished-by-the-next`.
pub(crate) async fn a_killed_process_is_finished_by_the_next(bed: &Bed) {
    const KILLS: usize = 25;
    bed.populate().await;
    for number in 0..RUNS_MORE {
        bed.run("team-a", &format!("more-{number}"), "Succeeded").await;
    }
    let before = bed.content().await;
    bed.backup("sigkill").await;
    let holds: Api<ConfigMap> = Api::namespaced(bed.admin(), "default");
    let hold = json!({"metadata": {"name": "agents-restore-hold"}});
    holds.create(&PostParams::default(), &serde_json::from_value(hold).unwrap()).await.unwrap();
    let locks: Api<Lease> = Api::namespaced(bed.admin(), "default");
    let (mut kills, mut rounds) = (0, 0);
    while kills < KILLS {
        rounds += 1;
        assert!(rounds <= KILLS, "only {kills} kills in {KILLS} restores");
        start_over(bed).await;
        loop {
            let mut restore = Command::new(env!("CARGO_BIN_EXE_hallmark"));
            restore.arg("restore").arg(bed.path("sigkill")).arg("--kubeconfig").arg(bed.kubeconfig());
            restore.args(["--controller-namespace", "default"]);
            restore.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
            let mut process = restore.spawn().unwrap();
            // Another number each time, up to a dozen.
            let write = 1 + kills * 5 % 12;
            tokio::select! {
                biased;
                () = bed.after_writes(write) => process.start_kill().unwrap(),
                _ended = process.wait() => {}
            }
            let status = process.wait().await.unwrap();
            if status.signal().is_none() {
                assert!(status.success(), "{status} after {kills} kills");
                break;
            }
            kills += 1;
            // Its owner is known to be dead, so nobody has to wait for the end of its time.
            let _absent = locks.delete("hallmark-restore", &DeleteParams::default()).await;
        }
        assert_eq!(bed.content().await, before, "after {kills} kills");
    }
    let jobs: Api<Job> = Api::all(bed.admin());
    assert_eq!(jobs.list(&ListParams::default()).await.unwrap().items.len(), 0);
    holds.delete("agents-restore-hold", &DeleteParams::default()).await.unwrap();
}

/// [DR-R13]
pub(crate) async fn trouble_with_any_write_changes_nothing_in_the_end(bed: &Bed) {
    bed.populate().await;
    let before = bed.content().await;
    let (_report, checked) = bed.backup("trouble").await;
    for fate in [Fate::Refuse(429), Fate::Refuse(500), Fate::Reset, Fate::LoseAnswer] {
        start_over(bed).await;
        // With one write after the other and every second one in trouble, each meets it once and is done when
        // it is tried again. A write whose answer was lost is done already, which is the hard case.
        let trouble = Disturbance::new(move |seen| if seen.write % 2 == 1 { fate } else { Fate::Pass });
        let client = bed.disturbed(&trouble);
        // Trouble is not to last so long that the lock is lost, on a machine without time either.
        let options = RestoreOptions { lock_duration: Duration::from_secs(30), ..options() };
        let report = backup::restore(client, &checked, &options, &bed.events).await.unwrap();
        assert_eq!((report.outcome, &*report.failed), (Outcome::Completed, &[][..]), "{fate:?}");
        assert_eq!(bed.content().await, before, "{fate:?}");
    }
}

/// [DR-X04]
pub(crate) async fn a_restart_of_the_api_server_is_waited_for(bed: &Bed) {
    bed.populate().await;
    let before = bed.content().await;
    let (_report, checked) = bed.backup("restarted").await;
    start_over(bed).await;
    // From there on nothing is written until the API server is down.
    let waiting = Disturbance::new(|seen| if seen.write >= 25 { Fate::Wait } else { Fate::Pass });
    let client = bed.disturbed(&waiting);
    // The lock must outlast the restart.
    let options = RestoreOptions { lock_duration: Duration::from_secs(30), ..options() };
    let restart = async {
        bed.until("the restore is at work", async || waiting.writes() >= 25).await;
        let written = waiting.writes();
        bed.restart_apiserver(|| waiting.resume()).await;
        written
    };
    let restore = backup::restore(client, &checked, &options, &bed.events);
    let (report, written) = tokio::join!(restore, restart);
    let report = report.unwrap();
    assert_eq!((report.outcome, &*report.failed), (Outcome::Completed, &[][..]));
    assert!(written < waiting.writes(), "the API server was killed when everything was written: {written}");
    assert_eq!(bed.content().await, before);
}

/// [DR-R11]
pub(crate) async fn a_run_whose_status_is_refused_is_named_and_the_others_are_restored(bed: &Bed) {
    bed.populate().await;
    let before = bed.content().await;
    let (_report, checked) = bed.backup("one-status").await;
    start_over(bed).await;
    let one = Disturbance::new(|seen| {
        let status = seen.method == http::Method::PUT && seen.uri.contains("team-a/agentruns/won/status");
        if status { Fate::Refuse(422) } else { Fate::Pass }
    });
    let client = bed.disturbed(&one);
    let report = backup::restore(client, &checked, &Bed::options(), &bed.events).await.unwrap();
    assert_eq!(report.outcome, Outcome::PartiallyFailed);
    assert_eq!(report.failed.len(), 1, "{:?}", report.failed);
    assert_eq!(report.failed[0].object, "agentruns.agents.proompteng.ai team-a/won");
    assert!(report.failed[0].reason.contains("status"), "{:?}", report.failed[0]);
    let mut expected = before.clone();
    let mut content = bed.content().await;
    let unfinished = content.remove("AgentRun team-a won").unwrap();
    assert_eq!(unfinished["data"].get("status"), None, "{unfinished}");
    expected.remove("AgentRun team-a won");
    assert_eq!(content, expected);

    let again = restore(bed, &checked).await;
    assert_eq!((again.outcome, again.created, again.completed), (Outcome::Completed, 0, 1));
    assert_eq!(bed.content().await, before);
}

/// [DR-R12] A status that the API server fills in is not taken for one that somebody wrote.
pub(crate) async fn a_default_status_does_not_keep_a_restore_unfinished(bed: &Bed) {
    bed.populate().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(bed.admin());
    let of_runs = "agentruns.agents.proompteng.ai";
    let default = json!([{
        "op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/status/default",
        "value": {"phase": "Pending"},
    }]);
    let default = Patch::<CustomResourceDefinition>::Json(serde_json::from_value(default).unwrap());
    definitions.patch(of_runs, &PatchParams::default(), &default).await.unwrap();
    bed.until("the default is served", async || {
        let queued = bed.api("AgentRun", "team-a").get("queued").await.unwrap();
        queued.data.pointer("/status/phase") == Some(&json!("Pending"))
    })
    .await;
    let before = bed.content().await;
    let (_report, checked) = bed.backup("default-status").await;
    start_over(bed).await;
    let one = Disturbance::new(|seen| {
        let status = seen.method == http::Method::PUT && seen.uri.contains("team-a/agentruns/won/status");
        if status { Fate::Refuse(422) } else { Fate::Pass }
    });
    let client = bed.disturbed(&one);
    let report = backup::restore(client, &checked, &Bed::options(), &bed.events).await.unwrap();
    assert_eq!(report.failed.len(), 1, "{:?}", report.failed);
    let again = restore(bed, &checked).await;
    assert_eq!((again.outcome, again.created, again.completed), (Outcome::Completed, 0, 1));
    assert_eq!(bed.content().await, before);
}
