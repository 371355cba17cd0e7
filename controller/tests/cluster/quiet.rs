//! Steady state: a cluster full of finished runs leaves the controller with nothing to write.

use std::sync::Arc;
use std::time::Duration;

use agents_controller::api::JobView;
use anyhow::{Result, ensure};
use jiff::Timestamp;
use kube::api::{Api, ListParams};
use serde_json::json;

use crate::support::audit::{Asked, Request};
use crate::support::objects::{RunView, create_runs, is_terminal};
use crate::support::player::{Ending, Player};
use crate::support::testbed::{Install, unlimited};
use crate::{Bed, Shared, wait};

const NAMESPACE: &str = "quiet";
const RUNS: usize = 1000;
/// How long all runs may take to finish on a busy machine.
const FINISHED: Duration = Duration::from_mins(5);
/// How long nothing must have been written before the quiet time begins, and how long that may take.
const SETTLED: Duration = Duration::from_secs(3);
const SETTLING: Duration = Duration::from_secs(30);
/// How long the controller is watched after a restart over all these runs.
const AFTER_RESTART: Duration = Duration::from_secs(15);
/// Reads per second that looking after the CRDs may cost, whatever the number of runs.
const READS_PER_SECOND: usize = 1;
/// Reads that a start may cost: pages of a few kinds, watches on them, discovery.
const READS_OF_A_START: usize = 40;
/// Requests for a run from its creation to the TTL of its Job: the finalizer, `ConfigMap`, Job, two statuses,
/// an Event for each, and the TTL.
const REQUESTS_OF_A_RUN: usize = 8;
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
    judge_cost(&asked_since(&bed, Timestamp::MIN)?)?;
    tokio::time::sleep(duration()).await;
    judge("the quiet time", &asked_since(&bed, begin)?, READS_PER_SECOND * seconds(duration())?)?;

    let begin = Timestamp::now();
    subject.kill().await?;
    subject.start_again().await?;
    tokio::time::sleep(AFTER_RESTART).await;
    let reads = READS_OF_A_START + READS_PER_SECOND * seconds(AFTER_RESTART)?;
    judge("a restart", &asked_since(&bed, begin)?, reads)?;
    ensure!(subject.crashed().is_none(), "the controller ended by itself: {:?}", subject.crashed());
    Ok(subject.stop().await?)
}

/// Creates runs and waits until all have ended and nothing is left to be done for them.
async fn finish_runs(bed: &Bed) -> Result<()> {
    let client = bed.testbed.client();
    let player = Player::start(client, NAMESPACE, |_| Ending::Complete);
    create_runs(client, NAMESPACE, 0..RUNS).await?;
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

/// What all runs together cost from the start of the controller to the end of the last one.
fn judge_cost(requests: &[Request]) -> Result<()> {
    let most = RUNS * REQUESTS_OF_A_RUN + READS_OF_A_START;
    ensure!(
        requests.len() <= most,
        "more than {REQUESTS_OF_A_RUN} requests per run: {:#?}",
        counted(requests)
    );
    Ok(())
}

fn counted(requests: &[Request]) -> Asked {
    let mut asked = Asked::new();
    for request in requests {
        *asked.entry(format!("{} {}", request.verb, request.what)).or_default() += 1;
    }
    asked
}

fn seconds(duration: Duration) -> Result<usize> {
    Ok(duration.as_secs().try_into()?)
}

fn judge(when: &str, requests: &[Request], reads: usize) -> Result<()> {
    let writes: Vec<_> = requests.iter().filter(|request| request.is_write()).collect();
    ensure!(writes.is_empty(), "{when}: {} writes, first of all {:?}", writes.len(), writes.first());
    // What announces a restore is looked for once, and then watched.
    let is_hold = |request: &Request| request.name.contains("restore-hold");
    let single = requests.iter().find(|request| request.is_about_one() && !is_hold(request));
    ensure!(single.is_none(), "{when}: single objects were read, first of all {single:?}");
    ensure!(requests.len() <= reads, "{when}: more than {reads} reads: {:#?}", counted(requests));
    Ok(())
}
