//! CRDs that are missing at the start, come, go and come again.

use std::time::Duration;

use agents_controller::api::{AgentRun, GROUP};
use anyhow::{Context as _, Result, ensure};
use hallmark::cluster::KubeControllers;
use hallmark::subject::Subject;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};

use crate::follower::{self, Follower};
use crate::support::objects::{create_run, run_name};
use crate::support::player::{Ending, Player};
use crate::support::testbed::{Install, Testbed, unlimited};
use crate::wait;

const NAMESPACE: &str = "health";
/// What runs need; version control is off.
const REQUIRED: [&str; 6] =
    ["agents", "agentproviders", "agentruns", "implementationspecs", "implementationsources", "memories"];
/// The promise: readiness returns this soon after the CRDs are served.
const RETURNS: Duration = Duration::from_secs(10);
/// Readiness falls this soon after a CRD is gone: the controller looks every few seconds.
const FALLS: Duration = Duration::from_secs(15);
/// How long a run may take on a busy machine.
const FINISHED: Duration = Duration::from_secs(30);

pub(crate) async fn readiness_follows_the_crds() -> Result<()> {
    let testbed = Testbed::start(KubeControllers::All).await?;
    let install = Install { started: "/livez", ..Install::of(NAMESPACE, unlimited()) };
    let subject = testbed.install(install).await?;
    let process = id(&subject).await?;

    until_missing(&subject, &REQUIRED).await?;
    is_alive(&subject).await?;
    reports_missing(&subject, REQUIRED.len()).await?;

    testbed.install_crds().await?;
    until_ready(&subject).await?;
    reports_missing(&subject, 0).await?;

    let crds: Api<CustomResourceDefinition> = Api::all(testbed.client().clone());
    crds.delete(AgentRun::crd_name(), &DeleteParams::default()).await?;
    until_missing(&subject, &["agentruns"]).await?;
    is_alive(&subject).await?;

    let look = async || {
        let gone = crds.get_opt(AgentRun::crd_name()).await?.is_none();
        Ok(if gone { Ok(()) } else { Err("it is there") })
    };
    wait::until(FALLS, "the CRD is gone", look).await?;
    testbed.install_crds().await?;
    until_ready(&subject).await?;
    works(&testbed).await?;
    ensure!(id(&subject).await? == process, "the controller was restarted");
    ensure!(subject.crashed().is_none(), "the controller ended by itself: {:?}", subject.crashed());
    subject.stop().await?;
    testbed.stop().await;
    Ok(())
}

async fn id(subject: &Subject) -> Result<u32> {
    Ok(subject.processes().await.first().context("the controller does not run")?.id)
}

async fn until_ready(subject: &Subject) -> Result<()> {
    let look = async || {
        let answer = subject.get("/readyz").await?;
        Ok(if answer.status == 200 { Ok(()) } else { Err(answer) })
    };
    wait::until(RETURNS, "/readyz answers 200", look).await.map(drop)
}

/// Waits until the controller is not ready and names these CRDs.
async fn until_missing(subject: &Subject, plurals: &[&str]) -> Result<()> {
    let look = async || {
        let answer = subject.get("/readyz").await?;
        let names = |plural: &&str| answer.body.contains(&format!("{plural}.{GROUP}"));
        let as_wanted = answer.status == 503 && plurals.iter().all(names);
        Ok(if as_wanted { Ok(()) } else { Err(answer) })
    };
    wait::until(FALLS, &format!("/readyz answers 503 and names {plurals:?}"), look).await.map(drop)
}

async fn is_alive(subject: &Subject) -> Result<()> {
    for path in ["/livez", "/healthz"] {
        let answer = subject.get(path).await?;
        ensure!(answer.status == 200, "{path} answered {answer}");
    }
    Ok(())
}

/// `/health` has the status of `/readyz` and counts the missing CRDs.
async fn reports_missing(subject: &Subject, missing: usize) -> Result<()> {
    let answer = subject.get("/health").await?;
    let report: Value = serde_json::from_str(&answer.body).with_context(|| format!("{answer}"))?;
    let (code, status) = if missing == 0 { (200, "ok") } else { (503, "degraded") };
    let listed = report.pointer("/agentsController/missingCrds").and_then(Value::as_array).map(Vec::len);
    let is_as_expected = answer.status == code
        && report.get("status") == Some(&json!(status))
        && report.pointer("/agentsController/crdsReady") == Some(&json!(missing == 0))
        && listed == Some(missing);
    ensure!(is_as_expected, "/health answered {answer}");
    Ok(())
}

/// A run of this very process ends well.
async fn works(testbed: &Testbed) -> Result<()> {
    testbed.workspace(NAMESPACE).await?;
    let watches = follower::watch(testbed.client()).await?;
    let mut follower = Follower::start(&watches, NAMESPACE);
    let _player = Player::start(testbed.client(), NAMESPACE, |_| Ending::Complete);
    create_run(testbed.client(), NAMESPACE, &run_name(0)).await?;
    follower.until_ended(FINISHED, 1).await?;
    Ok(())
}
