//! Starting a node in a container and removing it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testcontainers::bollard::Docker;
use testcontainers::core::client::ClientError;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, TestcontainersError};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::audit;
use super::super::info::{Backend, ClusterInfo};
use super::super::start::ClusterSpec;
use super::image::{self, DEFAULT_IMAGE, K3sImage, Privileges};
use super::owner::{Owner, fresh_run_name};
use super::readiness::{self, Ready, Stage};
use super::{K3sError, docker, kubeconfig, sweep};
use crate::count::count;
use crate::event::EventSink;
use crate::scratch::{self, Scratch};

/// How long a started container may take until it is a usable cluster.
const READY_DEADLINE: Duration = Duration::from_mins(3);

/// A running node in a container, removed when this is dropped.
#[derive(Debug)]
pub struct K3sCluster {
    info: ClusterInfo,
    kubeconfig: PathBuf,
    /// Holds the kubeconfig and the audit log.
    _folder: TempDir,
    /// Copies the audit log.
    _copying: DropGuard,
    docker: Docker,
    /// Empty only after [`K3sCluster::stop`].
    container: Option<ContainerAsync<K3sImage>>,
}

/// Starts a node and waits until it is usable, after removing what dead processes left behind.
///
/// It pulls the image if it is not present. The daemon must be on this machine: the API server is
/// published on the loopback interface only.
pub async fn start(spec: &ClusterSpec, events: &EventSink) -> Result<K3sCluster, K3sError> {
    let begun = Instant::now();
    let docker = docker::connect().await?;
    match sweep::sweep_with(&docker).await? {
        0 => {}
        removed => {
            events.note(format!("removed {} that ended runs had left behind", count(removed, "container")));
        }
    }
    let image = if spec.k3s_image.is_empty() { DEFAULT_IMAGE } else { &spec.k3s_image };
    let distribution = docker::prepare_image(&docker, image, events).await?;

    let phase = format!("starting {distribution}");
    events.progress(&phase, "");
    let container = launch(&docker, image, spec, events).await?;
    let ready = wait_until_ready(&docker, &container, image, &Stage::new(events, &phase)).await?;
    let folder = scratch::folder(Scratch::Node).map_err(K3sError::WriteFiles)?;
    let kubeconfig = folder.path().join("kubeconfig");
    kubeconfig::write(&ready.kubeconfig, &kubeconfig).map_err(K3sError::WriteFiles)?;
    let log = audit::beside(&kubeconfig);
    std::fs::write(&log, "").map_err(K3sError::WriteFiles)?;
    let copying = CancellationToken::new();
    let copy = super::audit::copy(docker.clone(), container.id().to_owned(), log);
    tokio::spawn(copying.clone().run_until_cancelled_owned(copy));
    events.progress_done(&phase, begun.elapsed());

    let info = ClusterInfo {
        backend: Backend::K3s,
        distribution,
        kubernetes_version: ready.kubernetes_version,
        node: true,
        disposable: true,
    };
    Ok(K3sCluster {
        info,
        kubeconfig,
        _folder: folder,
        _copying: copying.drop_guard(),
        docker,
        container: Some(container),
    })
}

/// Starts the container, with fewer rights if the daemon refuses a privileged one.
async fn launch(
    docker: &Docker,
    image: &str,
    spec: &ClusterSpec,
    events: &EventSink,
) -> Result<ContainerAsync<K3sImage>, K3sError> {
    let run = fresh_run_name();
    let name = format!("hallmark-{run}");
    let request = |privileges| {
        let labels = Owner::current().labels(&run);
        image::request(K3sImage::new(image, &spec.images), &name, labels, privileges)
    };
    let failed = |privileges: String, source| {
        Err(K3sError::Start { image: image.to_owned(), privileges, source: Box::new(source) })
    };

    let refusal = match request(Privileges::Privileged).start().await {
        Ok(container) => return Ok(container),
        Err(error) => error,
    };
    // testcontainers hands out no container that did not start, but Docker has it.
    sweep::remove(docker, &name).await?;
    if !matches!(refusal, TestcontainersError::Client(ClientError::StartContainer(_))) {
        return failed(Privileges::Privileged.to_string(), refusal);
    }
    match request(Privileges::Capabilities).start().await {
        Ok(container) => {
            let privileges = Privileges::Capabilities;
            events.note(format!(
                "the node runs {privileges}: Docker refuses a privileged container ({})",
                root_cause(&refusal)
            ));
            Ok(container)
        }
        Err(error) => {
            sweep::remove(docker, &name).await?;
            failed(format!("{}; privileged: {}", Privileges::Capabilities, root_cause(&refusal)), error)
        }
    }
}

/// The end of a chain of messages, where the daemon names the reason.
fn root_cause(error: &TestcontainersError) -> String {
    let message = error.to_string();
    // containerd ends every message that it cannot classify with this word.
    let parts: Vec<&str> = message.trim().split(": ").filter(|part| *part != "unknown").collect();
    parts.get(parts.len().saturating_sub(2)..).unwrap_or_default().join(": ")
}

async fn wait_until_ready(
    docker: &Docker,
    container: &ContainerAsync<K3sImage>,
    image: &str,
    stage: &Stage<'_>,
) -> Result<Ready, K3sError> {
    let ready = readiness::wait(container, image, stage);
    let ended = docker::exited(docker, container.id());
    // In this order, since everything else fails as well in a container that has ended.
    tokio::select! {
        biased;
        code = ended => Err(K3sError::Exited {
            image: image.to_owned(),
            code,
            log: docker::log_tail(docker, container.id()).await,
        }),
        ready = tokio::time::timeout(READY_DEADLINE, ready) => match ready {
            Ok(ready) => ready,
            Err(_) => Err(K3sError::NotReady {
                image: image.to_owned(),
                deadline: READY_DEADLINE,
                waiting_for: stage.describe(),
                log: docker::log_tail(docker, container.id()).await,
            }),
        },
    }
}

impl K3sCluster {
    /// What is known about the cluster.
    pub fn info(&self) -> &ClusterInfo {
        &self.info
    }

    /// A kubeconfig with an administrator's rights, gone with the cluster.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// Resolves with a sentence when the node's container ends unasked.
    pub async fn lost(&self) -> String {
        let Some(container) = &self.container else { return std::future::pending().await };
        let code = docker::exited(&self.docker, container.id()).await;
        let log = docker::log_tail(&self.docker, container.id()).await;
        format!("the container of the node ended with exit code {code}; its log ends with:\n{log}")
    }

    /// Removes the container and tells if that fails, which dropping does not.
    pub async fn stop(mut self) -> Result<(), K3sError> {
        let Some(container) = self.container.take() else { return Ok(()) };
        let id = container.id().to_owned();
        docker::in_time("remove the container", container.rm())
            .await?
            .map_err(|source| K3sError::Stop { container: id, source: Box::new(source) })
    }
}

impl Drop for K3sCluster {
    fn drop(&mut self) {
        // Without a runtime testcontainers would panic. The next start's sweep removes what stays.
        if tokio::runtime::Handle::try_current().is_err() {
            std::mem::forget(self.container.take());
        }
    }
}
