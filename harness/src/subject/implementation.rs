//! The `Implementation` file: who is tested, and how it is installed, started and asked.
//!
//! Text to typed values only; nothing here starts anything. All paths in the file are relative to the
//! file and are made absolute or working-folder-relative by [`Implementation::resolve`].

mod claims;
mod health;
mod install;
mod previous;
mod process;
mod settings;
mod succession;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

pub use self::claims::{MOST_SLACK, Slack};
pub use self::health::{Health, Ready};
pub use self::install::{Chart, Install, Launch, LaunchPort, Manifests};
pub use self::process::{Build, Defects, Image, PortMapping, Process};
pub use self::settings::{LeaderLease, NamespaceSetting, Prefix, Settings};
use super::bundle;
use super::mapping::Mapping;
use super::program;
use crate::diagnostic::Diagnostic;
use crate::event::ImplementationInfo;
use crate::scenario::settings::SettingNames;
use crate::schema;
use crate::yaml::{Located, Location, Source, decode, parse_documents};

/// Values of a chart, or settings by the same keys.
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
#[schemars(title = "Implementation")]
struct Document {
    /// Always `hallmark.dev/v1alpha1`.
    #[expect(dead_code, reason = "it only has to be what it must be, which decoding checks")]
    api_version: ApiVersion,
    /// Always `Implementation`.
    #[expect(dead_code, reason = "it only has to be what it must be, which decoding checks")]
    kind: Kind,
    /// Who it is; goes into the reports as it stands.
    metadata: Identity,
    /// How it is installed, started and asked.
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

/// How it is installed, started, asked and stopped, and what it claims.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    /// How it is installed: exactly one of `chart`, `manifests` and `command`.
    install: Install,
    /// How settings that the harness and the scenarios make are named.
    #[serde(default)]
    settings: Settings,
    /// Features of the requirement catalogue that it claims, beside `core`; all unless told.
    #[serde(default)]
    features: Option<Vec<Located<String>>>,
    /// Time that it needs beyond what scenarios give it.
    #[serde(default)]
    slack: Option<Slack>,
    /// How it runs on clusters without nodes; without this it needs a cluster with a node. Not for commands.
    #[serde(default)]
    process: Option<Process>,
    /// Where it is asked how it does.
    health: Health,
    /// Images for clusters with nodes, which the harness packs itself, so that no registry is needed.
    #[serde(default)]
    images: Vec<Image>,
    /// Wrong decisions that can be planted, the prey of `hallmark prove`.
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
    /// How its settings are named, as the file says it.
    pub settings: Settings,
    /// The same for a suite: complete once the implementation was fitted to it.
    pub mapping: Mapping,
    /// Features that it claims beside `core`; `None` claims all.
    pub features: Option<Vec<Located<String>>>,
    /// Time that it needs beyond what scenarios give it.
    pub slack: Duration,
    /// How it runs on clusters without nodes; without this it needs a cluster with a node. For a command
    /// the command itself.
    pub process: Option<Process>,
    /// Where it is asked whether it is ready.
    pub health: Health,
    /// Images for clusters with nodes.
    pub images: Vec<Image>,
    /// Wrong decisions that can be planted, the prey of `hallmark prove`.
    pub defects: Option<Defects>,
    /// The objects of its manifests, as they are written.
    pub objects: Arc<Vec<serde_json::Value>>,
    /// The version with which releases begin that will be upgraded, where somebody else than the file says
    /// it, see [`Implementation::succeeding`].
    pub before: Option<Arc<Self>>,
    file: Arc<Source>,
}

impl Implementation {
    /// Reads a file and checks that the files it names exist; those that are built are not asked for.
    pub fn load(path: &Path) -> Result<Self, ImplementationError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ImplementationError::Read { path: path.to_owned(), source })?;
        let mut implementation =
            Self::parse(&Source::new(path, text)).map_err(ImplementationError::Invalid)?;
        if let Some(chart) = implementation.install.chart() {
            implementation.require(&chart.path, "Chart.yaml", "no chart")?;
            for file in &chart.value_files {
                implementation.require(file, "", "no values file")?;
            }
        }
        implementation.check_previous().map_err(ImplementationError::Invalid)?;
        for file in implementation.install.manifests() {
            implementation.require(file, "", "no file or folder")?;
        }
        let objects = bundle::read(&implementation).map_err(ImplementationError::Invalid)?;
        implementation.objects = Arc::new(objects);
        implementation.check_command()?;
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
        let spec_location = node.get("spec").map_or(&start, |spec| &spec.location);
        check_values(&spec, spec_location).map_err(Box::new)?;
        let process = match &spec.install {
            Install::Command(launch) => Some(launch.process()),
            Install::Chart(_) | Install::Manifests(_) => spec.process,
        };
        Ok(Self {
            identity: metadata,
            mapping: Mapping::new(&SettingNames::default(), &spec.settings),
            install: spec.install,
            settings: spec.settings,
            features: spec.features,
            slack: spec.slack.map_or(Duration::ZERO, |slack| slack.within),
            process,
            health: spec.health,
            images: spec.images,
            defects: spec.defects,
            objects: Arc::default(),
            before: None,
            file: Arc::clone(source),
        })
    }

    /// A path of the file as seen from the working folder of the harness.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.file.path().parent().unwrap_or(Path::new("")).join(path)
    }

    /// The file, as it is shown to people.
    pub fn file(&self) -> &Path {
        self.file.path()
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        self.file.text()
    }

    /// Folder of the chart, if there is one.
    pub fn chart(&self) -> Option<PathBuf> {
        self.install.chart().map(|chart| self.resolve(&chart.path))
    }

    /// Files with values of every install of the chart.
    pub fn value_files(&self) -> Vec<PathBuf> {
        let files = self.install.chart().map(|chart| chart.value_files.as_slice()).unwrap_or_default();
        files.iter().map(|file| self.resolve(file)).collect()
    }

    /// Name of its releases.
    pub fn release(&self) -> &str {
        self.install.chart().map_or(&self.identity.name, |chart| &chart.release)
    }

    /// Identity for the reports.
    pub fn info(&self) -> ImplementationInfo {
        let Identity { name, version, organization, url } = self.identity.clone();
        ImplementationInfo { name, version, url, organization }
    }

    /// Whether a command can be found, and its account among what is applied before it.
    fn check_command(&self) -> Result<(), ImplementationError> {
        let Some(launch) = self.install.command() else { return Ok(()) };
        let invalid = |diagnostic| ImplementationError::Invalid(Box::new(diagnostic));
        if let Some(name) = launch.run.first().map(Path::new)
            && program::is_bare(name)
            && program::in_path(name).is_none()
        {
            let message = format!("`{}` was not found in PATH", name.display());
            return Err(invalid(
                Diagnostic::new(launch.run.location.clone(), message)
                    .with_help("a program in the folder of this file begins with `./`"),
            ));
        }
        if let Some(account) = &launch.account
            && !bundle::has_account(&self.objects, account)
        {
            let message = format!("no file of `prepare` has the ServiceAccount `{}`", account.value);
            return Err(invalid(Diagnostic::new(account.location.clone(), message)));
        }
        Ok(())
    }

    fn require(&self, path: &Located<PathBuf>, inside: &str, what: &str) -> Result<(), ImplementationError> {
        let mut resolved = self.resolve(path);
        if !inside.is_empty() {
            // An empty part would add a slash, and with one a file does not exist.
            resolved.push(inside);
        }
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
    schema::of_input::<Document>()
}

/// Checks what types cannot say.
fn check_values(spec: &Spec, location: &Location) -> Result<(), Diagnostic> {
    let path = &spec.health.ready.path;
    if !path.starts_with('/') {
        return Err(complaint(&path.location, "the path of the ready endpoint must begin with `/`"));
    }
    match &spec.install {
        Install::Chart(_) if spec.settings.namespaces.is_none() => {
            return Err(complaint(location, "a chart needs `settings.namespaces`, the key of its values"));
        }
        Install::Chart(_) => {
            if let Some(name) = spec.settings.environment.values().next() {
                let message = "`settings.environment` is not for charts, which name variables themselves";
                return Err(complaint(&name.location, message));
            }
        }
        Install::Command(launch) if launch.run.is_empty() => {
            return Err(complaint(&launch.run.location, "the command must not be empty"));
        }
        Install::Command(_) if spec.process.is_some() => {
            let message = "`process` is not for commands: `install.command` says how it runs";
            return Err(complaint(location, message));
        }
        Install::Manifests(_) | Install::Command(_) => {}
    }
    let launched = spec.install.command().and_then(|launch| launch.build.as_ref());
    let builds = spec.process.iter().filter_map(|process| process.build.as_ref()).chain(launched);
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

#[cfg(test)]
mod tests;
