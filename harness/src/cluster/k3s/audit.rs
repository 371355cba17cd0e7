//! The audit log of a node: its API server writes it to the standard output of the container, from where it is copied to
//! the file beside the kubeconfig.

use std::path::PathBuf;

use futures::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::query_parameters::LogsOptionsBuilder;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::super::audit;

/// Where the policy lies in the container.
pub(super) const POLICY: &str = "/etc/hallmark/audit-policy.json";
/// How lines of the audit log begin; everything else in the output is the node's own log.
const EVENT: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/"#;

/// The arguments of the node by which its API server logs requests.
pub(super) fn arguments() -> impl Iterator<Item = String> {
    let flags = audit::flags(POLICY, "-");
    flags.into_iter().map(|flag| format!("--kube-apiserver-arg={}", flag.trim_start_matches("--")))
}

/// Copies the events until the container ends; what cannot be copied is missing from the log, which the marks of the
/// engine tell.
pub(super) async fn copy(docker: Docker, container: String, log: PathBuf) {
    if let Err(error) = copied(&docker, &container, &log).await {
        tracing::debug!(container, %error, "audit log not copied any more");
    }
}

async fn copied(
    docker: &Docker,
    container: &str,
    log: &PathBuf,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut file = File::options().append(true).open(log).await?;
    let options = LogsOptionsBuilder::new().stdout(true).follow(true).build();
    let mut output = docker.logs(container, Some(options));
    let mut lines = Lines::default();
    while let Some(part) = output.next().await {
        let (LogOutput::StdOut { message } | LogOutput::Console { message }) = part? else { continue };
        let events = lines.events(&message);
        if !events.is_empty() {
            file.write_all(&events).await?;
            file.flush().await?;
        }
    }
    Ok(())
}

/// Whether a line of the output is one of the audit log.
pub(super) fn is_event(line: &[u8]) -> bool {
    line.starts_with(EVENT)
}

/// Puts the output together again, which Docker hands out in parts that end anywhere.
#[derive(Debug, Default)]
struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// The events that are whole with this part, each with its line feed.
    fn events(&mut self, part: &[u8]) -> Vec<u8> {
        self.unfinished.extend_from_slice(part);
        let Some(end) = self.unfinished.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.unfinished.split_off(end + 1);
        let whole = std::mem::replace(&mut self.unfinished, rest);
        whole
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| is_event(line))
            .flatten()
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_from_other_lines_and_put_together() {
        let event = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get"}"#;
        let output = format!("starting\n{event}\nI1127 {event}\n{event}\n{event}");
        for size in [1, 7, 50, output.len()] {
            let mut lines = Lines::default();
            let events: Vec<u8> =
                output.as_bytes().chunks(size).flat_map(|part| lines.events(part)).collect();
            assert_eq!(String::from_utf8(events).unwrap(), format!("{event}\n{event}\n"), "parts of {size}");
        }
    }

    #[test]
    fn the_node_hands_the_flags_to_its_api_server() {
        let arguments: Vec<String> = arguments().collect();
        assert_eq!(arguments[0], format!("--kube-apiserver-arg=audit-policy-file={POLICY}"));
        assert_eq!(arguments[1], "--kube-apiserver-arg=audit-log-path=-");
    }
}
