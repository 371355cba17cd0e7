//! Concurrency limits at every recorded instant, over a burst and three kills.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use hallmark::record::{Change, ObjectVersion};
use serde_json::{Value, json};

use crate::Shared;
use crate::follower::Follower;
use crate::history::{State, in_order, phase};
use crate::support::objects::create_runs;
use crate::support::player::{Ending, Player};
use crate::support::testbed::{Install, unlimited};

const RUNS: usize = 200;
const KILLS: usize = 3;
/// How long the next part of the runs may take on a busy machine: fifty runs, one after the other.
const PART: Duration = Duration::from_mins(3);

/// With a limit of one run per Agent.
pub(crate) async fn one_at_a_time(shared: Arc<Shared>) -> Result<()> {
    let values = json!({"controller": {"concurrency": {"perAgent": 1}, "queue": {"perNamespace": 50}}});
    hold(&shared, "limit-one", &values, 1).await
}

/// With a limit of five runs per namespace.
pub(crate) async fn five_at_a_time(shared: Arc<Shared>) -> Result<()> {
    let values = json!({"controller": {"concurrency": {"perNamespace": 5}, "queue": {"perNamespace": 50}}});
    hold(&shared, "limit-five", &values, 5).await
}

async fn hold(shared: &Shared, namespace: &str, limits: &Value, limit: usize) -> Result<()> {
    let bed = shared.bed().await?;
    let client = bed.testbed.client();
    bed.testbed.workspace(namespace).await?;
    let mut follower = Follower::start(&bed.watches, namespace);
    let mut values = unlimited();
    json_patch::merge(&mut values, limits);
    let subject = bed.testbed.install(Install::of(namespace, values)).await?;

    create_runs(client, namespace, 0..RUNS).await?;
    // No Job ends yet, so the burst stands still as soon as the limit is reached.
    let full = |state: &State| state.active() == limit && state.blocked() == RUNS - limit;
    follower.until(PART, "the limit is reached and all other runs are blocked", full).await?;
    let _player = Player::start(client, namespace, |_| Ending::Complete);
    for kill in 1..=KILLS {
        follower.until_ended(PART, RUNS * kill / (KILLS + 1)).await?;
        subject.kill().await?;
        subject.start_again().await?;
    }
    follower.until_ended(PART, RUNS).await?;
    ensure!(subject.crashed().is_none(), "the controller ended by itself: {:?}", subject.crashed());
    subject.stop().await?;

    let end = follower.state();
    end.each_run_had_one_job()?;
    for run in end.runs.values() {
        ensure!(phase(run) == Some("Succeeded"), "{:?} is {:?}", run.metadata.name, phase(run));
    }
    ensure!(end.blocked() == 0, "{} ended runs still say that they are blocked", end.blocked());
    judge(&in_order(&follower.entries())?, limit)
}

/// Looks at every instant: how many runs were active, and whose Job came next.
pub(crate) fn judge(versions: &[&ObjectVersion], limit: usize) -> Result<()> {
    let mut state = State::default();
    let mut most = 0;
    for version in versions {
        if version.kind == "Job" && version.change == Change::Added {
            in_turn(&state, version, limit)?;
        }
        state.apply(version)?;
        let active = state.active();
        ensure!(
            active <= limit,
            "{active} runs were active with version {} of {}",
            version.resource_version,
            version.describe()
        );
        most = most.max(active);
    }
    ensure!(most == limit, "never more than {most} runs were active, so the limit was not used");
    Ok(())
}

/// Starts are decided in creation order and at most `limit` of them are under way at the same time, so of
/// the older runs all but `limit` - 1 have their Job by then.
///
/// Times of creation have whole seconds, and the name decides between equal ones. So a run may be older by
/// this order that came later; of such a run nobody knew when this one was admitted.
fn in_turn(state: &State, job: &ObjectVersion, limit: usize) -> Result<()> {
    let owner = job.controller_uid();
    let run = state.runs.values().find(|run| run.metadata.uid.as_deref() == owner);
    let Some(run) = run else { anyhow::bail!("{} belongs to no run", job.describe()) };
    let order = |run: &agents_controller::api::AgentRun| {
        (run.metadata.creation_timestamp.clone(), run.metadata.name.clone())
    };
    let earlier = state.came.iter().take_while(|came| Some(*came) != run.metadata.name.as_ref());
    let overtaken: Vec<_> = earlier
        .filter_map(|name| state.runs.get(name))
        .filter(|other| order(other) < order(run) && !state.has_had_job(other))
        .filter_map(|other| other.metadata.name.as_deref())
        .collect();
    ensure!(
        overtaken.len() < limit,
        "{} came before the Jobs of the older runs {overtaken:?}",
        job.describe()
    );
    Ok(())
}
