//! One measurement: every tool, one after the other, on one cluster.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use hallmark::cluster::process::Supervisor;
use hallmark::cluster::{BackendChoice, ClusterSpec, KubeControllers, local};
use hallmark::event::EventSink;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use serde::Serialize;
use tokio::sync::watch;

use crate::metrics::{self, Requests};
use crate::tool::{self, Task, Tool};
use crate::{Arguments, play, usage};

/// How long the cluster is left alone after its start, which leaves things to do.
const SETTLED: Duration = Duration::from_secs(15);
/// How long the cluster is watched while nobody uses it.
const IDLE: Duration = Duration::from_secs(5);
/// How long the namespaces of a tool may take to vanish, for each of them.
const VANISH: Duration = Duration::from_secs(2);
/// Pause between two looks at the memory of a tool.
const LOOK: Duration = Duration::from_millis(100);

/// What was measured, and where.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bench {
    pub(crate) profile: &'static str,
    pub(crate) kubernetes: String,
    pub(crate) cores: usize,
    /// Of the minute before it began and of that before it ended.
    pub(crate) load: [Option<f64>; 2],
    pub(crate) in_flight: usize,
    /// Requests per second while nobody uses the cluster.
    pub(crate) idle: Requests,
    pub(crate) runs: Vec<Measured>,
}

/// One run of a tool. Times in seconds, memory in mebibytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    pub(crate) tool: String,
    pub(crate) scenarios: u32,
    /// From the start of the process to its end.
    pub(crate) wall: f64,
    /// Before the first scenario; absent where the tool does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<f64>,
    /// From the beginning of the first scenario to the end of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) work: Option<f64>,
    pub(crate) cpu: f64,
    /// Until all namespaces are gone, without what it takes to make and delete as many empty ones.
    pub(crate) cpu_of_api_server: f64,
    pub(crate) resident: f64,
    /// By verb, without what the cluster does by itself: while it is idle, and for each namespace that is made
    /// and deleted.
    pub(crate) requests: Requests,
}

/// The cluster and what is known about it.
struct Bed {
    cluster: local::LocalCluster,
    client: Client,
    /// The namespaces that are there.
    namespaces: watch::Receiver<BTreeSet<String>>,
    idle: Requests,
}

pub(crate) async fn measure(arguments: &Arguments) -> Result<Bench> {
    let before = usage::load();
    let bed = Bed::start().await?;
    let mut tools = vec![Tool::Oracle, Tool::Hallmark];
    if !arguments.without_kubectl && tool::has_kubectl() {
        tools.push(Tool::Kubectl);
    }
    tools.extend(arguments.tools.iter().cloned().map(Tool::Custom));
    let mut runs = Vec::new();
    for scenarios in &arguments.scenarios {
        let folder = tempfile::tempdir().context("create a folder")?;
        play::write(folder.path(), *scenarios)?;
        let kubeconfig = bed.cluster.kubeconfig_path();
        let (in_flight, folder) = (arguments.in_flight, folder.path());
        let task = Task { scenarios: *scenarios, in_flight, folder, kubeconfig };
        let namespaces = bed.run(&Tool::Namespaces, &task).await?;
        let mut reaction = namespaces.requests;
        // What the tool itself has asked is no reaction.
        for verb in ["POST", "DELETE"] {
            reaction.entry(verb.to_owned()).and_modify(|count| *count -= f64::from(*scenarios));
        }
        for tool in &tools {
            let measured = bed.run(tool, &task).await?;
            let requests = metrics::without(&measured.requests, &reaction, 1.0);
            let cpu_of_api_server = (measured.cpu_of_api_server - namespaces.cpu_of_api_server).max(0.0);
            runs.push(Measured { cpu_of_api_server, requests, ..measured });
        }
    }
    let bench = Bench {
        profile: if cfg!(debug_assertions) { "debug" } else { "release" },
        kubernetes: bed.cluster.info().kubernetes_version.clone(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        load: [before, usage::load()],
        in_flight: arguments.in_flight,
        idle: bed.idle.clone(),
        runs,
    };
    bed.cluster.stop().await;
    Ok(bench)
}

impl Bed {
    async fn start() -> Result<Self> {
        let (events, _unheard) = EventSink::channel();
        let spec = ClusterSpec {
            backend: BackendChoice::Local,
            controllers: KubeControllers::WithoutPods,
            supervisor: Supervisor::at(env!("CARGO_BIN_EXE_hallmark")),
            ..ClusterSpec::default()
        };
        let cluster = local::start(&spec, &events).await.context("start a cluster")?;
        let client = tool::connect(cluster.kubeconfig_path()).await?;
        let (sender, namespaces) = watch::channel(BTreeSet::new());
        tokio::spawn(follow(client.clone(), sender));
        tokio::time::sleep(SETTLED).await;
        let (begin, first) = (Instant::now(), metrics::requests(&client).await?);
        tokio::time::sleep(IDLE).await;
        let second = metrics::requests(&client).await?;
        let seconds = begin.elapsed().as_secs_f64();
        let idle = metrics::without(&second, &first, 1.0);
        let idle = idle.into_iter().map(|(verb, count)| (verb, count / seconds)).collect();
        Ok(Self { cluster, client, namespaces, idle })
    }

    /// Lets a tool do its task, and waits until the cluster has dealt with all of it.
    async fn run(&self, tool: &Tool, task: &Task<'_>) -> Result<Measured> {
        let there = self.namespaces.borrow().clone();
        let api_server =
            usage::api_server(self.cluster.kubeconfig_path().parent().unwrap_or(Path::new("/")))?;
        let requests = metrics::requests(&self.client).await?;
        let (own, of_api_server) = (usage::cpu_seconds_of_children()?, usage::cpu_seconds(api_server)?);
        let (begin, began_at) = (Instant::now(), Timestamp::now());
        let mut child = tool.command(task)?.stdout(Stdio::piped()).spawn().context("start the tool")?;
        let mut stdout = child.stdout.take().context("read from the tool")?;
        let reading = std::thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).map(|_length| text)
        });
        let mut resident: f64 = 0.0;
        let status = loop {
            resident = resident.max(usage::resident(child.id()));
            if let Some(status) = child.try_wait().context("wait for the tool")? {
                break status;
            }
            tokio::time::sleep(LOOK).await;
        };
        let wall = begin.elapsed().as_secs_f64();
        ensure!(status.success(), "play with {}: {status}", tool.name());
        let text = reading.join().map_err(|_panic| anyhow::anyhow!("read what the tool says"))??;
        let cpu = usage::cpu_seconds_of_children()? - own;
        self.until_only(&there, task.scenarios).await?;
        let cpu_of_api_server = usage::cpu_seconds(api_server)? - of_api_server;
        let elapsed = begin.elapsed().as_secs_f64();
        let all = metrics::without(&metrics::requests(&self.client).await?, &requests, 1.0);
        let played = tool.played(task, &text)?;
        let between = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
        Ok(Measured {
            tool: tool.name().to_owned(),
            scenarios: task.scenarios,
            wall,
            start: played.map(|played| between(began_at, played.began)),
            work: played.map(|played| between(played.began, played.ended)),
            cpu,
            cpu_of_api_server,
            resident,
            requests: metrics::without(&all, &self.idle, elapsed),
        })
    }

    /// Waits until no namespaces are left but these.
    async fn until_only(&self, wanted: &BTreeSet<String>, made: u32) -> Result<()> {
        let mut namespaces = self.namespaces.clone();
        let gone = namespaces.wait_for(|there| there.is_subset(wanted));
        tokio::time::timeout(VANISH * (made + 10), gone).await.context("see the namespaces vanish")??;
        Ok(())
    }
}

async fn follow(client: Client, namespaces: watch::Sender<BTreeSet<String>>) {
    let mut events = watcher::watcher(Api::<Namespace>::all(client), watcher::Config::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Apply(one) | watcher::Event::InitApply(one)) => {
                namespaces.send_modify(|all| {
                    all.insert(one.name_any());
                });
            }
            Ok(watcher::Event::Delete(one)) => {
                namespaces.send_modify(|all| {
                    all.remove(&one.name_any());
                });
            }
            Ok(watcher::Event::Init) => drop(namespaces.send_replace(BTreeSet::new())),
            Ok(watcher::Event::InitDone) | Err(_) => {}
        }
    }
}
