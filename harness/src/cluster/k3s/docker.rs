//! Talking to the Docker daemon about images, logs and exits.
//!
//! Containers are started through testcontainers; this is the rest, on the client that it hands out.

use std::future::Future;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as DockerError;
use testcontainers::bollard::query_parameters::{LogsOptionsBuilder, WaitContainerOptions};
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner;

use super::image::K3sImage;
use super::{K3sError, audit};
use crate::event::EventSink;

/// How long the daemon may take for an ordinary answer. Removing a running node takes the longest.
const ANSWER_DEADLINE: Duration = Duration::from_mins(1);
/// How long the daemon may take to say that it is there.
const PING_DEADLINE: Duration = Duration::from_secs(10);
/// How long an image may take to arrive.
const PULL_DEADLINE: Duration = Duration::from_mins(10);
/// How many lines of a node's log are shown when it fails.
const LOG_LINES: usize = 25;
/// Among how many they are looked for: most may be requests.
const LOG_TAIL: &str = "2000";

/// The label with which an image says what it is.
const DISTRIBUTION_LABEL: &str = "dev.hallmark.distribution";

/// Whether a node of this image can be started: Docker answers, and the image is present or a registry
/// knows it. Nothing is pulled.
pub async fn available(image: &str) -> bool {
    let Ok(docker) = connect().await else { return false };
    if docker.inspect_image(image).await.is_ok() {
        return true;
    }
    let asked = tokio::time::timeout(PING_DEADLINE, docker.inspect_registry_image(image, None)).await;
    matches!(asked, Ok(Ok(_)))
}

/// Fails if Docker does not answer, for whoever has much to do before a node is started.
pub async fn answers() -> Result<(), K3sError> {
    connect().await.map(drop)
}

/// A client of a daemon that answers.
pub(super) async fn connect() -> Result<Docker, K3sError> {
    let docker = docker_client_instance().await.map_err(K3sError::DockerSettings)?;
    match tokio::time::timeout(PING_DEADLINE, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(source)) => Err(K3sError::DockerUnreachable(source)),
        Err(_) => Err(K3sError::DockerSilent { action: "ping", deadline: PING_DEADLINE }),
    }
}

/// Gives the daemon's answer a deadline.
pub(super) async fn in_time<T>(action: &'static str, answer: impl Future<Output = T>) -> Result<T, K3sError> {
    tokio::time::timeout(ANSWER_DEADLINE, answer)
        .await
        .map_err(|_| K3sError::DockerSilent { action, deadline: ANSWER_DEADLINE })
}

/// Pulls the image unless it is present, and tells what it is.
pub(super) async fn prepare_image(
    docker: &Docker,
    reference: &str,
    events: &EventSink,
) -> Result<String, K3sError> {
    let inspected = match docker.inspect_image(reference).await {
        Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => {
            pull(reference, events).await?;
            docker.inspect_image(reference).await
        }
        other => other,
    }
    .map_err(|source| K3sError::InspectImage { image: reference.to_owned(), source })?;
    let mut labels = inspected.config.and_then(|config| config.labels).unwrap_or_default();
    Ok(match labels.remove(DISTRIBUTION_LABEL) {
        Some(distribution) => format!("{distribution} (node image {reference})"),
        None => format!("k3s {reference}"),
    })
}

async fn pull(reference: &str, events: &EventSink) -> Result<(), K3sError> {
    let phase = format!("pulling image {reference}");
    let begun = std::time::Instant::now();
    events.progress(&phase, "");
    tokio::time::timeout(PULL_DEADLINE, K3sImage::new(reference, &[]).pull_image())
        .await
        .map_err(|_| K3sError::DockerSilent { action: "pull the image", deadline: PULL_DEADLINE })?
        .map(drop)
        .map_err(|source| K3sError::Pull { image: reference.to_owned(), source: Box::new(source) })?;
    events.progress_done(phase, begun.elapsed());
    Ok(())
}

/// Waits until the container ends and returns its exit code, -1 if the daemon does not tell it.
pub(super) async fn exited(docker: &Docker, container: &str) -> i64 {
    loop {
        let mut answers = docker.wait_container(container, None::<WaitContainerOptions>);
        match answers.next().await {
            Some(Ok(answer)) => return answer.status_code,
            Some(Err(DockerError::DockerContainerWaitError { code, .. })) => return code,
            // The client gives up waiting after two minutes; the container goes on.
            Some(Err(DockerError::RequestTimeoutError)) => {}
            Some(Err(_)) | None => return -1,
        }
    }
}

/// The last lines of a container's log but for requests, or why there are none.
pub(super) async fn log_tail(docker: &Docker, container: &str) -> String {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(LOG_TAIL).build();
    let log = docker.logs(container, Some(options)).map_ok(|line| line.to_string()).try_collect::<String>();
    match in_time("read a log", log).await {
        Ok(Ok(log)) => {
            let lines: Vec<&str> = log.lines().filter(|line| !audit::is_event(line.as_bytes())).collect();
            let all = lines.len();
            lines.into_iter().skip(all.saturating_sub(LOG_LINES)).collect::<Vec<_>>().join("\n")
        }
        Ok(Err(error)) => format!("(no log: {error})"),
        Err(error) => format!("(no log: {error})"),
    }
}
