//! Starting the components in order, and stopping them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use tempfile::TempDir;

use super::certificates::{self, Certificates};
use super::ports::{self, Ports};
use super::{flags, log};
use crate::cluster::info::{Backend, ClusterInfo};
use crate::cluster::process::{Exit, Output, Supervised, SupervisedCommand, Supervisor};
use crate::cluster::provision::{self, Component, KubernetesBinaries};
use crate::cluster::{ClusterError, ClusterSpec, audit, client, kinds, kubeconfig};
use crate::event::EventSink;
use crate::scratch::{self, Scratch};

/// How often a start is repeated because another process took a port.
const ATTEMPTS: u32 = 3;
/// How long the API server may take until it is ready, also on a busy machine.
const READY: Duration = Duration::from_secs(90);
/// How long the controllers may take to act after that.
const CONTROLLERS: Duration = Duration::from_mins(1);

/// Per cent by which the heap of a component may grow before garbage is collected. A test cluster lives for
/// minutes on a machine whose processors are the bottleneck, so memory is spent to save their time.
const GARBAGE: &str = "400";

/// The component that does most of the work of a cluster.
const APISERVER: &str = "kube-apiserver";

/// The folder with the data of etcd.
const DATA: &str = "etcd";

const PHASE: &str = "starting the local cluster";

/// A running cluster of child processes. Dropping it kills them at once.
#[derive(Debug)]
pub struct LocalCluster {
    info: ClusterInfo,
    start_time: Duration,
    kubeconfig: PathBuf,
    controller_manager: Running,
    apiserver: Running,
    etcd: Running,
    supervisor: Supervisor,
    /// How the API server is started again.
    apiserver_command: Command,
    /// How etcd is started again.
    etcd_command: Command,
    pub(super) ports: Ports,
    /// Last, so that the folder goes after the processes that write into it.
    folder: TempDir,
}

/// A program and its arguments.
#[derive(Debug)]
struct Command {
    name: &'static str,
    component: Component,
    flags: Vec<String>,
}

#[derive(Debug)]
struct Running {
    name: &'static str,
    process: Supervised,
    log: PathBuf,
}

/// Provisions the binaries, starts the components and waits until the controllers act.
pub async fn start(spec: &ClusterSpec, events: &EventSink) -> Result<LocalCluster, ClusterError> {
    let binaries = provision::kubernetes(spec.kubernetes, events).await?;
    let begin = Instant::now();
    for attempt in 1..=ATTEMPTS {
        events.progress(PHASE, if attempt == 1 { "" } else { "again, a port was taken" });
        match start_once(&binaries, spec, events).await {
            Err(ClusterError::Ended { log, .. }) if ports::lost_race(&log) => {}
            Err(error) => return Err(error),
            Ok(mut cluster) => {
                cluster.start_time = begin.elapsed();
                events.progress_done(PHASE, cluster.start_time);
                return Ok(cluster);
            }
        }
    }
    Err(ClusterError::Ports { attempts: ATTEMPTS })
}

async fn start_once(
    binaries: &KubernetesBinaries,
    spec: &ClusterSpec,
    events: &EventSink,
) -> Result<LocalCluster, ClusterError> {
    let folder = scratch::folder(Scratch::Cluster);
    let folder = folder.map_err(ClusterError::io("create a folder in", std::env::temp_dir()))?;
    let (path, supervisor) = (folder.path(), &spec.supervisor);
    let ports = ports::free()?;
    let launch = Launch { supervisor, folder: path };

    let flags = flags::etcd(&path.join(DATA), ports);
    let etcd_command = Command { name: "etcd", component: binaries.etcd.clone(), flags };
    let etcd = launch.run(&etcd_command).await?;
    let certificates = certificates::make(path)?;
    let kubeconfig = path.join("kubeconfig");
    kubeconfig::write(&admin_kubeconfig(&certificates, ports), &kubeconfig)?;
    let mut flags = flags::apiserver(&certificates, ports);
    flags.extend(audit_flags(path, &kubeconfig)?);
    let apiserver_command = Command { name: APISERVER, component: binaries.apiserver.clone(), flags };
    let apiserver = launch.run(&apiserver_command).await?;
    let client = client::connect(&kubeconfig).await?;
    events.progress(PHASE, "waiting for the API server");
    tokio::select! {
        ready = client::wait_ready(&client, READY) => ready?,
        ended = etcd.ended() => return Err(ended),
        ended = apiserver.ended() => return Err(ended),
    }
    // Before the controllers: the garbage collector looks for kinds when it starts and then every 30
    // seconds, and collects nothing that objects of an unknown kind own.
    kinds::serve(&client, &spec.kinds).await?;
    // Started earlier it would exit, because the roles that it needs are not there yet.
    let controller_manager = launch
        .run(&Command {
            name: "kube-controller-manager",
            component: binaries.controller_manager.clone(),
            flags: flags::controller_manager(&certificates, &kubeconfig, spec.controllers),
        })
        .await?;
    events.progress(PHASE, "waiting for the controllers");
    tokio::select! {
        acting = client::wait_service_account(&client, "default", CONTROLLERS) => acting?,
        ended = etcd.ended() => return Err(ended),
        ended = apiserver.ended() => return Err(ended),
        ended = controller_manager.ended() => return Err(ended),
    }
    let info = ClusterInfo {
        backend: Backend::Local,
        distribution: "upstream Kubernetes processes".to_owned(),
        kubernetes_version: client::server_version(&client, READY).await?,
        node: false,
        disposable: true,
    };
    Ok(LocalCluster {
        info,
        start_time: Duration::ZERO,
        kubeconfig,
        controller_manager,
        apiserver,
        etcd,
        supervisor: supervisor.clone(),
        apiserver_command,
        etcd_command,
        ports,
        folder,
    })
}

/// Writes the policy and an empty log, and tells the API server of them.
fn audit_flags(folder: &Path, kubeconfig: &Path) -> Result<[String; 4], ClusterError> {
    let (policy, log) = (folder.join("audit-policy.json"), audit::beside(kubeconfig));
    std::fs::write(&policy, audit::policy()).map_err(ClusterError::io("write", &policy))?;
    std::fs::write(&log, "").map_err(ClusterError::io("write", &log))?;
    Ok(audit::flags(&policy.to_string_lossy(), &log.to_string_lossy()))
}

struct Launch<'a> {
    supervisor: &'a Supervisor,
    folder: &'a Path,
}

impl Launch<'_> {
    async fn run(&self, command: &Command) -> Result<Running, ClusterError> {
        let Command { name, component, flags } = command;
        let log = self.folder.join(format!("{name}.log"));
        let process = SupervisedCommand::new(self.supervisor, &component.program)
            .args(&component.args)
            .args(flags)
            .env("GOGC", GARBAGE)
            .env("GOMAXPROCS", processors(name).to_string())
            .output(Output::File(log.clone()))
            .spawn()
            .await
            .map_err(|source| ClusterError::Spawn { component: name, source })?;
        Ok(Running { name, process, log })
    }
}

/// How many processors a component may use at the same time.
///
/// Etcd and the controllers are woken thousands of times for a little work each. With several processors Go
/// wakes another one for nearly every piece of it, which costs more than the work itself and takes the time
/// from the API server. The API server is what others wait for.
fn processors(component: &str) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    if component == APISERVER { all } else { (all / 4).max(1) }
}

impl Running {
    /// Resolves when the process ends, which nobody asked for.
    async fn ended(&self) -> ClusterError {
        let exit: Exit = self.process.ended().await;
        if log::tells_full_disk(&self.log) {
            let folder = self.log.parent().unwrap_or(&self.log).to_owned();
            return ClusterError::DiskFull { component: self.name, folder };
        }
        ClusterError::Ended { component: self.name, exit, log: log::tail(&self.log) }
    }
}

impl LocalCluster {
    /// What is known about it.
    pub fn info(&self) -> &ClusterInfo {
        &self.info
    }

    /// How long the start took, without the time for building or fetching its programs.
    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// Resolves with a sentence when a component ends unasked.
    pub async fn lost(&self) -> String {
        let ended = tokio::select! {
            ended = self.etcd.ended() => ended,
            ended = self.apiserver.ended() => ended,
            ended = self.controller_manager.ended() => ended,
        };
        ended.to_string()
    }

    /// Kills the API server and waits until it is gone; its data stays in etcd. [`LocalCluster::lost`]
    /// cannot tell this from an accident.
    pub async fn kill_apiserver(&mut self) {
        self.apiserver.process.kill();
        self.apiserver.process.wait().await;
    }

    /// Starts the API server again after [`LocalCluster::kill_apiserver`], at the same address, and waits
    /// until it is ready.
    pub async fn start_apiserver(&mut self) -> Result<(), ClusterError> {
        let launch = Launch { supervisor: &self.supervisor, folder: self.folder.path() };
        self.apiserver = launch.run(&self.apiserver_command).await?;
        let client = client::connect(&self.kubeconfig).await?;
        tokio::select! {
            ready = client::wait_ready(&client, READY) => ready,
            ended = self.apiserver.ended() => Err(ended),
        }
    }

    /// Kills etcd and waits until it is gone; returns the folder with its data.
    pub(super) async fn kill_etcd(&mut self) -> PathBuf {
        self.etcd.process.kill();
        self.etcd.process.wait().await;
        self.folder.path().join(DATA)
    }

    /// Starts etcd again, on whatever is in its folder now.
    pub(super) async fn start_etcd(&mut self) -> Result<(), ClusterError> {
        let launch = Launch { supervisor: &self.supervisor, folder: self.folder.path() };
        self.etcd = launch.run(&self.etcd_command).await?;
        Ok(())
    }

    /// Ends all processes and removes the folder. Bounded by the ten seconds that a kill may take.
    ///
    /// The components are killed, not asked: their data goes with them, and an orderly end would make
    /// every run a second longer.
    pub async fn stop(self) {
        tokio::join!(
            self.controller_manager.process.stop_now(),
            self.apiserver.process.stop_now(),
            self.etcd.process.stop_now(),
        );
    }
}

fn admin_kubeconfig(certificates: &Certificates, ports: Ports) -> Kubeconfig {
    const NAME: &str = "hallmark-local";
    let text = |path: &Path| Some(path.display().to_string());
    Kubeconfig {
        api_version: Some("v1".to_owned()),
        kind: Some("Config".to_owned()),
        current_context: Some(NAME.to_owned()),
        clusters: vec![NamedCluster {
            name: NAME.to_owned(),
            cluster: Some(Cluster {
                server: Some(format!("https://127.0.0.1:{}", ports.apiserver)),
                certificate_authority: text(&certificates.ca),
                ..Cluster::default()
            }),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: NAME.to_owned(),
            auth_info: Some(AuthInfo {
                token: Some(certificates.admin_token.clone().into()),
                ..AuthInfo::default()
            }),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: NAME.to_owned(),
            context: Some(Context {
                cluster: NAME.to_owned(),
                user: Some(NAME.to_owned()),
                ..Context::default()
            }),
            ..NamedContext::default()
        }],
        ..Kubeconfig::default()
    }
}
