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

async fn upgraded(candidate: Implementation) -> Statement {
    let suite = suite();
    let packed = bumps::packed().await;
    let before = present(&suite).with_chart(packed.folder().to_owned());
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

#[tokio::test]
async fn an_upgrade_to_a_sound_version_disturbs_no_run() {
    let upgrades = upgraded(present(&suite())).await;
    assert_eq!(upgrades.cases.len(), 1);
    assert!(live::disturbed(&upgrades).is_empty() && live::open(&upgrades).is_empty(), "{upgrades:?}");
}
