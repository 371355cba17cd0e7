//! The one module that runs helm.
//!
//! Every call has a deadline, a configuration of its own (plugins and repositories of the user have no say)
//! and a values file that is gone afterwards. It knows charts and releases, not what is in them.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::NamedTempFile;

use self::program::{Answer, Program};
use crate::cluster::provision;
use crate::scratch::{self, Scratch};
use crate::yaml::{Source, parse_documents};

mod program;
mod server;

/// Deadline of calls that only read the chart.
const RENDER: Duration = Duration::from_secs(30);
/// Deadline of calls that talk to the API server.
const APPLY: Duration = Duration::from_mins(2);

/// A call of helm that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelmError {
    /// The program could not be run, or its files could not be written.
    #[error("run helm to {action}")]
    Io {
        /// What it should do, naming release or chart.
        action: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It did not end in time.
    #[error("helm did not {action} within {} s", .within.as_secs())]
    Deadline {
        /// What it should do, naming release or chart.
        action: String,
        /// The deadline.
        within: Duration,
    },
    /// The chart refused the values, or could not be rendered: nothing reached the cluster.
    #[error("helm could not {action}: {message}")]
    Chart {
        /// What it should do, naming release or chart.
        action: String,
        /// What helm said.
        message: String,
    },
    /// The cluster refused what the chart renders, or there was no cluster.
    #[error("helm could not {action}: {message}")]
    Cluster {
        /// What it should do, naming release or chart.
        action: String,
        /// What helm said.
        message: String,
    },
    /// Its output is no YAML.
    #[error("read what helm printed to {action}: {message}")]
    Output {
        /// What it should do, naming release or chart.
        action: String,
        /// What is wrong with it.
        message: String,
    },
}

impl HelmError {
    /// Whether the chart itself is to blame.
    pub fn is_chart_fault(&self) -> bool {
        matches!(self, Self::Chart { .. } | Self::Output { .. })
    }

    /// What helm said, for charts that are expected to refuse values.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Chart { message, .. } | Self::Cluster { message, .. } => Some(message),
            _ => None,
        }
    }
}

/// A release of a chart, named and described.
#[derive(Debug, Clone, Copy)]
pub struct HelmRelease<'a> {
    /// Folder of the chart.
    pub chart: &'a Path,
    /// Name of the release.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Files with values, later ones win.
    pub value_files: &'a [PathBuf],
    /// Values that win over all files.
    pub values: &'a Value,
}

/// The helm program; clones share one private configuration folder.
#[derive(Debug, Clone)]
pub struct Helm {
    program: Arc<Program>,
    /// Whether it applies on the server's side, as Helm 4 does and Helm 3 cannot.
    server_side: bool,
}

impl Helm {
    /// Uses a helm that was found or built.
    pub fn new(found: &provision::Helm) -> Result<Self, HelmError> {
        let program = Program::new(found)
            .map_err(|source| HelmError::Io { action: "make its configuration folder".to_owned(), source })?;
        let server_side = !found.version.trim_start_matches('v').starts_with("3.");
        Ok(Self { program: Arc::new(program), server_side })
    }

    /// Its version in short form, for example `v4.3.1+gabcdef0`.
    pub async fn version(&self) -> Result<String, HelmError> {
        let arguments = ["version", "--template", "{{.Version}}"].map(OsString::from);
        self.read("tell its version".to_owned(), arguments.into()).await.map(|text| text.trim().to_owned())
    }

    /// The objects that a release would have, in helm's order; the chart's error text if it refuses.
    ///
    /// `extra` are further arguments such as `--api-versions` or `--kube-version`.
    pub async fn template(
        &self,
        release: HelmRelease<'_>,
        extra: &[String],
    ) -> Result<Vec<Value>, HelmError> {
        let action = format!("render chart `{}` as release `{}`", release.chart.display(), release.name);
        let values = write_values(&action, release.values)?;
        let mut arguments = release_arguments(["template"], release, &values);
        arguments.extend(extra.iter().map(OsString::from));
        let text = self.read(action.clone(), arguments).await?;
        documents(&action, text)
    }

    /// Installs a release, or upgrades it if it is there: without the chart's CRDs and without waiting.
    ///
    /// Helm wins over other writers: the harness itself may have scaled a Deployment.
    pub async fn install(&self, kubeconfig: &Path, release: HelmRelease<'_>) -> Result<(), HelmError> {
        let action = format!("install release `{}` in namespace `{}`", release.name, release.namespace);
        let values = write_values(&action, release.values)?;
        let mut arguments = release_arguments(["upgrade", "--install", "--skip-crds"], release, &values);
        if self.server_side {
            // The API server itself refuses unknown fields of what is applied there.
            arguments.extend(["--force-conflicts", "--disable-openapi-validation"].map(OsString::from));
        }
        arguments.extend(["--timeout", "100s", "--kubeconfig"].map(OsString::from));
        arguments.push(kubeconfig.into());
        self.act(action, arguments).await.map(drop)
    }

    /// Goes back to an earlier revision of a release; `None` is the one before.
    pub async fn rollback(
        &self,
        kubeconfig: &Path,
        name: &str,
        namespace: &str,
        revision: Option<u32>,
    ) -> Result<(), HelmError> {
        let mut arguments = vec!["rollback".to_owned(), name.to_owned()];
        arguments.extend(revision.map(|revision| revision.to_string()));
        arguments.extend(["--namespace".to_owned(), namespace.to_owned(), "--kubeconfig".to_owned()]);
        let mut arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
        arguments.push(kubeconfig.into());
        let action = format!("roll back release `{name}` in namespace `{namespace}`");
        self.act(action, arguments).await.map(drop)
    }

    /// Removes a release; one that does not exist is removed already.
    pub async fn uninstall(&self, kubeconfig: &Path, name: &str, namespace: &str) -> Result<(), HelmError> {
        let mut arguments: Vec<OsString> =
            ["uninstall", name, "--ignore-not-found", "--namespace", namespace, "--kubeconfig"]
                .map(OsString::from)
                .into();
        arguments.push(kubeconfig.into());
        let action = format!("uninstall release `{name}` in namespace `{namespace}`");
        self.act(action, arguments).await.map(drop)
    }

    /// The CRDs that a chart brings.
    pub async fn crds(&self, chart: &Path) -> Result<Vec<Value>, HelmError> {
        let action = format!("show the CRDs of chart `{}`", chart.display());
        let text = self.read(action.clone(), vec!["show".into(), "crds".into(), chart.into()]).await?;
        documents(&action, text)
    }

    /// A call that only reads the chart.
    async fn read(&self, action: String, arguments: Vec<OsString>) -> Result<String, HelmError> {
        let answer = tokio::time::timeout(RENDER, self.program.call(&arguments)).await;
        let answer =
            answer.map_err(|_elapsed| HelmError::Deadline { action: action.clone(), within: RENDER })?;
        output(action, answer)
    }

    /// A call that talks to the API server.
    async fn act(&self, action: String, arguments: Vec<OsString>) -> Result<String, HelmError> {
        let answer = tokio::time::timeout(APPLY, self.program.call(&arguments)).await;
        let answer =
            answer.map_err(|_elapsed| HelmError::Deadline { action: action.clone(), within: APPLY })?;
        output(action, answer)
    }
}

/// What a call printed, if it succeeded.
fn output(action: String, answer: std::io::Result<Answer>) -> Result<String, HelmError> {
    match answer {
        Ok(answer) if answer.succeeded() => Ok(answer.stdout),
        Ok(answer) => Err(failure(action, &answer.stderr)),
        Err(source) => Err(HelmError::Io { action, source }),
    }
}

/// The arguments that every call for a release has: verb, release, chart, namespace and values.
fn release_arguments<const N: usize>(
    verb: [&str; N],
    release: HelmRelease<'_>,
    values: &NamedTempFile,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = verb.map(OsString::from).into();
    arguments.push(release.name.into());
    arguments.push(release.chart.into());
    arguments.extend(["--namespace", release.namespace].map(OsString::from));
    for file in release.value_files {
        arguments.extend([OsString::from("--values"), file.into()]);
    }
    arguments.extend([OsString::from("--values"), values.path().into()]);
    arguments
}

/// A values file; JSON is YAML.
fn write_values(action: &str, values: &Value) -> Result<NamedTempFile, HelmError> {
    let write = || {
        let mut file = scratch::file(Scratch::Values, ".yaml")?;
        file.write_all(values.to_string().as_bytes())?;
        file.flush()?;
        Ok(file)
    };
    write().map_err(|source| HelmError::Io { action: action.to_owned(), source })
}

fn documents(action: &str, text: String) -> Result<Vec<Value>, HelmError> {
    let nodes = parse_documents(&Source::new("helm output", text))
        .map_err(|error| HelmError::Output { action: action.to_owned(), message: error.to_string() })?;
    Ok(nodes.iter().map(crate::yaml::Node::to_json).filter(|document| !document.is_null()).collect())
}

/// Sorts a failure by what helm says: a chart that does not render, or that renders what the API server
/// calls invalid, is at fault; everything else is trouble of the cluster or of helm.
fn failure(action: String, stderr: &str) -> HelmError {
    let message = message_of(stderr);
    if CHART_FAILURES.iter().any(|mark| message.contains(mark)) {
        HelmError::Chart { action, message }
    } else {
        HelmError::Cluster { action, message }
    }
}

/// Words by which helm, or the API server through it, tells that a chart or its values are at fault.
const CHART_FAILURES: [&str; 10] = [
    "execution error at",
    "values don't meet the specifications of the schema",
    "parse error at",
    "error calling include",
    "YAML parse error on",
    "template:",
    "chart requires kubeVersion",
    // Server-side apply of an object whose lists hold a key twice, or with fields that no schema has.
    "failed to create typed patch object",
    "unknown field",
    " is invalid: ",
];

/// Helm's message without its log lines and without the word `Error:` before it.
fn message_of(stderr: &str) -> String {
    let message = match stderr.split_once("Error: ") {
        Some((_log, message)) => message,
        None => stderr,
    };
    let message = message.trim();
    if message.is_empty() { "it failed without a message".to_owned() } else { message.to_owned() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Error: INSTALLATION FAILED: x", "INSTALLATION FAILED: x")]
    #[case(
        "level=WARN msg=w\nError: execution error at (a/b.yaml:1:2): no\n",
        "execution error at (a/b.yaml:1:2): no"
    )]
    #[case("killed\n", "killed")]
    #[case("\n", "it failed without a message")]
    fn the_message_is_what_helm_says_about_the_error(#[case] stderr: &str, #[case] message: &str) {
        assert_eq!(message_of(stderr), message);
    }

    #[rstest]
    #[case::does_not_render("execution error at (a/b.yaml:1:2): no", true)]
    #[case::twice_the_same_name(
        "failed to create typed patch object (agents/agents; apps/v1, Kind=Deployment): duplicate entries for key [name=\"A\"]",
        true
    )]
    #[case::refused("Service \"1x\" is invalid: metadata.name: Invalid value", true)]
    #[case::nobody_answers("Kubernetes cluster unreachable: connection refused", false)]
    fn a_chart_is_blamed_only_for_what_it_renders(#[case] message: &str, #[case] blamed: bool) {
        let stderr = format!("Error: {message}\n");
        assert_eq!(failure("install".to_owned(), &stderr).is_chart_fault(), blamed);
    }
}
