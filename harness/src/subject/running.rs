//! [`Subject`]: one installed release of the controller under test, on either kind of cluster.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;
use tokio::sync::Mutex;

use super::context::{LogSink, ReleaseSpec, SubjectContext, tell};
use super::endpoint::{Answer, Endpoint};
use super::error::SubjectError;
use super::exits::{Exits, UnexpectedExit};
use super::install::{deployments, install};
use super::lease;
use super::local::{Processes, SubjectProcess, Until};
use super::manifests;
use super::pods::Pods;

/// A running subject; dropping it kills its processes but leaves its release installed.
pub struct Subject {
    context: SubjectContext,
    log: LogSink,
    exits: Exits,
    state: Mutex<State>,
}

struct State {
    /// The version that is installed; the subject's own context has the one that an upgrade takes.
    context: SubjectContext,
    release: ReleaseSpec,
    /// Versions and values of the revisions before, for the way back.
    earlier: Vec<(SubjectContext, Value)>,
    deployments: Vec<Deployment>,
    /// Counts how often the pods were replaced by new ones.
    generation: u32,
    running: Option<Running>,
}

enum Running {
    Processes(Processes),
    Pods(Pods),
}

impl Running {
    fn pods(&self) -> BTreeSet<String> {
        match self {
            Self::Processes(processes) => processes.pods(),
            Self::Pods(pods) => pods.pods(),
        }
    }
}

impl Subject {
    /// Installs a release, starts what it asks for and waits until it is ready.
    ///
    /// Log lines and everything that happens to the subject go to `log`.
    pub async fn start(
        context: &SubjectContext,
        release: ReleaseSpec,
        log: LogSink,
    ) -> Result<Self, SubjectError> {
        let namespace = release.namespace.clone();
        let started = Self::install_and_run(context, release, log).await;
        if started.is_err()
            && !context.implementation.install.manifests().is_empty()
            && let Err(error) = manifests::remove(context, &namespace).await
        {
            // The failure to start is what matters.
            tracing::debug!(namespace, %error, "cluster roles not removed");
        }
        started
    }

    async fn install_and_run(
        context: &SubjectContext,
        release: ReleaseSpec,
        log: LogSink,
    ) -> Result<Self, SubjectError> {
        let first = if release.upgraded {
            SubjectContext { implementation: context.implementation.first(), ..context.clone() }
        } else {
            context.clone()
        };
        let chart = first.implementation.chart();
        let previous = chart.filter(|chart| context.implementation.chart().as_ref() != Some(chart));
        if let Some(chart) = &previous {
            tell(&log, format!("the release begins with the previous version, chart `{}`", chart.display()));
        }
        let started = Self::begin(context, first, release, log).await;
        match previous {
            Some(chart) => started.map_err(|error| SubjectError::Previous { chart, source: Box::new(error) }),
            None => started,
        }
    }

    /// Installs and starts the first version of a release.
    async fn begin(
        context: &SubjectContext,
        first: SubjectContext,
        release: ReleaseSpec,
        log: LogSink,
    ) -> Result<Self, SubjectError> {
        install(&first, &release).await?;
        let deployments = deployments(&first, &release).await?;
        let subject = Self {
            context: context.clone(),
            exits: Exits::new(LogSink::clone(&log)),
            log,
            state: Mutex::new(State {
                context: first,
                release,
                earlier: Vec::new(),
                deployments,
                generation: 0,
                running: None,
            }),
        };
        subject.start_again().await?;
        Ok(subject)
    }

    /// Starts it again after [`Subject::kill`], [`Subject::stop`] or a crash, and waits until it is ready.
    ///
    /// Does what the kubelet does with a container that ended: the pod keeps its name. Whatever still runs
    /// is killed first.
    pub async fn start_again(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.kill_running(&mut state).await?;
        self.run(&mut state).await
    }

    /// Starts it again, as [`Subject::start_again`] does, but does not wait until it is ready.
    ///
    /// Only where it runs as processes of this host; pods are waited for.
    pub async fn start_again_unready(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.kill_running(&mut state).await?;
        self.run_until(&mut state, Until::Started).await
    }

    /// Waits until it is ready after [`Subject::start_again_unready`]. Whoever gives up waiting changes nothing.
    pub async fn until_ready(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        let State { running, context, .. } = &mut *state;
        match running {
            Some(Running::Processes(processes)) => processes.until_ready(context, &self.log).await,
            Some(Running::Pods(_)) | None => Ok(()),
        }
    }

    /// Replaces it in order: asks it to end within the pod's grace period, upgrades the release if `values`
    /// are given (over the values it was started with), starts new pods and waits until they are ready.
    pub async fn restart(&self, values: Option<Value>) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.stop_running(&mut state).await?;
        if let Some(values) = values {
            let before = (state.context.clone(), state.release.values.clone());
            state.earlier.push(before);
            state.context = self.context.clone();
            super::values::merge(&mut state.release.values, &values);
            install(&state.context, &state.release).await?;
            tell(&self.log, "the release was upgraded");
            state.deployments = deployments(&state.context, &state.release).await?;
        }
        state.generation += 1;
        self.run(&mut state).await
    }

    /// Replaces it in order, as [`Subject::restart`] does, but does not wait until it is ready.
    ///
    /// Only where it runs as processes of this host; pods are waited for.
    pub async fn restart_unready(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.stop_running(&mut state).await?;
        state.generation += 1;
        self.run_until(&mut state, Until::Started).await
    }

    /// Takes the release back to the revision before the last upgrade, as [`Subject::restart`] would.
    pub async fn roll_back(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.stop_running(&mut state).await?;
        let name = self.context.implementation.release();
        let (helm, _) = self.context.chart()?;
        helm.rollback(&self.context.kubeconfig_path, name, &state.release.namespace, None).await?;
        tell(&self.log, "the release was rolled back");
        if let Some((context, values)) = state.earlier.pop() {
            state.context = context;
            state.release.values = values;
        }
        state.deployments = deployments(&state.context, &state.release).await?;
        state.generation += 1;
        self.run(&mut state).await
    }

    /// Kills it without warning; it stays down until [`Subject::start_again`] or [`Subject::restart`].
    ///
    /// On clusters with a node the kubelet may let a second pass between the signal to end and SIGKILL.
    pub async fn kill(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.kill_running(&mut state).await?;
        tell(&self.log, "the subject was killed");
        Ok(())
    }

    /// Asks it to end; it has to do so by itself, with exit code 0 and within the given time.
    ///
    /// How pods end is known to the node alone: on clusters with one only the time is judged.
    pub async fn end_within(&self, within: Duration) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        let begin = Instant::now();
        let ends = match state.running.take() {
            None => return Err(SubjectError::NotRunning(state.release.namespace.clone())),
            Some(Running::Processes(processes)) => processes.stop().await,
            Some(Running::Pods(pods)) => {
                pods.stop(None).await?;
                Vec::new()
            }
        };
        let took = begin.elapsed();
        let wrong = ends.into_iter().find(|(_, exit)| !exit.success());
        match wrong {
            Some((name, exit)) => Err(SubjectError::NoOrderlyEnd { name, how: exit.to_string(), took }),
            None if took > within => Err(SubjectError::NoOrderlyEnd {
                name: "the subject".to_owned(),
                how: format!("did not end within {} s", within.as_secs_f32()),
                took,
            }),
            None => Ok(()),
        }
    }

    /// Kills the replica that holds the Lease which the implementation file names; it stays down.
    ///
    /// On clusters with a node another pod takes its place.
    pub async fn kill_leader(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        let namespace = state.release.namespace.clone();
        let Some(running) = &mut state.running else { return Err(SubjectError::NotRunning(namespace)) };
        let pods = running.pods();
        let leader = lease::holder(&self.context, &namespace, &pods).await?;
        match running {
            Running::Processes(processes) => processes.kill_pod(&leader).await,
            Running::Pods(pods) => pods.kill_pod(&leader).await?,
        }
        tell(&self.log, format!("the leader, pod `{leader}`, was killed"));
        Ok(())
    }

    /// Asks it to end and waits until it did; after the pod's grace period it is killed.
    pub async fn stop(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.stop_running(&mut state).await
    }

    /// Kills it and uninstalls the release: of a chart all of it, of manifests what is outside of its
    /// namespace.
    pub async fn remove(self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.kill_running(&mut state).await?;
        let namespace = &state.release.namespace;
        match self.context.chart() {
            Ok((helm, _)) => {
                let name = self.context.implementation.release();
                Ok(helm.uninstall(&self.context.kubeconfig_path, name, namespace).await?)
            }
            Err(_) => manifests::remove(&self.context, namespace).await,
        }
    }

    /// Stops it for good: what manifests left outside of its namespace goes, too. What its namespace holds
    /// goes with the namespace.
    pub async fn retire(&self) -> Result<(), SubjectError> {
        let mut state = self.state.lock().await;
        self.stop_running(&mut state).await?;
        if self.context.implementation.install.manifests().is_empty() {
            return Ok(());
        }
        manifests::remove(&self.context, &state.release.namespace).await
    }

    /// Resolves when a part of it ends although nobody asked for it; never after the subject is dropped.
    pub fn unexpected_exit(&self) -> impl Future<Output = UnexpectedExit> + Send + 'static {
        self.exits.wait()
    }

    /// The first crash since the last start, if there was one.
    pub fn crashed(&self) -> Option<UnexpectedExit> {
        self.exits.first()
    }

    /// Asks the first container that has the ready endpoint's port for another path, with GET.
    pub async fn get(&self, path: &str) -> Result<Answer, SubjectError> {
        let endpoints = self.endpoints(self.context.implementation.health.ready.port).await;
        let Some(endpoint) = endpoints.first() else {
            let state = self.state.lock().await;
            return Err(SubjectError::NotRunning(state.release.namespace.clone()));
        };
        endpoint.get(path).await
    }

    /// Where a container port is reached, in each running container that has it.
    pub async fn endpoints(&self, port: u16) -> Vec<Endpoint> {
        match &self.state.lock().await.running {
            None => Vec::new(),
            Some(Running::Processes(processes)) => processes.endpoints(port),
            Some(Running::Pods(pods)) => pods.endpoints(port),
        }
    }

    /// Its processes on this host, in the order of Deployments, replicas and containers; none while it is
    /// down, and none on clusters where it runs in pods.
    pub async fn processes(&self) -> Vec<SubjectProcess> {
        match &self.state.lock().await.running {
            Some(Running::Processes(processes)) => processes.list(),
            None | Some(Running::Pods(_)) => Vec::new(),
        }
    }

    /// The values it runs with, for reports: the release's own over everything else.
    pub async fn values(&self) -> Value {
        let state = self.state.lock().await;
        super::values::for_release(&state.context.implementation, &state.release)
    }

    /// What runs, in words for people.
    pub async fn describe(&self) -> String {
        let state = self.state.lock().await;
        let release = self.context.implementation.release();
        let running = match &state.running {
            None => "not running".to_owned(),
            Some(Running::Processes(processes)) => processes.describe(),
            Some(Running::Pods(pods)) => pods.describe(),
        };
        format!("release `{release}` in namespace `{}`: {running}", state.release.namespace)
    }

    async fn run(&self, state: &mut State) -> Result<(), SubjectError> {
        self.run_until(state, Until::Ready).await
    }

    async fn run_until(&self, state: &mut State, until: Until) -> Result<(), SubjectError> {
        self.exits.forget();
        let (context, deployments) = (&state.context, &state.deployments);
        state.running = Some(if context.runs_here() {
            let start =
                Processes::start(context, deployments, state.generation, until, &self.log, &self.exits);
            Running::Processes(start.await?)
        } else {
            Running::Pods(Pods::start(context, deployments, &self.log, &self.exits).await?)
        });
        Ok(())
    }

    async fn stop_running(&self, state: &mut State) -> Result<(), SubjectError> {
        match state.running.take() {
            None => Ok(()),
            Some(Running::Processes(processes)) => {
                processes.stop().await;
                Ok(())
            }
            Some(Running::Pods(pods)) => pods.stop(None).await,
        }
    }

    async fn kill_running(&self, state: &mut State) -> Result<(), SubjectError> {
        match state.running.take() {
            None => Ok(()),
            Some(Running::Processes(processes)) => {
                processes.kill().await;
                Ok(())
            }
            Some(Running::Pods(pods)) => pods.stop(Some(0)).await,
        }
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject")
            .field("implementation", &self.context.implementation.identity)
            .finish_non_exhaustive()
    }
}
