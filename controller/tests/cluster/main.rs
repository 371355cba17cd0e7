//! What the controller promises about time, load and accidents, shown on a local cluster with real
//! processes: limits over restarts, steady state, loss of the leader, loss of the API server, missing CRDs.
//!
//! Scenarios say what a run leads to; these tests look at what no scenario can say: every instant of a
//! recorded history, everything that was asked of the API server, and which process asked it. Those with a
//! database make a server of their own, and are skipped where its programs are missing.
//!
//! ```text
//! tests ──┬─ share one cluster, each with an installed controller and namespaces of its own
//!         └─ or start a cluster of their own, because they disturb all of it
//! ```
//!
//! The first run on a machine builds the Kubernetes binaries, which takes minutes.

mod accident;
mod everywhere;
mod follower;
mod health;
mod history;
mod keys;
mod later;
mod leader;
mod limits;
mod quiet;
mod store;
#[expect(dead_code, reason = "the tests and the bench each use a part of it")]
#[path = "../support/mod.rs"]
mod support;
mod wait;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::future::LocalBoxFuture;
use hallmark::cluster::KubeControllers;
use hallmark::database::{self, DatabaseError};
use hallmark::record::WatchHub;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use support::testbed::{LOGS, Testbed};

/// A claim and its proof.
struct Test {
    name: &'static str,
    needs: Needs,
    proof: fn(Arc<Shared>) -> LocalBoxFuture<'static, Result<()>>,
}

/// What a machine may lack.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Postgres,
}

/// The longest first: they run at the same time as far as the machine has cores.
const TESTS: [Test; 13] = [
    Test {
        name: "lc_16_a_thousand_finished_runs_cause_no_write_and_few_reads",
        needs: Needs::Nothing,
        proof: |shared| Box::pin(quiet::finished_runs_cause_no_write(shared)),
    },
    Test {
        name: "lim_01_lim_03_lim_05_one_run_at_a_time_in_creation_order_over_three_kills",
        needs: Needs::Nothing,
        proof: |shared| Box::pin(limits::one_at_a_time(shared)),
    },
    Test {
        name: "lim_01_lim_03_lim_05_five_runs_at_a_time_in_creation_order_over_three_kills",
        needs: Needs::Nothing,
        proof: |shared| Box::pin(limits::five_at_a_time(shared)),
    },
    Test {
        name: "lc_19_the_other_replica_takes_over_from_a_killed_leader_and_they_never_act_at_once",
        needs: Needs::Nothing,
        proof: |shared| Box::pin(leader::the_other_replica_takes_over(shared)),
    },
    Test {
        name: "lc_18_a_killed_api_server_costs_no_result_and_doubles_no_job",
        needs: Needs::Nothing,
        proof: |_| Box::pin(accident::a_killed_api_server_costs_nothing()),
    },
    Test {
        name: "lim_01_one_controller_for_all_namespaces_counts_their_runs_together",
        needs: Needs::Nothing,
        proof: |_| Box::pin(everywhere::all_namespaces_share_a_limit()),
    },
    Test {
        name: "hl_01_readiness_follows_the_crds_without_a_restart",
        needs: Needs::Nothing,
        proof: |_| Box::pin(health::readiness_follows_the_crds()),
    },
    Test {
        name: "lc_19_a_leader_lost_among_duplicates_executes_no_key_twice",
        needs: Needs::Postgres,
        proof: |shared| Box::pin(keys::a_lost_leader_doubles_nothing(shared, "keys-leader")),
    },
    Test {
        name: "dr_h05_an_outage_of_the_database_holds_up_only_runs_with_a_key",
        needs: Needs::Postgres,
        proof: |shared| Box::pin(keys::an_outage_costs_nothing(shared, "keys-outage")),
    },
    Test {
        name: "dr_c18_a_restored_run_is_the_same_row_of_the_history",
        needs: Needs::Postgres,
        proof: |shared| Box::pin(keys::a_restored_run_is_in_the_history_once(shared, "history-kept", false)),
    },
    Test {
        name: "dr_c18_a_lost_database_learns_the_history_again",
        needs: Needs::Postgres,
        proof: |shared| Box::pin(keys::a_restored_run_is_in_the_history_once(shared, "history-lost", true)),
    },
    Test {
        name: "the_statements_hold_their_promises_on_a_real_database",
        needs: Needs::Postgres,
        proof: |_| Box::pin(store::statements_hold_their_promises()),
    },
    Test {
        name: "dr_c23_what_a_later_version_wrote_is_kept_and_a_status_write_changes_nothing_else",
        needs: Needs::Nothing,
        proof: |_| Box::pin(later::what_a_later_version_wrote_is_kept()),
    },
];

/// No test may take longer, apart from a quiet time that somebody asked for.
const LONGEST: Duration = Duration::from_mins(8);

fn main() -> ExitCode {
    if let Some(exit) = support::supervise_if_asked() {
        return exit;
    }
    support::install_tls_provider();
    let arguments = Arguments::from_args();
    let runtime = match Runtime::new() {
        Ok(runtime) => Arc::new(runtime),
        Err(error) => {
            let trial = Trial::test("runtime", move || Err(Failed::from(error)));
            return libtest_mimic::run(&arguments, vec![trial]).exit_code();
        }
    };
    let shared = Arc::new(Shared::default());
    let trial = |Test { name, needs, proof }| {
        let (runtime, shared) = (Arc::clone(&runtime), Arc::clone(&shared));
        Trial::ignorable_test(name, move || {
            if needs == Needs::Postgres && database::programs().is_none() {
                return Ok(Completion::ignored_with(DatabaseError::NoPrograms.to_string()));
            }
            let proof = wait::within(LONGEST + quiet::duration(), "the whole test", proof(shared));
            // Without a backtrace, which says nothing about a cluster.
            let failed = |error| format!("{error:#}\nthe logs of the controllers are in {LOGS}");
            runtime
                .block_on(proof)
                .map(|()| Completion::Completed)
                .map_err(|error| Failed::from(failed(error)))
        })
    };
    let conclusion = libtest_mimic::run(&arguments, TESTS.into_iter().map(trial).collect());
    runtime.block_on(shared.stop());
    conclusion.exit_code()
}

/// The cluster that undisturbing tests share, started by the first one that needs it.
#[derive(Default)]
struct Shared(Mutex<Option<Bed>>);

/// A cluster with the chart's CRDs and watches on runs and Jobs.
#[derive(Clone)]
struct Bed {
    testbed: Arc<Testbed>,
    watches: Arc<WatchHub>,
}

impl Shared {
    async fn bed(&self) -> Result<Bed> {
        let mut bed = self.0.lock().await;
        if let Some(bed) = &*bed {
            return Ok(bed.clone());
        }
        let testbed = Testbed::start(KubeControllers::All).await?;
        testbed.install_crds().await?;
        let watches = Arc::new(follower::watch(testbed.client()).await?);
        Ok(bed.insert(Bed { testbed: Arc::new(testbed), watches }).clone())
    }

    async fn stop(&self) {
        let bed = self.0.lock().await.take();
        if let Some(Ok(testbed)) = bed.map(|bed| Arc::try_unwrap(bed.testbed)) {
            testbed.stop().await;
        }
    }
}
