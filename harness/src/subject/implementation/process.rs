//! Programs of this host: those that stand in for containers, those that images hold, and what builds them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::Located;

/// How containers of the Deployments run as processes of this host.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Process {
    /// Builds the programs; run before the first start.
    #[serde(default)]
    pub build: Option<Build>,
    /// For each first word of a container's command, or image without tag if it has no command: the
    /// program on this host, relative to this file.
    pub programs: BTreeMap<String, PathBuf>,
    /// Ports that are moved because all processes share one host.
    #[serde(default)]
    pub ports: Vec<PortMapping>,
}

/// A command that builds something.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Build {
    /// Program and arguments.
    pub command: Located<Vec<String>>,
    /// Where it runs, relative to this file.
    #[serde(default = "here")]
    pub directory: PathBuf,
    /// Variables that are added to the environment of the harness.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// How a process is told to use another port than its container does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortMapping {
    /// Port that the container declares.
    pub container_port: u16,
    /// Environment variable that takes the port.
    #[serde(default)]
    pub env: Option<String>,
    /// Arguments that are added; `{port}` stands for the port.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// An image that the harness makes itself and preloads into the cluster's node.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Reference with tag, exactly as the pods name it.
    pub reference: String,
    /// Builds the programs, which must be linked statically: the image holds nothing else.
    #[serde(default)]
    pub build: Option<Build>,
    /// Path in the image to program on this host, relative to this file.
    pub programs: BTreeMap<PathBuf, PathBuf>,
}

/// Wrong decisions that can be planted in the implementation, to prove that the suite notices them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defects {
    /// Builds the programs that can be given a defect.
    #[serde(default)]
    pub build: Option<Build>,
    /// These programs, in place of those of `process`, relative to this file.
    pub programs: BTreeMap<String, PathBuf>,
    /// Program and arguments that list the defects, one JSON object with `name`, `requirements` (a list of
    /// ids) and `summary` per line. The program is relative to this file.
    pub list: Located<Vec<String>>,
    /// Key path in the values that takes the name of the defect to plant.
    pub path: String,
    /// Families of requirements that the programs decide, for example `TTL`: each of their requirements of
    /// level MUST needs a defect.
    #[serde(default)]
    pub families: Vec<String>,
    /// Requirements of these families that somebody else decides, by id: who that is.
    #[serde(default)]
    pub except: BTreeMap<String, String>,
}

/// The folder of the file.
pub(super) fn here() -> PathBuf {
    PathBuf::from(".")
}
