//! One controller for all namespaces: it works in each of them, and its limits count them together.

use std::time::Duration;

use anyhow::{Result, ensure};
use hallmark::cluster::KubeControllers;
use serde_json::json;

use crate::follower::{self, Follower};
use crate::history::{State, in_order};
use crate::limits::judge;
use crate::support::objects::{create_run, run_name};
use crate::support::player::{Ending, Player};
use crate::support::testbed::{Install, Testbed, unlimited};

/// Where the controller is, and no run.
const HOME: &str = "everywhere";
/// Where the runs are, in the order in which runs of one age are served.
const NAMESPACES: [&str; 2] = ["blue", "red"];
/// Runs in each of them.
const RUNS: usize = 10;
const LIMIT: usize = 3;
/// How long all runs may take on a busy machine.
const FINISHED: Duration = Duration::from_mins(1);

/// On a cluster of its own, where nobody else has runs.
pub(crate) async fn all_namespaces_share_a_limit() -> Result<()> {
    let testbed = Testbed::start(KubeControllers::WithoutJobs).await?;
    testbed.install_crds().await?;
    let client = testbed.client();
    let mut values = unlimited();
    json_patch::merge(&mut values, &json!({"controller": {"concurrency": {"cluster": LIMIT}}}));
    let install = Install { watched: vec!["*".to_owned()], ..Install::of(HOME, values) };
    let subject = testbed.install(install).await?;

    // They come after the controller, which nobody tells of them.
    for namespace in NAMESPACES {
        testbed.workspace(namespace).await?;
    }
    let watches = follower::watch(client).await?;
    let mut follower = Follower::of(&watches, &NAMESPACES);
    for (number, namespace) in NAMESPACES.iter().flat_map(|namespace| [namespace; RUNS]).enumerate() {
        create_run(client, namespace, &run_name(number)).await?;
    }
    let all = RUNS * NAMESPACES.len();
    // No Job ends yet, so the burst stands still as soon as the limit is reached.
    let full = |state: &State| state.active() == LIMIT && state.blocked() == all - LIMIT;
    follower.until(FINISHED, "the limit is reached and all other runs are blocked", full).await?;
    let _players = NAMESPACES.map(|namespace| Player::start(client, namespace, |_| Ending::Complete));
    follower.until_ended(FINISHED, all).await?;
    ensure!(subject.crashed().is_none(), "the controller ended by itself: {:?}", subject.crashed());
    subject.stop().await?;

    follower.state().each_run_had_one_job()?;
    judge(&in_order(&follower.entries())?, LIMIT)?;
    testbed.stop().await;
    Ok(())
}
