//! Steady state: a cluster full of finished runs leaves the controller with nothing to write.

use std::sync::Arc;
use std::time::Duration;

use agents_controller::api::JobView;
use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::api::{Api, ListParams};
use serde_json::json;

use crate::support::audit::{Asked, Request};
use crate::support::objects::{RunView, create_run, is_terminal, run_name};
use crate::support::player::{Ending, Player};
use crate::support::testbed::{Install, unlimited};
use crate::{Bed, Shared, wait};

const NAMESPACE: &str = "quiet";
const RUNS: usize = 1000;
/// Runs that are created at the same time.
const CREATED_AT_ONCE: usize = 8;
/// How long all runs may take to finish on a busy machine.
const FINISHED: Duration = Duration::from_mins(5);
/// How long nothing must have been written before the quiet time begins, and how long that may take.
const SETTLED: Duration = Duration::from_secs(3);
const SETTLING: Duration = Duration::from_secs(30);
/// How long the controller is watched after a restart over all these runs.
const AFTER_RESTART: Duration = Duration::from_secs(15);
/// Reads per second that looking after the CRDs may cost, whatever the number of runs.
const READS_PER_SECOND: u64 = 1;
/// Reads that a start may cost: pages of a few kinds, watches on them, discovery.
const READS_OF_A_START: u64 = 40;
/// Seconds of the quiet time, for long proofs.
const VARIABLE: &str = "AGENTS_TEST_QUIET_SECONDS";

/// The quiet time.
pub(crate) fn duration() -> Duration {
    let asked = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(60))
}

pub(crate) async fn finished_runs_cause_no_write(shared: Arc<Shared>) -> Result<()> {
    let bed = shared.bed().await?;
    bed.testbed.workspace(NAMESPACE).await?;
    let mut values = unlimited();
    // No Job may reach the end of its time to live meanwhile: that would be a change.
    json_patch::merge(&mut values, &json!({"controller": {"jobTtlSecondsAfterFinished": 604_800}}));
    let subject = bed.testbed.install(Install::of(NAMESPACE, values)).await?;
    finish_runs(&bed).await?;

    let begin = settled(&bed).await?;
    tokio::time::sleep(duration()).await;
    judge("the quiet time", &asked_since(&bed, begin)?, READS_PER_SECOND * duration().as_secs())?;

    let begin = Timestamp::now();
    subject.kill().await?;
    subject.start_again().await?;
    tokio::time::sleep(AFTER_RESTART).await;
    let reads = READS_OF_A_START + READS_PER_SECOND * AFTER_RESTART.as_secs();
    judge("a restart", &asked_since(&bed, begin)?, reads)?;
    ensure!(subject.crashed().is_none(), "the controller ended by itself: {:?}", subject.crashed());
    Ok(subject.stop().await?)
}

/// Creates runs and waits until all have ended and nothing is left to be done for them.
async fn finish_runs(bed: &Bed) -> Result<()> {
    let client = bed.testbed.client();
    let player = Player::start(client, NAMESPACE, |_| Ending::Complete);
    stream::iter(0..RUNS)
        .map(|number| async move { create_run(client, NAMESPACE, &run_name(number)).await })
        .buffer_unordered(CREATED_AT_ONCE)
        .try_collect::<()>()
        .await?;
    let runs: Api<RunView> = Api::namespaced(client.clone(), NAMESPACE);
    let jobs: Api<JobView> = Api::namespaced(client.clone(), NAMESPACE);
    let look = async || {
        let runs = runs.list(&ListParams::default()).await?;
        let ended = runs.iter().filter(|run| is_terminal(run.status.phase.as_deref())).count();
        let jobs = jobs.list(&ListParams::default()).await?;
        let with_ttl = jobs.iter().filter(|job| job.spec.ttl_seconds_after_finished.is_some()).count();
        let all = ended == RUNS && with_ttl == RUNS;
        Ok(if all { Ok(()) } else { Err(format!("{ended} runs have ended, {with_ttl} Jobs have a TTL")) })
    };
    wait::until(FINISHED, "all runs have ended and their Jobs have a TTL", look).await?;
    drop(player);
    Ok(())
}

/// Waits until the controller has written nothing for a while; returns the time from which on it must not.
async fn settled(bed: &Bed) -> Result<Timestamp> {
    let look = async || {
        let requests = bed.testbed.requests(NAMESPACE)?;
        let last = requests.iter().filter(|request| request.is_write()).map(|request| request.at).max();
        let now = Timestamp::now();
        let since = last
            .map_or(Duration::MAX, |last| Duration::try_from(now.duration_since(last)).unwrap_or_default());
        Ok(if since > SETTLED { Ok(now) } else { Err(format!("the last write was {since:?} ago")) })
    };
    Ok(wait::until(SETTLING, "the last write is some time ago", look).await?.0)
}

fn asked_since(bed: &Bed, begin: Timestamp) -> Result<Vec<Request>> {
    let mut requests = bed.testbed.requests(NAMESPACE)?;
    requests.retain(|request| request.at >= begin);
    Ok(requests)
}

fn judge(when: &str, requests: &[Request], reads: u64) -> Result<()> {
    let writes: Vec<_> = requests.iter().filter(|request| request.is_write()).collect();
    ensure!(writes.is_empty(), "{when}: {} writes, first of all {:?}", writes.len(), writes.first());
    // What announces a restore is looked for once, and then watched.
    let is_hold = |request: &Request| request.name.contains("restore-hold");
    let single = requests.iter().find(|request| request.is_about_one() && !is_hold(request));
    ensure!(single.is_none(), "{when}: single objects were read, first of all {single:?}");
    let mut asked = Asked::new();
    for request in requests {
        *asked.entry(format!("{} {}", request.verb, request.what)).or_default() += 1;
    }
    ensure!(requests.len() as u64 <= reads, "{when}: more than {reads} reads: {asked:#?}");
    Ok(())
}
