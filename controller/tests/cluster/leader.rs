//! Two replicas: one acts, the other takes over when it is killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hallmark::subject::{Subject, SubjectProcess};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::follower::Follower;
use crate::support::audit::Request;
use crate::support::objects::{create_run, run_name};
use crate::support::player::{Ending, Player};
use crate::support::testbed::{Install, unlimited};
use crate::{Shared, wait};

const NAMESPACE: &str = "leader";
/// Runs before and after the leader is lost.
const RUNS: usize = 20;
const LEASE: Duration = Duration::from_secs(8);
const RENEW: Duration = Duration::from_secs(6);
const RETRY: Duration = Duration::from_secs(2);
/// What follows a cause happens within this time.
const PROMPTLY: Duration = Duration::from_secs(5);
/// How long the runs of a leader may take on a busy machine.
const FINISHED: Duration = Duration::from_mins(1);

pub(crate) async fn the_other_replica_takes_over(shared: Arc<Shared>) -> Result<()> {
    let bed = shared.bed().await?;
    let client = bed.testbed.client();
    bed.testbed.workspace(NAMESPACE).await?;
    let mut follower = Follower::start(&bed.watches, NAMESPACE);
    let mut values = unlimited();
    let replicas = json!({"replicaCount": 2, "controller": {"leaderElection": {
        "leaseDurationSeconds": LEASE.as_secs(), "renewDeadlineSeconds": RENEW.as_secs(),
        "retryPeriodSeconds": RETRY.as_secs(),
    }}});
    json_patch::merge(&mut values, &replicas);
    let subject = bed.testbed.install(Install::of(NAMESPACE, values)).await?;
    let player = Player::start(client, NAMESPACE, |_| Ending::Complete);

    for number in 0..RUNS {
        create_run(client, NAMESPACE, &run_name(number)).await?;
    }
    follower.until_ended(FINISHED, RUNS).await?;
    let (leader, standby) = roles(&subject).await?;
    // Runs that are under way, with Jobs that end while nobody leads.
    drop(player);
    create_run(client, NAMESPACE, &run_name(RUNS)).await?;
    follower.until(FINISHED, "a run is under way", |state| state.active() == 1).await?;

    let killed = Instant::now();
    let id = Pid::from_raw(leader.id.cast_signed()).context("the leader has a process id")?;
    kill_process(id, Signal::KILL)?;
    let _player = Player::start(client, NAMESPACE, |_| Ending::Complete);
    for number in RUNS + 1..2 * RUNS {
        create_run(client, NAMESPACE, &run_name(number)).await?;
    }
    let leads = async || Ok(if leads(&standby).await? { Ok(()) } else { Err("it does not") });
    let left = (LEASE + RETRY).saturating_sub(killed.elapsed());
    wait::until(left, "the other replica leads", leads).await?;
    follower.until(PROMPTLY, "the new leader acts", |state| state.ended() > RUNS).await?;
    follower.until_ended(FINISHED, 2 * RUNS).await?;
    follower.state().each_run_had_one_job()?;
    subject.stop().await?;
    never_at_once(&bed.testbed.requests(NAMESPACE)?)
}

/// The process that leads, then the one that does not.
async fn roles(subject: &Subject) -> Result<(SubjectProcess, SubjectProcess)> {
    let processes = subject.processes().await;
    let [first, second] = <[_; 2]>::try_from(processes)
        .map_err(|processes| anyhow::anyhow!("{} processes run instead of two", processes.len()))?;
    match (leads(&first).await?, leads(&second).await?) {
        (true, false) => Ok((first, second)),
        (false, true) => Ok((second, first)),
        (both, _) => bail!("{} of two replicas lead", if both { "both" } else { "none" }),
    }
}

/// Whether a replica says of itself that it leads.
async fn leads(process: &SubjectProcess) -> Result<bool> {
    let (_port, endpoint) = process.endpoints.first_key_value().context("the replica has no port")?;
    let metrics = endpoint.get("/metrics").await?;
    ensure!(metrics.status == 200, "/metrics answered {metrics}");
    let value = metrics.body.lines().find_map(|line| line.strip_prefix("agents_leader "));
    Ok(value.context("there is no metric agents_leader")?.trim() == "1")
}

/// Apart from the Lease, the writes of one process end before those of the other begin.
fn never_at_once(requests: &[Request]) -> Result<()> {
    let mut written: BTreeMap<&str, (Timestamp, Timestamp)> = BTreeMap::new();
    for request in requests.iter().filter(|request| request.is_write() && request.what != "leases") {
        let (first, last) = written.entry(&request.credential).or_insert((request.at, request.at));
        *first = request.at.min(*first);
        *last = request.at.max(*last);
    }
    let mut times: Vec<_> = written.into_values().collect();
    times.sort();
    match times.as_slice() {
        [(_, end), (begin, _)] => {
            ensure!(end < begin, "one replica wrote until {end}, the other from {begin} on");
            Ok(())
        }
        other => bail!("{} processes have written instead of two", other.len()),
    }
}
