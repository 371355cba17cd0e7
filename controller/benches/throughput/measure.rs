//! One measurement: create, play, watch, count.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::api::{Api, ListParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde::Serialize;
use tokio::sync::mpsc;

use agents_controller::api::JobView;
use hallmark::cluster::KubeControllers;
use hallmark::subject::Subject;

use crate::Arguments;
use crate::support::LOOK_AGAIN;
use crate::support::audit::Asked;
use crate::support::objects::{RunView, create_run, is_terminal, run_name};
use crate::support::player::{Played, Player};
use crate::support::testbed::{Install, Testbed, unlimited};
use crate::usage::{self, Memory};

const NAMESPACE: &str = "bench";
/// Time for a start, and for every run, after which something must be wrong.
const START: Duration = Duration::from_mins(2);
const PER_RUN: Duration = Duration::from_millis(100);
/// How long the controller is left alone before its memory is read.
const SETTLED: Duration = Duration::from_secs(5);

/// What was measured, and where.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    pub(crate) runs: usize,
    pub(crate) namespaces: usize,
    pub(crate) creators: usize,
    pub(crate) machine: Machine,
    /// From the first creation to the last terminal status.
    pub(crate) seconds: f64,
    pub(crate) runs_per_second: f64,
    /// How long the creations alone took: where this is close to `seconds`, they were the limit.
    pub(crate) creation_seconds: f64,
    /// From the answer to the creation until the watch delivers the Job.
    pub(crate) create_to_job: Latency,
    /// From the answer to the end of the Job until the watch delivers the terminal status.
    pub(crate) end_to_status: Latency,
    pub(crate) requests_per_run: f64,
    /// All requests of the controller, by verb and resource.
    pub(crate) requests: Asked,
    /// Of the controller, with all runs finished.
    pub(crate) memory: Memory,
    /// Of a controller that was started again over all these runs.
    pub(crate) memory_after_restart: Memory,
    /// Processor seconds by process while the runs were on their way.
    pub(crate) cpu_seconds: BTreeMap<String, f64>,
}

/// Where it was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) controller: String,
    pub(crate) profile: &'static str,
    pub(crate) kubernetes: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// Of the minute before the first run.
    pub(crate) load_before: Option<f64>,
}

/// Times in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// Namespace and name of a run.
type Key = (String, String);

/// Moments in the life of the runs.
#[derive(Debug, Default)]
struct Moments {
    created: HashMap<Key, Instant>,
    job: HashMap<Key, Instant>,
    ended: HashMap<Key, Instant>,
    terminal: HashMap<Key, Instant>,
}

pub(crate) async fn measure(arguments: &Arguments) -> Result<Measurement> {
    let load_before = usage::load();
    let testbed = Testbed::start(KubeControllers::WithoutJobs).await?;
    testbed.install_crds().await?;
    let watched: Vec<String> = (0..arguments.namespaces).map(|number| format!("bench-{number}")).collect();
    for namespace in &watched {
        testbed.workspace(namespace).await?;
    }
    let install = Install { watched: watched.clone(), ..Install::of(NAMESPACE, unlimited()) };
    let subject = testbed.install(install).await?;
    let runs = usize::try_from(arguments.runs)?;
    let creators = usize::try_from(arguments.creators)?;

    let processes = processes(&testbed, &subject).await?;
    let before = cpu(&processes)?;
    let (begin, began_at) = (Instant::now(), Timestamp::now());
    let (moments, creation) = load(testbed.client(), &watched, runs, creators).await?;
    let end = moments.terminal.values().max().copied().unwrap_or(begin);
    let seconds = end.duration_since(begin).as_secs_f64();
    let cpu_seconds = used(&before, &cpu(&processes)?);

    until_ttls(testbed.client(), runs).await?;
    let mut requests = Asked::new();
    for request in testbed.requests(NAMESPACE)?.iter().filter(|request| request.at >= began_at) {
        *requests.entry(format!("{} {}", request.verb, request.what)).or_default() += 1;
    }
    tokio::time::sleep(SETTLED).await;
    let memory = usage::memory(id(&subject).await?)?;
    subject.kill().await?;
    subject.start_again().await?;
    tokio::time::sleep(SETTLED).await;
    let memory_after_restart = usage::memory(id(&subject).await?)?;
    subject.stop().await?;

    let measurement = Measurement {
        runs,
        namespaces: watched.len(),
        creators,
        machine: Machine {
            controller: env!("CARGO_PKG_VERSION").to_owned(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
            kubernetes: testbed.info().kubernetes_version.clone(),
            processor: usage::processor(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load_before,
        },
        seconds,
        runs_per_second: count(runs) / seconds,
        creation_seconds: creation.as_secs_f64(),
        create_to_job: latency(&moments.created, &moments.job)?,
        end_to_status: latency(&moments.ended, &moments.terminal)?,
        requests_per_run: count(requests.values().sum()) / count(runs),
        requests,
        memory,
        memory_after_restart,
        cpu_seconds,
    };
    testbed.stop().await;
    Ok(measurement)
}

/// Creates the runs, ends their Jobs, and returns when all runs have ended, with the time that the
/// creations took.
async fn load(
    client: &Client,
    namespaces: &[String],
    runs: usize,
    creators: usize,
) -> Result<(Moments, Duration)> {
    let begin = Instant::now();
    let (_player, played) = Player::everywhere(client);
    let watching = tokio::spawn(observe(client.clone(), played, runs));
    let create = |number: usize| async move {
        let namespace = namespaces.get(number % namespaces.len()).context("there is no namespace")?;
        let name = run_name(number);
        create_run(client, namespace, &name).await?;
        Ok::<_, anyhow::Error>(((namespace.clone(), name), Instant::now()))
    };
    let created = stream::iter(0..runs).map(create).buffer_unordered(creators).try_collect().await?;
    let creation = begin.elapsed();
    let limit = START + PER_RUN * u32::try_from(runs)?;
    let moments = tokio::time::timeout(limit, watching).await;
    let moments = moments.with_context(|| format!("{runs} runs did not end within {limit:?}"))???;
    Ok((Moments { created, ..moments }, creation))
}

/// Notes when Jobs appear and end and when runs get a terminal status, until all have one.
async fn observe(
    client: Client,
    mut played: mpsc::UnboundedReceiver<Played>,
    runs: usize,
) -> Result<Moments> {
    let mut moments = Moments::default();
    let watch = watcher::watcher(Api::<RunView>::all(client), watcher::Config::default());
    let mut versions = pin!(watch.default_backoff().applied_objects());
    while moments.terminal.len() < runs {
        tokio::select! {
            version = versions.next() => {
                let run = version.context("the watch of runs has ended")??;
                if is_terminal(run.status.phase.as_deref()) {
                    let key = (run.namespace().unwrap_or_default(), run.name_any());
                    moments.terminal.entry(key).or_insert_with(Instant::now);
                }
            }
            played = played.recv() => match played {
                Some(Played::Appeared(job)) => drop(moments.job.insert((job.namespace, job.run), job.at)),
                Some(Played::Ended(job)) => drop(moments.ended.insert((job.namespace, job.run), job.at)),
                None => bail!("nobody plays Jobs any more"),
            },
        }
    }
    // The answer to the end of a Job may arrive after the status that it led to.
    while let Ok(Played::Ended(job)) = played.try_recv() {
        moments.ended.insert((job.namespace, job.run), job.at);
    }
    Ok(moments)
}

/// Waits until every Job has its time to live, which belongs to the work for a run.
async fn until_ttls(client: &Client, runs: usize) -> Result<()> {
    let jobs: Api<JobView> = Api::all(client.clone());
    let deadline = Instant::now() + START;
    loop {
        let jobs = jobs.list(&ListParams::default()).await?;
        let with_ttl = jobs.iter().filter(|job| job.spec.ttl_seconds_after_finished.is_some()).count();
        if with_ttl == runs {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "only {with_ttl} of {runs} Jobs have a time to live");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn id(subject: &Subject) -> Result<u32> {
    Ok(subject.processes().await.first().context("the controller does not run")?.id)
}

/// Everything that works for the runs, by name.
async fn processes(testbed: &Testbed, subject: &Subject) -> Result<Vec<(String, u32)>> {
    let mut processes = usage::components(testbed.folder());
    processes.push(("controller".to_owned(), id(subject).await?));
    processes.push(("this bench".to_owned(), std::process::id()));
    Ok(processes)
}

fn cpu(processes: &[(String, u32)]) -> Result<BTreeMap<String, f64>> {
    processes.iter().map(|(name, id)| Ok((name.clone(), usage::cpu_seconds(*id)?))).collect()
}

fn used(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let since = |(name, seconds): (&String, &f64)| {
        (name.clone(), seconds - before.get(name).copied().unwrap_or_default())
    };
    after.iter().map(since).collect()
}

/// Time from one moment to the other for every run that has both.
fn latency(from: &HashMap<Key, Instant>, to: &HashMap<Key, Instant>) -> Result<Latency> {
    let mut times: Vec<Duration> =
        to.iter().filter_map(|(key, end)| Some(end.saturating_duration_since(*from.get(key)?))).collect();
    times.sort();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).map(|time| time.as_secs_f64() * 1000.0).context("nothing was timed")
    };
    Ok(Latency { p50: at(50)?, p99: at(99)?, max: at(100)? })
}

/// As a number to divide by; runs are counted in thousands.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
