//! Removing what killed processes left behind.

use std::collections::HashMap;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as DockerError;
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};

use super::K3sError;
use super::docker;
use super::owner::{Owner, RUN};

/// Removes the containers whose owner is dead and returns their number.
pub async fn sweep() -> Result<usize, K3sError> {
    sweep_with(&docker::connect().await?).await
}

pub(super) async fn sweep_with(docker: &Docker) -> Result<usize, K3sError> {
    let own = Owner::current();
    let ours = HashMap::from([("label", vec![RUN])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let containers = docker::in_time("list containers", docker.list_containers(Some(options)))
        .await?
        .map_err(K3sError::List)?;
    let mut removed = 0;
    for container in containers {
        if let (Some(id), Some(labels)) = (container.id, container.labels)
            && own.sees_orphan(&labels)
        {
            remove(docker, &id).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes a container and its anonymous volumes; one that is gone or just going is no error.
pub(super) async fn remove(docker: &Docker, container: &str) -> Result<(), K3sError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match docker::in_time("remove a container", docker.remove_container(container, Some(options))).await? {
        Ok(()) | Err(DockerError::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
        Err(source) => Err(K3sError::Remove { container: container.to_owned(), source }),
    }
}
