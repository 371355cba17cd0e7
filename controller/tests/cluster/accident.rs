//! The API server dies in the middle of the work and comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::Value;

use agents_controller::api::AgentRun;
use hallmark::cluster::KubeControllers;
use k8s_openapi::api::batch::v1::Job;

use crate::follower::{self, Follower};
use crate::history::{State, phase};
use crate::support::objects::create_runs;
use crate::support::player::{Ending, Player};
use crate::support::testbed::{Install, Testbed, unlimited};

const NAMESPACE: &str = "accident";
const RUNS: usize = 50;
/// Runs that have ended when the API server dies; the others are on their way.
const ENDED: usize = 5;
/// How long it stays away.
const DOWN: Duration = Duration::from_secs(3);
/// How long the runs may take on a busy machine, back-off after the accident included.
const FINISHED: Duration = Duration::from_mins(2);

pub(crate) async fn a_killed_api_server_costs_nothing() -> Result<()> {
    let mut testbed = Testbed::start(KubeControllers::All).await?;
    testbed.install_crds().await?;
    testbed.workspace(NAMESPACE).await?;
    let client = testbed.client().clone();
    let watches = follower::watch(&client).await?;
    let mut follower = Follower::start(&watches, NAMESPACE);
    let subject = testbed.install(Install::of(NAMESPACE, unlimited())).await?;
    create_runs(&client, NAMESPACE, 0..RUNS / 2).await?;
    let submitted = |state: &State| state.active() == RUNS / 2;
    follower.until(FINISHED, "the first runs are under way", submitted).await?;

    let _player = Player::start(&client, NAMESPACE, ending);
    let creating = tokio::spawn({
        let client = client.clone();
        async move { create_runs(&client, NAMESPACE, RUNS / 2..RUNS).await }
    });
    follower.until_ended(FINISHED, ENDED).await?;
    testbed.cluster_mut().kill_apiserver().await;
    let before = follower.state().ended();
    tokio::time::sleep(DOWN).await;
    testbed.cluster_mut().start_apiserver().await?;
    creating.await??;
    follower.until_ended(FINISHED, RUNS).await?;

    ensure!(before < RUNS, "all runs had ended before the accident");
    ensure!(subject.crashed().is_none(), "the controller ended by itself: {:?}", subject.crashed());
    results_are_kept(&client).await?;
    no_job_was_made_twice(&testbed)?;
    follower.state().each_run_had_one_job()?;
    subject.stop().await?;
    testbed.stop().await;
    Ok(())
}

/// Every fifth run fails.
fn ending(run: &str) -> Ending {
    if run.ends_with(['0', '5']) { Ending::Failed } else { Ending::Complete }
}

/// Each run has the result of its Job, and its Job is the one that is there.
async fn results_are_kept(client: &Client) -> Result<()> {
    let all = ListParams::default();
    let jobs = Api::<Job>::namespaced(client.clone(), NAMESPACE).list(&all).await?;
    let uids: BTreeMap<_, _> =
        jobs.items.into_iter().map(|job| (job.metadata.name, job.metadata.uid)).collect();
    ensure!(uids.len() == RUNS, "there are {} Jobs", uids.len());
    for run in Api::<AgentRun>::namespaced(client.clone(), NAMESPACE).list(&all).await? {
        let name = run.metadata.name.clone().unwrap_or_default();
        let expected = match ending(&name) {
            Ending::Complete => "Succeeded",
            Ending::Failed => "Failed",
        };
        ensure!(phase(&run) == Some(expected), "{name} is {:?} instead of {expected}", phase(&run));
        let reference = run.status.and_then(|status| status.runtime_ref).context("no runtimeRef")?;
        let recorded = reference.get("uid").and_then(Value::as_str);
        let present = uids.get(&Some(format!("{name}-job"))).and_then(Option::as_deref);
        ensure!(recorded == present, "{name} names the Job {recorded:?}, but {present:?} is there");
    }
    Ok(())
}

/// The record may have a gap where the accident was; the audit log has none.
fn no_job_was_made_twice(testbed: &Testbed) -> Result<()> {
    let mut created: BTreeMap<String, usize> = BTreeMap::new();
    for request in testbed.requests(NAMESPACE)? {
        if (request.verb.as_str(), request.what.as_str(), request.code) == ("create", "jobs", 201) {
            *created.entry(request.name).or_default() += 1;
        }
    }
    let twice: Vec<_> = created.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(twice.is_empty(), "Jobs were created more than once: {twice:?}");
    // The creation that was under way when the server died may be in no log.
    ensure!(created.len() >= RUNS / 2, "the audit log holds only {} creations", created.len());
    Ok(())
}
