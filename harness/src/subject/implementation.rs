//! The `Implementation` file: who is tested, and how it is installed, started and asked.
//!
//! Text to typed values only; nothing here starts anything. All paths in the file are relative to the
//! file and are made absolute or working-folder-relative by [`Implementation::resolve`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::diagnostic::Diagnostic;
use crate::event::ImplementationInfo;
use crate::yaml::{Located, Location, Source, decode, parse_documents};

/// Values of a chart.
pub type Values = serde_json::Map<String, serde_json::Value>;

/// Why an implementation file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImplementationError {
    /// It cannot be read.
    #[error("read the implementation file `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It says something that makes no sense.
    #[error("{0}")]
    Invalid(#[source] Box<Diagnostic>),
}

/// An implementation under test.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    /// Always `hallmark.dev/v1alpha1`.
    #[expect(dead_code, reason = "it only has to be what it must be, which decoding checks")]
    api_version: ApiVersion,
    /// Always `Implementation`.
    #[expect(dead_code, reason = "it only has to be what it must be, which decoding checks")]
    kind: Kind,
    metadata: Identity,
    spec: Spec,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
enum ApiVersion {
    #[serde(rename = "hallmark.dev/v1alpha1")]
    V1Alpha1,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
enum Kind {
    Implementation,
}

/// Who it is; goes into the reports as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Name of the implementation.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Who makes it.
    #[serde(default)]
    pub organization: String,
    /// Where it comes from.
    #[serde(default)]
    pub url: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    install: Install,
    settings: Settings,
    #[serde(default)]
    process: Option<Process>,
    health: Health,
    #[serde(default)]
    images: Vec<Image>,
    #[serde(default)]
    defects: Option<Defects>,
}

/// A parsed implementation file.
#[derive(Debug, Clone)]
pub struct Implementation {
    /// Who it is.
    pub identity: Identity,
    /// How it is installed.
    pub install: Install,
    /// How its settings are named.
    pub settings: Settings,
    /// How it runs on clusters without nodes; without this it needs a cluster with a node.
    pub process: Option<Process>,
    /// Where it is asked whether it is ready.
    pub health: Health,
    /// Images for clusters with nodes.
    pub images: Vec<Image>,
    /// Wrong decisions that can be planted, the prey of `hallmark prove`.
    pub defects: Option<Defects>,
    folder: PathBuf,
}

/// How it is installed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Install {
    /// The Helm chart.
    pub chart: Chart,
}

/// A Helm chart and what every install of it gets.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart {
    /// Folder of the chart, relative to this file.
    pub path: Located<PathBuf>,
    /// Name of the releases.
    pub release: String,
    /// Values of every install.
    #[serde(default)]
    pub values: Values,
    /// Files with values of every install, weaker than `values`, relative to this file.
    #[serde(default)]
    pub value_files: Vec<Located<PathBuf>>,
}

/// How settings that the harness has to make are named.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Which namespaces it watches.
    pub namespaces: NamespaceSetting,
    /// Where its replicas agree on a leader, if they do.
    #[serde(default)]
    pub leader_lease: Option<LeaderLease>,
}

/// The Lease, in the namespace of the release, that the leading replica holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaderLease {
    /// Its name. The identity of its holder must contain the name of the pod.
    pub name: String,
}

/// The setting that says which namespaces are watched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceSetting {
    /// Key path in the chart's values that takes a list of namespaces, for example `controller.namespaces`.
    pub path: String,
    /// Values that an install for several namespaces needs besides.
    #[serde(default)]
    pub shared_values: Values,
}

/// How containers of the chart run as processes of this host.
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

/// Where the subject is asked how it does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Health {
    /// The answer that means "ready".
    pub ready: Ready,
}

/// An endpoint that tells whether a container is ready; asked of each container that has its port.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ready {
    /// Container port.
    pub port: u16,
    /// Path, beginning with a slash.
    pub path: Located<String>,
    /// Status code that means "ready"; default 200.
    #[serde(default = "ok")]
    pub status: u16,
    /// Text that the body must contain, too.
    #[serde(default)]
    pub contains: Option<String>,
    /// How long it may take after the start, for example `30s`; default 60 s.
    #[serde(default = "minute", deserialize_with = "duration")]
    #[schemars(with = "String", default)]
    pub within: Duration,
}

/// An image that the harness makes itself and preloads into the cluster's node.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Reference with tag, exactly as the chart renders it.
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
    /// Key path in the chart's values that takes the name of the defect to plant.
    pub path: String,
    /// Families of requirements that the programs decide, for example `TTL`: each of their requirements of
    /// level MUST needs a defect.
    #[serde(default)]
    pub families: Vec<String>,
    /// Requirements of these families that somebody else decides, by id: who that is.
    #[serde(default)]
    pub except: BTreeMap<String, String>,
}

impl Implementation {
    /// Reads a file and checks that the files it names exist; those that are built are not asked for.
    pub fn load(path: &Path) -> Result<Self, ImplementationError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ImplementationError::Read { path: path.to_owned(), source })?;
        let implementation = Self::parse(&Source::new(path, text)).map_err(ImplementationError::Invalid)?;
        let chart = &implementation.install.chart;
        implementation.require(&chart.path, "Chart.yaml", "no chart")?;
        for file in &chart.value_files {
            implementation.require(file, "", "no values file")?;
        }
        Ok(implementation)
    }

    /// Parses the text of a file; its path is the base of the paths in it.
    pub fn parse(source: &Arc<Source>) -> Result<Self, Box<Diagnostic>> {
        let start = Location::start_of(source);
        let documents = parse_documents(source).map_err(|error| error.0)?;
        let node = match documents.as_slice() {
            [node] => node,
            [] => return Err(Box::new(Diagnostic::new(start, "an implementation file must not be empty"))),
            [_, second, ..] => {
                let message = "an implementation file holds one document";
                return Err(Box::new(Diagnostic::new(second.location.clone(), message)));
            }
        };
        let Document { metadata, spec, .. } =
            decode(node).map_err(|error| Box::new(error.into_diagnostic(&start)))?;
        check_values(&spec).map_err(Box::new)?;
        Ok(Self {
            identity: metadata,
            install: spec.install,
            settings: spec.settings,
            process: spec.process,
            health: spec.health,
            images: spec.images,
            defects: spec.defects,
            folder: source.path().parent().unwrap_or(Path::new("")).to_owned(),
        })
    }

    /// A path of the file as seen from the working folder of the harness.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Folder of the chart.
    pub fn chart(&self) -> PathBuf {
        self.resolve(&self.install.chart.path)
    }

    /// Files with values of every install.
    pub fn value_files(&self) -> Vec<PathBuf> {
        self.install.chart.value_files.iter().map(|file| self.resolve(file)).collect()
    }

    /// Identity for the reports.
    pub fn info(&self) -> ImplementationInfo {
        let Identity { name, version, organization, url } = self.identity.clone();
        ImplementationInfo { name, version, url, organization }
    }

    fn require(&self, path: &Located<PathBuf>, inside: &str, what: &str) -> Result<(), ImplementationError> {
        let resolved = self.resolve(path).join(inside);
        if resolved.exists() {
            return Ok(());
        }
        let message = format!("there is {what} at `{}`", path.display());
        let diagnostic = Diagnostic::new(path.location.clone(), message)
            .with_label("relative to this file")
            .with_help(format!("`{}` does not exist", resolved.display()));
        Err(ImplementationError::Invalid(Box::new(diagnostic)))
    }
}

/// The JSON Schema of implementation files, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

/// Checks what types cannot say.
fn check_values(spec: &Spec) -> Result<(), Diagnostic> {
    let path = &spec.health.ready.path;
    if !path.starts_with('/') {
        return Err(complaint(&path.location, "the path of the ready endpoint must begin with `/`"));
    }
    let builds = spec.process.iter().filter_map(|process| process.build.as_ref());
    let builds = builds.chain(spec.defects.iter().filter_map(|defects| defects.build.as_ref()));
    if let Some(defects) = spec.defects.as_ref().filter(|defects| defects.list.is_empty()) {
        return Err(complaint(&defects.list.location, "the command that lists defects must not be empty"));
    }
    for build in builds.chain(spec.images.iter().filter_map(|image| image.build.as_ref())) {
        if build.command.is_empty() {
            return Err(complaint(&build.command.location, "the command of a build must not be empty"));
        }
    }
    Ok(())
}

fn complaint(location: &Location, message: &str) -> Diagnostic {
    Diagnostic::new(location.clone(), message)
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let duration = jiff::SignedDuration::deserialize(deserializer)?;
    Duration::try_from(duration)
        .map_err(|_negative| serde::de::Error::custom("a duration must not be negative"))
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

fn ok() -> u16 {
    200
}

fn minute() -> Duration {
    Duration::from_mins(1)
}

#[cfg(test)]
mod tests;
