//! Upgrades from the packed chart to the present one, on a cluster.

use std::path::Path;

use hallmark::cluster::process::Supervisor;
use hallmark::cluster::{BackendChoice, ClusterSpec};
use hallmark::engine::{self, Request};
use hallmark::event::EventSink;
use hallmark::gate::live;
use hallmark::report::{Aggregate, Statement};
use hallmark::scenario::Filter;
use hallmark::scenario::suite::Suite;
use hallmark::subject::Implementation;
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use super::bumps;

/// The case with runs that have ended, run, wait, and are between two steps.
const CASE: &str = "an-upgrade-keeps-every-kind-of-run";

fn suite() -> Suite {
    Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).expect("the suite")
}

/// The reference controller with its present chart.
fn present(suite: &Suite) -> Implementation {
    let file = suite.implementation().expect("the suite names one");
    engine::fit(Implementation::load(file).expect("the implementation"), suite).expect("it fits")
}

/// The same with a defect.
fn harmful(defect: &str) -> Implementation {
    present(&suite()).defective().expect("it has defects").with_defect(defect)
}

/// Plays the case from one version, with the packed chart, to another and back.
async fn upgraded(before: Implementation, candidate: Implementation) -> Statement {
    let suite = suite();
    let packed = bumps::packed().await;
    let before = before.with_chart(packed.folder().to_owned());
    let supervisor = Supervisor::at(env!("CARGO_BIN_EXE_hallmark"));
    let (events, mut received) = EventSink::channel();
    let request = Request {
        suite,
        filter: Filter { exact: vec![CASE.to_owned()], ..Filter::default() },
        implementation: Some(candidate.succeeding(before)),
        cluster: ClusterSpec {
            backend: BackendChoice::Local,
            supervisor: supervisor.clone(),
            ..ClusterSpec::default()
        },
        jobs: 1,
        report_dir: None,
        deadline: None,
        fail_fast: false,
        bless: false,
        keep: false,
        settle: false,
        load: Vec::new(),
        supervisor,
    };
    engine::run(request, events, CancellationToken::new()).await.expect("a run");
    let mut run = Aggregate::default();
    while let Ok(event) = received.try_recv() {
        run.apply(&event);
    }
    Statement::of(&run).expect("a report")
}

/// The only thing that an upgrade disturbs, in words.
fn disturbance(upgrades: &Statement) -> String {
    let disturbed = live::disturbed(upgrades);
    let [finding] = disturbed.as_slice() else { panic!("{upgrades:?}") };
    assert_eq!((finding.rule.id, finding.subject.as_str()), ("UPGRADE-DISTURBS", CASE));
    finding.what.clone()
}

#[tokio::test]
async fn an_upgrade_to_a_sound_version_disturbs_no_run() {
    let sound = present(&suite());
    let upgrades = upgraded(sound.clone(), sound).await;
    assert_eq!(upgrades.cases.len(), 1);
    assert!(live::disturbed(&upgrades).is_empty() && live::open(&upgrades).is_empty(), "{upgrades:?}");
}

/// Each is wrong only once runs of the version before are there.
#[rstest]
#[case::loses_the_end_of_a_run("restart-loses-runs", "object other: status.phase = \"Succeeded\"")]
#[case::duplicates_a_job("restart-repeats-runs", "exactly 1 Job of run: exists")]
#[case::takes_runs_for_new_ones("status-ignored", "object other: status.phase = \"Succeeded\"")]
#[case::changes_a_status_that_was_final("ended-runs-are-reviewed", "always object over: ")]
#[case::changes_a_ttl_that_is_set(
    "set-ttls-follow-the-setting",
    "never Job of over: has(self.spec.ttlSeconds"
)]
#[case::starts_what_has_to_wait("restart-forgets-slots", "never Job of waiting: exists")]
#[tokio::test]
async fn an_upgrade_is_found_that(#[case] defect: &str, #[case] claim: &str) {
    let upgrades = upgraded(present(&suite()), harmful(defect)).await;
    let found = disturbance(&upgrades);
    assert!(found.contains(claim), "{found}");
}

#[tokio::test]
async fn a_rollback_is_found_that_loses_the_end_of_a_run() {
    let upgrades = upgraded(harmful("restart-loses-runs"), present(&suite())).await;
    let found = disturbance(&upgrades);
    assert!(found.contains("object run: status.phase = \"Succeeded\""), "{found}");
}
