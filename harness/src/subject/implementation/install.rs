//! The section `install`: how the implementation gets onto a cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::process::{Build, PortMapping, Process, here};
use super::{Values, duration};
use crate::yaml::Located;

/// How it is installed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Install {
    /// By a Helm chart.
    Chart(Chart),
    /// By manifests, which the harness applies.
    Manifests(Manifests),
    /// By a command on this host, without anything that runs in the cluster.
    Command(Box<Launch>),
}

/// A Helm chart and what every install of it gets.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart {
    /// Folder of the chart, relative to this file.
    pub path: Located<PathBuf>,
    /// The version before: its folder, or its packed chart (`.tgz`), relative to this file. Cases with an
    /// `upgrade` begin with it.
    #[serde(default)]
    pub previous: Option<Located<PathBuf>>,
    /// Name of the releases.
    pub release: String,
    /// Values of every install.
    #[serde(default)]
    pub values: Values,
    /// Files with values of every install, weaker than `values`, relative to this file.
    #[serde(default)]
    pub value_files: Vec<Located<PathBuf>>,
}

/// Manifests that are applied for every release, by server-side apply.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifests {
    /// YAML files, or folders of such files, relative to this file. There must be a Deployment among them.
    pub files: Located<Vec<Located<PathBuf>>>,
    /// Settings of every install, by the values keys of the specification.
    #[serde(default)]
    pub values: Values,
}

/// A command that is started for every release.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Launch {
    /// Program and arguments. A program with a slash is relative to this file, any other one is looked for
    /// in `PATH`. `{namespace}` stands for the namespace of the release, `{pod}` for a name that no other
    /// process has.
    pub run: Located<Vec<String>>,
    /// Builds the program; run before the first start.
    #[serde(default)]
    pub build: Option<Build>,
    /// Variables besides those of the settings, with the same placeholders as `run`. Of the harness' own
    /// environment the command gets `PATH` alone.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Where it runs, relative to this file.
    #[serde(default = "here")]
    pub directory: PathBuf,
    /// Ports on which it listens.
    #[serde(default)]
    pub ports: Vec<LaunchPort>,
    /// YAML files, or folders of such files, that are applied before it starts, for example with CRDs and
    /// RBAC; relative to this file.
    #[serde(default)]
    pub prepare: Vec<Located<PathBuf>>,
    /// The `ServiceAccount` of the release's namespace that it acts as; without one it is an administrator.
    #[serde(default)]
    pub account: Option<Located<String>>,
    /// How long it may take to end after SIGTERM, for example `30s`; default 30 s.
    #[serde(default = "half_minute", deserialize_with = "duration")]
    #[schemars(with = "String", default)]
    pub grace: Duration,
    /// Settings of every install, by the values keys of the specification.
    #[serde(default)]
    pub values: Values,
}

/// A port of a command, and how the command is told to use another one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LaunchPort {
    /// The number by which `health` and scenarios name it.
    pub port: u16,
    /// Environment variable that takes the port.
    #[serde(default)]
    pub env: Option<String>,
    /// Arguments that are added; `{port}` stands for the port.
    #[serde(default)]
    pub arguments: Vec<String>,
}

impl Install {
    /// Values of every install.
    pub fn values(&self) -> &Values {
        match self {
            Self::Chart(chart) => &chart.values,
            Self::Manifests(manifests) => &manifests.values,
            Self::Command(launch) => &launch.values,
        }
    }

    /// Values of every install, to be changed.
    pub fn values_mut(&mut self) -> &mut Values {
        match self {
            Self::Chart(chart) => &mut chart.values,
            Self::Manifests(manifests) => &mut manifests.values,
            Self::Command(launch) => &mut launch.values,
        }
    }

    /// The Helm chart, if there is one.
    pub fn chart(&self) -> Option<&Chart> {
        match self {
            Self::Chart(chart) => Some(chart),
            Self::Manifests(_) | Self::Command(_) => None,
        }
    }

    /// The command, if there is one.
    pub fn command(&self) -> Option<&Launch> {
        match self {
            Self::Command(launch) => Some(launch),
            Self::Chart(_) | Self::Manifests(_) => None,
        }
    }

    /// The key in the file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Chart(_) => "chart",
            Self::Manifests(_) => "manifests",
            Self::Command(_) => "command",
        }
    }

    /// The files with objects that the harness applies itself.
    pub fn manifests(&self) -> &[Located<PathBuf>] {
        match self {
            Self::Chart(_) => &[],
            Self::Manifests(manifests) => &manifests.files,
            Self::Command(launch) => &launch.prepare,
        }
    }
}

impl Launch {
    /// The command as the one program that can be run.
    pub(super) fn process(&self) -> Process {
        let program = self.run.first().map(|word| (word.clone(), PathBuf::from(word)));
        let port = |port: &LaunchPort| PortMapping {
            container_port: port.port,
            env: port.env.clone(),
            arguments: port.arguments.clone(),
        };
        Process {
            build: self.build.clone(),
            programs: program.into_iter().collect(),
            ports: self.ports.iter().map(port).collect(),
        }
    }
}

fn half_minute() -> Duration {
    Duration::from_secs(30)
}
