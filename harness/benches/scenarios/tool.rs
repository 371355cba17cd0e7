//! What plays the scenarios: a command, and what it left.

use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context as _, Result, ensure};
use hallmark::record::{Observation, RECORD_FILE, Recording};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::oracle::Played;

/// A tool of the command line.
#[derive(Debug, Clone)]
pub(crate) struct Custom {
    pub(crate) name: String,
    command: String,
}

impl FromStr for Custom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, command)) if !name.is_empty() && !command.is_empty() => {
                Ok(Self { name: name.to_owned(), command: command.to_owned() })
            }
            _ => Err("expected NAME=COMMAND".to_owned()),
        }
    }
}

/// What all tools have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) scenarios: u32,
    pub(crate) in_flight: usize,
    pub(crate) folder: &'a Path,
    pub(crate) kubeconfig: &'a Path,
}

/// Who plays.
#[derive(Debug, Clone)]
pub(crate) enum Tool {
    Hallmark,
    Oracle,
    /// Makes and deletes namespaces, to know what the cluster does by itself for each.
    Namespaces,
    Kubectl,
    Custom(Custom),
}

impl Tool {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Hallmark => "hallmark",
            Self::Oracle => "oracle",
            Self::Namespaces => "namespaces",
            Self::Kubectl => "kubectl",
            Self::Custom(custom) => &custom.name,
        }
    }

    /// The command for a task.
    pub(crate) fn command(&self, task: &Task<'_>) -> Result<Command> {
        let Task { scenarios, in_flight, folder, kubeconfig } = *task;
        let mut command = match self {
            Self::Hallmark => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
                command.args(["run", "--quiet", "--cluster", "kubeconfig", "--context"]);
                command.arg(context(kubeconfig)?).args(["--jobs", &in_flight.to_string(), "--report-dir"]);
                command.arg(folder.join("reports")).arg(folder.join("suite"));
                command
            }
            Self::Oracle | Self::Namespaces => {
                let mut command = Command::new(std::env::current_exe().context("find this program")?);
                command.arg("--oracle").arg(kubeconfig);
                command.args(["--scenarios", &scenarios.to_string(), "--in-flight", &in_flight.to_string()]);
                command.args(matches!(self, Self::Namespaces).then_some("--only-namespaces"));
                command
            }
            Self::Kubectl => shell(&kubectl(task)),
            Self::Custom(custom) => shell(&filled(&custom.command, task)),
        };
        command.env("KUBECONFIG", kubeconfig).stdin(Stdio::null());
        Ok(command)
    }

    /// When the scenarios began and ended, as far as the tool tells it.
    pub(crate) fn played(&self, task: &Task<'_>, stdout: &[u8]) -> Result<Option<Played>> {
        match self {
            Self::Oracle | Self::Namespaces => {
                serde_json::from_slice(stdout).map(Some).context("read what the oracle says")
            }
            Self::Hallmark => recorded(&task.folder.join("reports").join(RECORD_FILE)).map(Some),
            Self::Kubectl | Self::Custom(_) => Ok(None),
        }
    }
}

/// From the beginning of the first case to the end of the last one.
fn recorded(record: &Path) -> Result<Played> {
    let recording = Recording::read(record)?;
    let entries = || recording.cases.values().flatten();
    let began = entries().filter(|entry| matches!(entry.observation, Observation::CaseStarted { .. }));
    let ended = entries().filter(|entry| matches!(entry.observation, Observation::CaseFinished { .. }));
    let began = began.map(|entry| entry.at).min().context("find the first case in the record")?;
    Ok(Played { began, ended: ended.map(|entry| entry.at).max().unwrap_or(began) })
}

/// Whether kubectl is at hand.
pub(crate) fn has_kubectl() -> bool {
    let version = Command::new("kubectl").args(["version", "--client"]).stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-euc", script]);
    command
}

fn filled(template: &str, task: &Task<'_>) -> String {
    template
        .replace("{scenarios}", &task.scenarios.to_string())
        .replace("{in_flight}", &task.in_flight.to_string())
        .replace("{folder}", &task.folder.display().to_string())
        .replace("{kubeconfig}", &task.kubeconfig.display().to_string())
}

/// The same operations in a shell.
fn kubectl(task: &Task<'_>) -> String {
    let one = r#"
        ns=kubectl-$$-$1
        kubectl create namespace "$ns"
        k() { kubectl --namespace "$ns" "$@"; }
        check() { k wait --for="jsonpath={.data.step}=$1" --timeout=60s configmap/demo; }
        k create -f {folder}/create.yaml
        check created
        k apply --server-side --force-conflicts --field-manager bench -f {folder}/apply.yaml
        check applied
        k patch configmap demo --type merge --patch-file {folder}/patch.json
        check patched
        k wait --for=delete configmap/missing
        k delete configmap demo
        kubectl delete namespace "$ns" --wait=false
    "#;
    let one = filled(one, task).replace('\'', "'\\''");
    filled(&format!("seq {{scenarios}} | xargs -P {{in_flight}} -n 1 bash -euc '{one}' one >/dev/null"), task)
}

/// An administrator's client.
pub(crate) async fn connect(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).context("read the kubeconfig")?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

fn context(kubeconfig: &Path) -> Result<String> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).context("read the kubeconfig")?;
    let context = kubeconfig.current_context.unwrap_or_default();
    ensure!(!context.is_empty(), "find the current context of the kubeconfig");
    Ok(context)
}
