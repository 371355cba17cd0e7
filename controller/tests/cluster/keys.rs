//! Idempotency keys with a real database: what an outage and a lost leader do to them, and the rows that a restore
//! leaves. What becomes of the runs then is told by scenarios.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agents_controller::api::AgentRun;
use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hallmark::database::Server;
use hallmark::subject::{Subject, SubjectProcess};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::objects::{create_run, create_run_with_key, is_terminal};
use crate::support::player::{Ending, Player};
use crate::support::postgres;
use crate::support::testbed::{Install, unlimited};
use crate::{Bed, Shared, wait};

const HOLD: &str = "agents-restore-hold";
/// How long anything may take on a busy machine, back-off after trouble included.
const FINISHED: Duration = Duration::from_mins(2);

/// A controller with a database, whose Jobs succeed at once.
struct Stage {
    client: Client,
    namespace: &'static str,
    server: Server,
    subject: Subject,
    _player: Player,
}

impl Stage {
    async fn open(bed: &Bed, namespace: &'static str, values: Value) -> Result<Self> {
        let client = bed.testbed.client().clone();
        bed.testbed.workspace(namespace).await?;
        let server = postgres::start().await?;
        server.create(namespace).await?;
        let mut all = unlimited();
        json_patch::merge(&mut all, &json!({"database": {"url": server.url(namespace)}}));
        json_patch::merge(&mut all, &values);
        let subject = bed.testbed.install(Install::of(namespace, all)).await?;
        let player = Player::start(&client, namespace, |_| Ending::Complete);
        Ok(Self { client, namespace, server, subject, _player: player })
    }

    fn runs(&self) -> Api<AgentRun> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    async fn create(&self, name: &str, key: &str) -> Result<()> {
        create_run_with_key(&self.client, self.namespace, name, key).await
    }

    /// Waits until a run shows this phase and reason, which is empty for none.
    async fn until(&self, name: &str, phase: &str, reason: &str) -> Result<AgentRun> {
        let wanted = format!("{phase} {reason}");
        let look = async || {
            let run = self.runs().get(name).await?;
            let status = run.status.as_ref();
            let phase = status.and_then(|status| status.phase.as_deref());
            let reason = status.and_then(|status| status.reason.as_deref());
            let shown = format!("{} {}", phase.unwrap_or_default(), reason.unwrap_or_default());
            ensure!(shown == wanted || !is_terminal(phase), "{name} is {shown} instead of {wanted}");
            Ok(if shown == wanted { Ok(run) } else { Err(shown) })
        };
        Ok(wait::until(FINISHED, &format!("{name} is {wanted}"), look).await?.0)
    }

    async fn until_done(&self, name: &str) -> Result<AgentRun> {
        self.until(name, "Succeeded", "Completed").await
    }

    async fn until_refused(&self, name: &str, reason: &str) -> Result<()> {
        let run = self.until(name, "Failed", reason).await?;
        let status = run.status.unwrap_or_default();
        let duplicate = status.conditions.iter().find(|condition| condition.type_ == "Duplicate");
        let duplicate = duplicate.context("the run does not say that it is a duplicate")?;
        ensure!((duplicate.status.as_str(), duplicate.reason.as_str()) == ("True", reason), "{duplicate:?}");
        ensure!(status.started_at.is_none() && status.finished_at.is_some(), "{name} has run");
        self.has_no_job(name).await
    }

    async fn has_no_job(&self, name: &str) -> Result<()> {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), self.namespace);
        ensure!(jobs.get_opt(&format!("{name}-job")).await?.is_none(), "{name} has a Job");
        Ok(())
    }

    /// Puts the cluster under a restore hold and waits until the controller says that it holds still.
    async fn hold(&self) -> Result<()> {
        let hold: ConfigMap = serde_json::from_value(json!({"metadata": {"name": HOLD}}))?;
        self.holds().create(&PostParams::default(), &hold).await?;
        self.until_answer("/metrics", "it holds still", |_, body| body.contains("agents_restore_hold 1"))
            .await
    }

    async fn release(&self) -> Result<()> {
        self.holds().delete(HOLD, &DeleteParams::default()).await?;
        Ok(())
    }

    fn holds(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    /// Makes a run vanish as a cluster forgets what is newer than its backup.
    async fn forget(&self, name: &str) -> Result<()> {
        let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        self.runs().patch(name, &PatchParams::default(), &free).await?;
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), self.namespace);
        jobs.delete(&format!("{name}-job"), &DeleteParams::background()).await?;
        self.runs().delete(name, &DeleteParams::default()).await?;
        let look = async || {
            let gone = self.runs().get_opt(name).await?.is_none();
            Ok(if gone { Ok(()) } else { Err("it is there") })
        };
        wait::until(FINISHED, &format!("{name} is gone"), look).await.map(drop)
    }

    /// Brings a run back from what it was: another object with the same spec and status.
    async fn restore(&self, backup: &AgentRun) -> Result<()> {
        let object = serde_json::to_value(backup)?;
        let kept = |key: &str| object.pointer(&format!("/metadata/{key}")).cloned().unwrap_or_default();
        let bare = json!({
            "metadata": {
                "name": kept("name"), "annotations": kept("annotations"), "finalizers": kept("finalizers"),
            },
            "spec": object.get("spec"),
        });
        let bare: AgentRun = serde_json::from_value(bare)?;
        let created = self.runs().create(&PostParams::default(), &bare).await?;
        ensure!(created.metadata.uid != backup.metadata.uid, "a restored run has a uid of its own");
        let name = created.metadata.name.unwrap_or_default();
        let status = Patch::Merge(json!({"status": object.get("status")}));
        self.runs().patch_status(&name, &PatchParams::default(), &status).await?;
        Ok(())
    }

    async fn processes(&self) -> Vec<SubjectProcess> {
        self.subject.processes().await
    }

    async fn answer(&self, path: &str) -> Result<(u16, String)> {
        let processes = self.processes().await;
        let endpoint = processes.first().and_then(|process| process.endpoints.values().next());
        let answer = endpoint.context("the controller has no port")?.get(path).await?;
        Ok((answer.status, answer.body))
    }

    async fn until_answer(&self, path: &str, what: &str, wanted: fn(u16, &str) -> bool) -> Result<()> {
        let look = async || {
            let (status, body) = self.answer(path).await?;
            Ok(if wanted(status, &body) { Ok(()) } else { Err(format!("{status} {body}")) })
        };
        wait::until(FINISHED, what, look).await.map(drop)
    }

    async fn until_stored(&self, query: &'static str, rows: i64) -> Result<()> {
        let look = async || {
            let found = postgres::number(&self.server, self.namespace, query).await?;
            Ok(if found == rows { Ok(()) } else { Err(found) })
        };
        wait::until(FINISHED, &format!("{rows} rows: {query}"), look).await.map(drop)
    }

    async fn close(self) -> Result<()> {
        ensure!(self.subject.crashed().is_none(), "the controller ended by itself");
        Ok(self.subject.stop().await?)
    }
}

/// [DR-C18] A restored run is the row of the history that it was before, and a database that was lost meanwhile
/// (`is_lost`) learns again what had ended.
pub(crate) async fn a_restored_run_is_in_the_history_once(
    shared: Arc<Shared>,
    namespace: &'static str,
    is_lost: bool,
) -> Result<()> {
    let bed = shared.bed().await?;
    let stage = Stage::open(&bed, namespace, json!({})).await?;
    stage.create("first", "order-7").await?;
    let first = stage.until_done("first").await?;
    stage.create("again", "order-7").await?;
    stage.until_refused("again", "IdempotencyKeyCompleted").await?;
    stage.until_stored("SELECT count(*) FROM run_history", 2).await?;

    stage.hold().await?;
    stage.forget("first").await?;
    if is_lost {
        stage.server.create(namespace).await?;
    }
    stage.restore(&first).await?;
    stage.create("submitted-again", "order-7").await?;
    stage.release().await?;
    stage.until_refused("submitted-again", "IdempotencyKeyCompleted").await?;
    stage.until_stored("SELECT count(*) FROM run_history", 3).await?;
    stage.until_stored("SELECT count(*) FROM idempotency_keys WHERE run_name = 'first'", 1).await?;
    stage.close().await
}

/// Waits until all of these runs have ended, one of them executed and the others refused.
async fn executed_once(stage: &Stage, names: &[&str]) -> Result<()> {
    let look = async || {
        let mut phases = BTreeMap::new();
        for name in names {
            let status = stage.runs().get(name).await?.status.unwrap_or_default();
            *phases.entry(status.phase.unwrap_or_default()).or_insert(0_usize) += 1;
        }
        let ended: usize = ["Succeeded", "Failed"].iter().filter_map(|phase| phases.get(*phase)).sum();
        Ok(if ended == names.len() { Ok(phases) } else { Err(format!("{phases:?}")) })
    };
    let (phases, _) = wait::until(FINISHED, "all runs of one key have ended", look).await?;
    ensure!(phases.get("Succeeded") == Some(&1), "runs of one key: {phases:?} instead of one success");
    Ok(())
}

/// [DR-H05] Without its database the controller works on, and only runs with a key wait.
pub(crate) async fn an_outage_costs_nothing(shared: Arc<Shared>, namespace: &'static str) -> Result<()> {
    let bed = shared.bed().await?;
    let mut stage = Stage::open(&bed, namespace, json!({})).await?;
    stage.create("before", "order-1").await?;
    stage.until_done("before").await?;
    stage
        .until_answer("/backupz/idempotency-store", "the database is ready", |status, _| status == 200)
        .await?;

    stage.server.kill().await;
    stage
        .until_answer("/backupz", "a backup is refused", |status, body| {
            status == 503 && body.contains("Store")
        })
        .await?;
    for path in ["/readyz", "/livez"] {
        let (status, body) = stage.answer(path).await?;
        ensure!(status == 200, "{path} answered {status} {body}");
    }
    stage.create("with-key", "order-2").await?;
    stage.create("duplicate", "order-1").await?;
    create_run(&stage.client, namespace, "without-key").await?;
    stage.until_done("without-key").await?;
    stage.until("with-key", "Pending", "IdempotencyStoreUnavailable").await?;
    stage.until("duplicate", "Pending", "IdempotencyStoreUnavailable").await?;
    stage.has_no_job("with-key").await?;

    stage.server.resume().await?;
    stage.until_done("with-key").await?;
    stage.until_refused("duplicate", "IdempotencyKeyCompleted").await?;
    stage
        .until_answer("/backupz/idempotency-store", "the database is ready", |status, _| status == 200)
        .await?;
    // What ended meanwhile is in the history.
    stage.until_stored("SELECT count(*) FROM run_history", 4).await?;
    stage.close().await
}

/// Many duplicates at once, and the leader is lost in the middle of them.
pub(crate) async fn a_lost_leader_doubles_nothing(
    shared: Arc<Shared>,
    namespace: &'static str,
) -> Result<()> {
    const KEYS: usize = 8;
    const EACH: usize = 4;
    let bed = shared.bed().await?;
    let replicas = json!({"replicaCount": 2, "controller": {"leaderElection": {
        "leaseDurationSeconds": 8, "renewDeadlineSeconds": 6, "retryPeriodSeconds": 2,
    }}});
    let stage = Stage::open(&bed, namespace, replicas).await?;
    let names: Vec<Vec<String>> =
        (0..KEYS).map(|key| (0..EACH).map(|each| format!("run-{key}-{each}")).collect()).collect();
    let client = stage.client.clone();
    let mut creations = FuturesUnordered::new();
    for (key, names) in names.iter().enumerate() {
        for name in names {
            creations.push(create_key(&client, namespace, name, key));
        }
    }
    let mut created = 0;
    while let Some(creation) = creations.next().await {
        creation?;
        created += 1;
        if created == KEYS * EACH / 2 {
            kill_the_leader(&stage).await?;
        }
    }
    for names in &names {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        executed_once(&stage, &names).await?;
    }
    let jobs: Api<Job> = Api::namespaced(stage.client.clone(), namespace);
    let jobs = jobs.list(&ListParams::default()).await?.items.len();
    ensure!(jobs == KEYS, "{jobs} Jobs were made for {KEYS} keys");
    Ok(stage.subject.stop().await?)
}

async fn create_key(client: &Client, namespace: &str, name: &str, key: usize) -> Result<()> {
    create_run_with_key(client, namespace, name, &format!("order-{key}")).await
}

async fn kill_the_leader(stage: &Stage) -> Result<()> {
    for process in stage.processes().await {
        let (_port, endpoint) = process.endpoints.first_key_value().context("the replica has no port")?;
        if endpoint.get("/metrics").await?.body.contains("agents_leader 1") {
            let id = Pid::from_raw(process.id.cast_signed()).context("the leader has a process id")?;
            return Ok(kill_process(id, Signal::KILL)?);
        }
    }
    anyhow::bail!("nobody leads")
}
