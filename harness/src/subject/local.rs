//! The subject as processes of this host: one per container and replica of the installed Deployments.
//!
//! The process is what the kubelet would have started, see [`pod_template`](super::pod_template), with two
//! differences that sharing a host brings: declared ports are moved to free ones, and the API server is
//! found through `KUBECONFIG`. Volumes and init containers need a node.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use kube::ResourceExt;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::context::{LogSink, SubjectContext, tell};
use super::endpoint::{Endpoint, until_ready};
use super::error::SubjectError;
use super::exits::{Exits, Wanted};
use super::identity::write_kubeconfig;
use super::implementation::{Process, Ready};
use super::install::{pod_spec, replicas, sources};
use super::log_tail::LogTail;
use super::pod_template::{PodIdentity, ProcessTemplate, Sources, process};
use super::port_mapping;
use super::ports::Port;
use super::program::{in_path, is_bare};
use crate::cluster::process::{Exit, Output, Supervised, SupervisedCommand};
use crate::pulse::Pulse;
use crate::record::Observation;
use crate::scratch::{self, Scratch};

/// What a container finds in `PATH` when its image says nothing.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Pause between two questions for readiness; short, because scenarios wait for it.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long the last lines of an ended process may take to arrive.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Kubernetes' own default of `terminationGracePeriodSeconds`.
const GRACE: i64 = 30;

/// What a start waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// That the processes run.
    Started,
    /// That they say that they are ready.
    Ready,
}

/// The running processes of one start.
#[derive(Debug)]
pub(super) struct Processes {
    instances: Vec<Instance>,
}

/// A container of the subject that runs as a process of this host.
#[derive(Debug, Clone)]
pub struct SubjectProcess {
    /// Name of its pod, as the downward API tells it.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// Process id.
    pub id: u32,
    /// Where its container ports are reached.
    pub endpoints: BTreeMap<u16, Endpoint>,
}

/// One process.
#[derive(Debug)]
struct Instance {
    /// Container and pod, for people.
    name: String,
    /// Name of its pod.
    pod: String,
    /// Name of its container.
    container: String,
    /// Whether its end is wanted.
    wanted: Wanted,
    supervised: Supervised,
    endpoints: BTreeMap<u16, Endpoint>,
    grace: Duration,
    tail: LogTail,
    /// Closed when both output streams ended.
    output_open: mpsc::Receiver<()>,
    /// Kept while the process may use them.
    _ports: BTreeMap<u16, Port>,
    _folder: TempDir,
}

/// A container that is about to become a process.
struct Planned<'a> {
    container: &'a Container,
    pod: PodIdentity,
    template: ProcessTemplate,
    grace: Duration,
}

impl Processes {
    /// Starts every container of every Deployment and waits until all are ready, if that is wanted.
    ///
    /// `generation` becomes part of the pods' names: a new pod has a new name, a restarted container not.
    pub(super) async fn start(
        context: &SubjectContext,
        deployments: &[Deployment],
        generation: u32,
        until: Until,
        log: &LogSink,
        exits: &Exits,
    ) -> Result<Self, SubjectError> {
        let settings = context.implementation.process.as_ref();
        let mut instances = Vec::new();
        for deployment in deployments {
            let settings = settings.ok_or_else(|| needs_node(deployment, "has no `process` section"))?;
            let pod = pod_spec(deployment);
            if pod.init_containers.as_ref().is_some_and(|containers| !containers.is_empty()) {
                return Err(needs_node(deployment, "has init containers"));
            }
            let namespace = deployment.namespace().unwrap_or_default();
            let sources = sources(&context.client, &namespace, &pod).await?;
            let planned = plan(deployment, &pod, generation, &sources)?;
            let started = planned.into_iter().map(|planned| spawn(context, settings, planned, log, exits));
            instances.extend(try_join_all(started).await?);
        }
        let mut processes = Self { instances };
        if until == Until::Ready {
            processes.until_ready(context, log).await?;
        }
        Ok(processes)
    }

    /// Waits until all say that they are ready. Those that are not are of no use; their end is no crash.
    pub(super) async fn until_ready(
        &mut self,
        context: &SubjectContext,
        log: &LogSink,
    ) -> Result<(), SubjectError> {
        let ready = &context.implementation.health.ready;
        let outcomes = self.instances.iter_mut().map(|instance| instance.wait_ready(ready, &context.pulse));
        if let Err(error) = try_join_all(outcomes).await {
            self.want_the_end();
            return Err(error);
        }
        tell(log, format!("{} is ready", self.describe()));
        Ok(())
    }

    /// Asks all to end, kills what is left after the grace period, and says how each ended.
    pub(super) async fn stop(self) -> Vec<(String, Exit)> {
        self.want_the_end();
        join_all(self.instances.into_iter().map(|instance| async move {
            let exit = instance.supervised.stop(instance.grace).await;
            (instance.name, exit)
        }))
        .await
    }

    /// Kills all at once and waits until they are gone.
    pub(super) async fn kill(self) {
        self.want_the_end();
        join_all(self.instances.into_iter().map(|instance| instance.supervised.stop_now())).await;
    }

    /// Kills the containers of one pod and waits until they are gone; they stay down.
    pub(super) async fn kill_pod(&mut self, pod: &str) {
        let (killed, left) =
            std::mem::take(&mut self.instances).into_iter().partition(|instance| instance.pod == pod);
        self.instances = left;
        let killed = Self { instances: killed };
        killed.kill().await;
    }

    /// Names of the pods, each once.
    pub(super) fn pods(&self) -> BTreeSet<String> {
        self.instances.iter().map(|instance| instance.pod.clone()).collect()
    }

    /// What has ended by itself before is a crash, also if its news come later than this.
    fn want_the_end(&self) {
        let running = self.instances.iter().filter(|instance| instance.supervised.exit().is_none());
        running.for_each(|instance| instance.wanted.set());
    }

    /// Where container port `port` is reached, in each container that declares it.
    pub(super) fn endpoints(&self, port: u16) -> Vec<Endpoint> {
        self.instances.iter().filter_map(|instance| instance.endpoints.get(&port).cloned()).collect()
    }

    /// The processes as they were started.
    pub(super) fn list(&self) -> Vec<SubjectProcess> {
        let described = |instance: &Instance| SubjectProcess {
            pod: instance.pod.clone(),
            container: instance.container.clone(),
            id: instance.supervised.id(),
            endpoints: instance.endpoints.clone(),
        };
        self.instances.iter().map(described).collect()
    }

    /// The processes in words for people.
    pub(super) fn describe(&self) -> String {
        let describe = |instance: &Instance| {
            let ports: Vec<_> =
                instance.endpoints.values().map(|endpoint| format!(" at {endpoint}")).collect();
            format!("{} as process {}{}", instance.name, instance.supervised.id(), ports.concat())
        };
        self.instances.iter().map(describe).collect::<Vec<_>>().join(", ")
    }
}

impl Instance {
    /// Waits for the ready answer of this very process: its port was free before, and it still runs.
    async fn wait_ready(&mut self, ready: &Ready, pulse: &Pulse) -> Result<(), SubjectError> {
        let ended = self.supervised.ended();
        let Some(endpoint) = self.endpoints.get(&ready.port) else { return Ok(()) };
        let outcome = tokio::select! {
            biased;
            exit = ended => return Err(self.exited(exit).await),
            outcome = until_ready(endpoint, ready, ASK_EVERY, pulse) => outcome,
        };
        if let Some(exit) = self.supervised.exit() {
            return Err(self.exited(exit).await);
        }
        outcome.map_err(|(within, last_answer)| SubjectError::NotReady {
            name: self.name.clone(),
            within,
            last_answer,
            log: self.tail.lines(),
        })
    }

    async fn exited(&mut self, exit: Exit) -> SubjectError {
        // The pipes are read by tasks of their own, which may be behind the news of the exit.
        let _late = tokio::time::timeout(LAST_LINES, self.output_open.recv()).await;
        SubjectError::Exited { name: self.name.clone(), how: exit.to_string(), log: self.tail.lines() }
    }
}

fn needs_node(deployment: &Deployment, what: &str) -> SubjectError {
    SubjectError::NeedsNode { deployment: deployment.name_any(), what: what.to_owned() }
}

/// The processes of a Deployment, without starting anything.
fn plan<'a>(
    deployment: &Deployment,
    pod: &'a PodSpec,
    generation: u32,
    sources: &Sources,
) -> Result<Vec<Planned<'a>>, SubjectError> {
    let grace = pod.termination_grace_period_seconds.unwrap_or(GRACE);
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    let mut planned = Vec::new();
    for replica in 0..replicas(deployment) {
        let identity = pod_identity(deployment, pod, generation, replica);
        for container in &pod.containers {
            let template = process(container, &identity, sources)
                .map_err(|source| SubjectError::Template { deployment: deployment.name_any(), source })?;
            planned.push(Planned { container, pod: identity.clone(), template, grace });
        }
    }
    Ok(planned)
}

/// What the downward API would tell about a pod that does not exist.
fn pod_identity(deployment: &Deployment, pod: &PodSpec, generation: u32, replica: u32) -> PodIdentity {
    let metadata =
        deployment.spec.as_ref().and_then(|spec| spec.template.metadata.clone()).unwrap_or_default();
    let name = format!("{}-{generation}-{replica}", deployment.name_any());
    let digest = hex::encode(Sha256::digest(format!("{}/{name}", deployment.uid().unwrap_or_default())));
    PodIdentity {
        uid: uuid_like(&digest),
        name,
        namespace: deployment.namespace().unwrap_or_default(),
        labels: metadata.labels.unwrap_or_default(),
        annotations: metadata.annotations.unwrap_or_default(),
        service_account: pod.service_account_name.clone().unwrap_or_else(|| "default".to_owned()),
        ip: "127.0.0.1".to_owned(),
        node: "localhost".to_owned(),
    }
}

/// The first 32 digits in the groups of a uid.
fn uuid_like(digest: &str) -> String {
    let mut digits = digest.chars();
    let groups = [8, 4, 4, 4, 12].map(|length| digits.by_ref().take(length).collect::<String>());
    groups.join("-")
}

async fn spawn(
    context: &SubjectContext,
    settings: &Process,
    planned: Planned<'_>,
    log: &LogSink,
    exits: &Exits,
) -> Result<Instance, SubjectError> {
    let Planned { container, pod, mut template, grace } = planned;
    let program = settings.programs.get(&template.program).ok_or_else(|| SubjectError::NoProgram {
        container: container.name.clone(),
        program: template.program.clone(),
    })?;
    let launch = context.implementation.install.command();
    let program = match launch {
        Some(_) if is_bare(program) => {
            in_path(program).ok_or_else(|| SubjectError::NotInPath(program.display().to_string()))?
        }
        _ => absolute(context.implementation.resolve(program))?,
    };
    let folder = scratch::folder(Scratch::Subject).map_err(|source| SubjectError::File {
        action: "make a folder in",
        path: std::env::temp_dir(),
        source,
    })?;
    let is_administrator = launch.is_some_and(|launch| launch.account.is_none());
    let account = (!is_administrator).then_some(pod.service_account.as_str());
    let kubeconfig = write_kubeconfig(context, &pod.namespace, account, folder.path()).await?;
    let directory = match launch {
        Some(launch) => absolute(context.implementation.resolve(&launch.directory))?,
        None => folder.path().to_owned(),
    };
    let mut ports = BTreeMap::new();
    for mapping in port_mapping::declared(container, &settings.ports) {
        let port = Port::take()?;
        port_mapping::apply(mapping, port.number(), &mut template);
        ports.insert(mapping.container_port, port);
    }
    let tail = LogTail::default();
    let (open, output_open) = mpsc::channel(1);
    let mut command = SupervisedCommand::new(&context.supervisor, program)
        .args(&template.arguments)
        .env_clear()
        .env("PATH", launch.and_then(|_| std::env::var_os("PATH")).unwrap_or_else(|| PATH.into()))
        .env("HOME", folder.path());
    for (variable, value) in &template.environment {
        command = command.env(variable, value);
    }
    let supervised = command
        .env("KUBECONFIG", kubeconfig)
        .current_dir(directory)
        .output(lines_to(log, &tail, open))
        .spawn()
        .await
        .map_err(|source| SubjectError::Spawn { container: container.name.clone(), source })?;
    let name = format!("container `{}` of pod `{}`", container.name, pod.name);
    tell(log, format!("{name} started as process {}", supervised.id()));
    let wanted = Wanted::default();
    report_end(name.clone(), &supervised, exits, &wanted);
    let endpoints = ports.iter().map(|(from, to)| (*from, Endpoint::local(to.number()))).collect();
    Ok(Instance {
        name,
        pod: pod.name,
        container: container.name.clone(),
        wanted,
        supervised,
        endpoints,
        grace,
        tail,
        output_open,
        _ports: ports,
        _folder: folder,
    })
}

fn absolute(path: PathBuf) -> Result<PathBuf, SubjectError> {
    std::path::absolute(&path).map_err(|source| SubjectError::File { action: "find", path, source })
}

/// Sends each line to the record and keeps the last ones. `open` is dropped with the last reader.
fn lines_to(log: &LogSink, tail: &LogTail, open: mpsc::Sender<()>) -> Output {
    let (log, tail) = (Arc::clone(log), tail.clone());
    Output::Lines(Arc::new(move |_stream, line| {
        let _kept_until_the_last_reader_ends = &open;
        tail.push(line);
        log(Observation::Log { line: line.into() });
    }))
}

/// Takes notice of the end of a process, whenever and why ever it comes.
fn report_end(name: String, supervised: &Supervised, exits: &Exits, wanted: &Wanted) {
    let (ended, exits, wanted) = (supervised.ended(), exits.clone(), wanted.clone());
    tokio::spawn(async move {
        let exit = ended.await;
        exits.ended(format!("{name} {exit}"), &wanted);
    });
}

#[cfg(test)]
mod tests;
