//! Loading a suite: every file below a folder that holds a `suite.yaml`.
//!
//! Loading is linting: all problems of all files are found in one go, and a suite with a problem is never
//! run.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::case::PlannedCase;
use super::document::{Given, ScenarioDocument, StepDocument, SubjectMode, SuiteDocument};
use super::files::Files;
use super::reader::Reader;
use super::settings::{self, SettingNames};
use super::step::{Manifest, Step};
use super::{catalogue, duration, lint, set};
use crate::count::count;
use crate::diagnostic::Diagnostic;
use crate::event::{CaseId, RequirementInfo};
use crate::yaml::{Location, Node, Source, decode};

/// The deadline of a case unless told: far beyond what its waits need, which have deadlines of their own.
const CASE_TIMEOUT: Duration = Duration::from_mins(3);

/// What stands for the URL of a case's own database until its server runs.
const DATABASE: &str = "postgres://";

/// The file that makes a folder a suite.
pub const SUITE_FILE: &str = "suite.yaml";

/// A suite that is free of problems.
#[derive(Debug)]
pub struct Suite {
    name: String,
    root: PathBuf,
    digest: String,
    implementation: Option<PathBuf>,
    proofs: Option<PathBuf>,
    requirements: Vec<RequirementInfo>,
    settings: SettingNames,
    fence: Option<Fence>,
    drill: Option<DrillSetting>,
    cases: Vec<PlannedCase>,
    files: Vec<Arc<Source>>,
    common: BTreeSet<PathBuf>,
}

/// How "the subject has processed everything up to now" is recognised.
#[derive(Debug, Clone)]
pub struct Fence {
    /// The sentinel.
    pub manifest: Manifest,
    /// The part of the sentinel that shows that it was processed.
    pub matches: Node,
}

/// What a drill fills a cluster with.
#[derive(Debug, Clone)]
pub struct DrillSetting {
    /// Chart values of the controller.
    pub values: serde_json::Value,
    /// Dotted path of the value that limits how many runs are active at the same time.
    pub limit: String,
    /// What runs refer to.
    pub objects: Vec<Manifest>,
    /// A run with one Job.
    pub run: Manifest,
    /// A run of the same kind with several Jobs, one after the other.
    pub workflow: Manifest,
}

/// Everything that is wrong with a suite.
#[derive(Debug, thiserror::Error)]
#[error("{} has {}", path.display(), count(diagnostics.len(), "problem"))]
pub struct LoadError {
    /// The folder.
    pub path: PathBuf,
    /// The problems, by file and line.
    pub diagnostics: Vec<Diagnostic>,
}

/// How a suite is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions<'a> {
    /// Golden files that do not exist are no problem: they are about to be written.
    pub bless: bool,
    /// A file with one scenario that stands for the suite's scenario of the same name. The files that it names are
    /// looked for where those of the suite's scenario are, so it may lie anywhere.
    pub instead: Option<&'a Path>,
}

impl Suite {
    /// Reads and checks the suite in the folder `path`.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Self::load_with(path, LoadOptions::default())
    }

    /// Reads and checks the suite in the folder `path`.
    pub fn load_with(path: &Path, options: LoadOptions<'_>) -> Result<Self, LoadError> {
        let mut loader = Loader {
            root: path,
            options,
            files: Files::default(),
            tests_cluster: false,
            problems: Vec::new(),
        };
        let suite = loader.suite();
        let mut diagnostics = loader.problems;
        match suite {
            Some(suite) if diagnostics.is_empty() => Ok(suite),
            _ => {
                diagnostics.sort_by(|a, b| {
                    let key = |d: &Diagnostic| {
                        let span = d.location.span;
                        (d.location.source.path().to_owned(), span.line, span.column, d.message.clone())
                    };
                    key(a).cmp(&key(b))
                });
                // A problem of a fixture or of a scenario with many cases is met once per use.
                diagnostics.dedup();
                Err(LoadError { path: path.to_owned(), diagnostics })
            }
        }
    }

    /// Name of the suite.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the suite.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// SHA-256 over all files that belong to it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Makes each case `times` cases, which differ in nothing but their ids.
    pub fn repeat(&mut self, times: NonZeroU32) {
        let cases = std::mem::take(&mut self.cases).into_iter();
        let repeated = cases.flat_map(|case| {
            (1..=times.get()).map(move |number| PlannedCase { id: case.id.repeated(number), ..case.clone() })
        });
        self.cases = repeated.collect();
    }

    /// Whether cases are run several times.
    pub fn is_repeated(&self) -> bool {
        self.cases.iter().any(|case| case.id != case.id.first())
    }

    /// All files that belong to it, as they were read; one that is named by different ways is there as often.
    pub fn files(&self) -> &[Arc<Source>] {
        &self.files
    }

    /// The files that every case depends on: `suite.yaml`, the names of settings, and the fence. The catalogue
    /// is none of them, since it decides no verdict.
    pub fn common_files(&self) -> &BTreeSet<PathBuf> {
        &self.common
    }

    /// The implementation file that the suite names.
    pub fn implementation(&self) -> Option<&Path> {
        self.implementation.as_deref()
    }

    /// The file that records which scenarios prove which requirements, if there is to be one.
    pub fn proofs(&self) -> Option<&Path> {
        self.proofs.as_deref()
    }

    /// The requirement catalogue.
    pub fn requirements(&self) -> &[RequirementInfo] {
        &self.requirements
    }

    /// How settings are named as environment variables.
    pub fn settings(&self) -> &SettingNames {
        &self.settings
    }

    /// How it is recognised that everything was processed.
    pub fn fence(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }

    /// What a drill fills a cluster with.
    pub fn drill(&self) -> Option<&DrillSetting> {
        self.drill.as_ref()
    }

    /// All cases, by file and row.
    pub fn cases(&self) -> &[PlannedCase] {
        &self.cases
    }
}

struct Loader<'a> {
    root: &'a Path,
    options: LoadOptions<'a>,
    files: Files,
    /// Whether the suite names no implementation.
    tests_cluster: bool,
    problems: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn suite(&mut self) -> Option<Suite> {
        let path = self.root.join(SUITE_FILE);
        let (_, mut documents) = self.files.documents(&path, None, &mut self.problems)?;
        if documents.is_empty() {
            self.problems.push(Diagnostic::new(
                Location::start_of(&Source::new(&path, String::new())),
                "the file holds no document",
            ));
            return None;
        }
        let node = documents.swap_remove(0);
        let document: SuiteDocument = match decode(&node) {
            Ok(document) => document,
            Err(error) => {
                self.problems.push(error.into_diagnostic(&node.location));
                return None;
            }
        };
        lint::header(&document.api_version, &document.kind, "Suite", &mut self.problems);
        let mut common = self.files.take_used();
        let requirements = self
            .files
            .document(self.root, &document.spec.requirements, &mut self.problems)
            .map(|(_, node)| catalogue::read(&node, &mut self.problems))
            .unwrap_or_default();
        self.files.take_used();
        let settings = document.spec.settings.as_ref().and_then(|file| {
            let (_, node) = self.files.document(self.root, file, &mut self.problems)?;
            Some(settings::read(&node, &mut self.problems))
        });
        let fence = document.spec.fence.and_then(|fence| {
            let manifest = self.reader(self.root, &serde_json::json!({}), |reader| {
                reader.manifest(&fence.file, None, None)
            })?;
            Some(Fence { manifest, matches: fence.matches })
        });
        let root = self.root;
        let drill = document
            .spec
            .drill
            .as_ref()
            .and_then(|drill| self.reader(root, &serde_json::json!({}), |reader| reader.drill(drill)));
        let invariants: Vec<Step> = self.reader(root, &serde_json::json!({}), |reader| {
            let all = document.spec.invariants.iter();
            all.filter_map(|invariant| reader.invariant(invariant, &requirements)).collect()
        });
        self.tests_cluster = document.spec.implementation.is_none();
        common.extend(self.files.take_used());
        let proofs = document.spec.proofs.as_ref().map(|file| self.root.join(&file.value));
        let mut cases = self.scenarios(&requirements, proofs.as_ref());
        let tests_cluster = self.tests_cluster;
        // Without a controller nothing happens, unless those of the cluster are what is tested.
        let is_judged = |case: &&mut PlannedCase| {
            case.subject != SubjectMode::None || (tests_cluster && case.needs_namespace())
        };
        for case in cases.iter_mut().filter(is_judged) {
            case.expect.extend(invariants.iter().cloned());
        }
        lint::unique_names(&cases, &mut self.problems);
        let digest = self.files.digest(self.root);
        Some(Suite {
            name: document.metadata.name.value,
            root: self.root.to_owned(),
            digest,
            implementation: document.spec.implementation.map(|file| self.root.join(file.value)),
            proofs,
            requirements,
            settings: settings.unwrap_or_default(),
            fence,
            drill,
            cases,
            files: self.files.sources(),
            common,
        })
    }

    fn reader<T>(
        &mut self,
        folder: &Path,
        case: &serde_json::Value,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        read(&mut Reader {
            folder,
            files: &mut self.files,
            case,
            index: None,
            bless: self.options.bless,
            problems: &mut self.problems,
        })
    }

    fn scenarios(&mut self, requirements: &[RequirementInfo], proofs: Option<&PathBuf>) -> Vec<PlannedCase> {
        let mut paths = Vec::new();
        self.find(self.root, &mut paths);
        // What is only compared with the suite is no part of it.
        paths.retain(|path| Some(path) != proofs);
        let instead = self.options.instead.and_then(|path| self.only_scenario(path));
        let mut is_used = false;
        let mut cases = Vec::new();
        for path in paths {
            let Some((_, documents)) = self.files.documents(&path, None, &mut self.problems) else {
                continue;
            };
            for document in documents.iter().filter(|document| is_scenario(document)) {
                let changed = instead.as_ref().filter(|changed| name(changed) == name(document));
                is_used |= changed.is_some();
                cases.extend(self.scenario(&path, changed.unwrap_or(document), requirements));
            }
        }
        if let Some(unknown) = instead.filter(|_| !is_used) {
            let name = name(&unknown).unwrap_or_default();
            let message = format!("the suite has no scenario `{name}` that this one could stand for");
            self.problems.push(Diagnostic::new(unknown.location, message));
        }
        cases
    }

    /// The scenario that a file consists of.
    fn only_scenario(&mut self, path: &Path) -> Option<Node> {
        let (source, mut documents) = self.files.documents(path, None, &mut self.problems)?;
        match documents.pop() {
            Some(document) if documents.is_empty() && is_scenario(&document) => Some(document),
            _ => {
                let start = Location::start_of(&source);
                self.problems.push(Diagnostic::new(start, "the file has to be one scenario"));
                None
            }
        }
    }

    /// Collects the YAML files below `folder`, sorted; folders of fixtures, golden files and other suites
    /// are left out.
    fn find(&mut self, folder: &Path, paths: &mut Vec<PathBuf>) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.problems.push(Diagnostic::new(
                    Location::start_of(&Source::new(folder, String::new())),
                    format!("cannot read the folder: {error}"),
                ));
                return;
            }
        };
        let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        found.sort();
        for path in found {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                let other_suite = path.join(SUITE_FILE).exists();
                if !other_suite && name != "fixtures" && name != "expected" && !name.starts_with('.') {
                    self.find(&path, paths);
                }
            } else if path.extension().is_some_and(|extension| extension == "yaml") && name != SUITE_FILE {
                paths.push(path);
            }
        }
    }

    fn scenario(&mut self, path: &Path, node: &Node, requirements: &[RequirementInfo]) -> Vec<PlannedCase> {
        let document: ScenarioDocument = match decode(node) {
            Ok(document) => document,
            Err(error) => {
                self.problems.push(error.into_diagnostic(&node.location));
                self.steps_alone(path, node);
                return Vec::new();
            }
        };
        lint::header(&document.api_version, &document.kind, "Scenario", &mut self.problems);
        lint::known_requirements(&document.spec.requirements, requirements, &mut self.problems);
        let rows = lint::rows(&document.spec.cases, &mut self.problems);
        rows.into_iter()
            .filter_map(|(name, row)| {
                let case = self.case(path, &document, name, row)?;
                lint::case(&case, &document, self.tests_cluster, &mut self.problems);
                Some(case)
            })
            .collect()
    }

    /// Where the head of a scenario cannot be read its steps are still looked at, so that one run of
    /// `lint` finds as much as possible.
    fn steps_alone(&mut self, path: &Path, node: &Node) {
        let folder = path.parent().unwrap_or(self.root).to_owned();
        let spec = node.get("spec");
        for key in ["steps", "expect"] {
            for step in spec.and_then(|spec| spec.get(key)).and_then(Node::as_list).unwrap_or_default() {
                if let Err(error) = decode::<StepDocument>(step) {
                    self.problems.push(error.into_diagnostic(&step.location));
                } else if !super::template::has_expression(step) {
                    self.reader(&folder, &serde_json::json!({}), |reader| reader.step(step));
                }
            }
        }
    }

    fn case(
        &mut self,
        path: &Path,
        document: &ScenarioDocument,
        name: String,
        row: serde_json::Value,
    ) -> Option<PlannedCase> {
        let folder = path.parent().unwrap_or(self.root).to_owned();
        let spec = &document.spec;
        let timeout = match &spec.timeout {
            Some(text) => duration::read(text, &mut self.problems)?,
            None => CASE_TIMEOUT,
        };
        self.files.take_used();
        let (values, objects, steps, expect) = self.reader(&folder, &row, |reader| {
            let values = given_values(reader, &spec.given, path);
            let objects: Vec<Manifest> =
                spec.given.objects.iter().filter_map(|file| reader.manifest(file, None, None)).collect();
            let steps: Vec<Step> = spec.steps.iter().filter_map(|step| reader.step(step)).collect();
            let expect: Vec<Step> = spec.expect.iter().filter_map(|step| reader.step(step)).collect();
            (values, objects, steps, expect)
        });
        let mut files = self.files.take_used();
        files.insert(path.to_owned());
        Some(PlannedCase {
            id: CaseId { scenario: document.metadata.name.value.clone(), case: name },
            file: path.to_owned(),
            files,
            summary: spec.summary.clone(),
            labels: document.metadata.labels.clone(),
            requirements: spec.requirements.iter().map(|id| id.value.clone()).collect(),
            requires: spec.requires.iter().map(|capability| capability.value).collect(),
            skip: spec.skip.clone(),
            focus: spec.focus,
            timeout,
            subject: spec.given.subject,
            cluster: spec.given.cluster,
            jobs: spec.given.jobs,
            database: spec.given.database.as_ref().map(|path| path.value.clone()),
            values: values.to_json(),
            given: values,
            case: row,
            objects,
            steps,
            expect,
        })
    }
}

fn is_scenario(document: &Node) -> bool {
    document.get("kind").and_then(Node::as_str) == Some("Scenario")
}

/// The name in the head of a document.
fn name(document: &Node) -> Option<&str> {
    document.get("metadata")?.get("name")?.as_str()
}

/// The values, with that of the database if there is one: an implementation has to have a name for it, too.
fn given_values(reader: &mut Reader<'_>, given: &Given, path: &Path) -> Node {
    let nothing = || Node {
        value: crate::yaml::Value::Map(Vec::new()),
        location: Location::start_of(&Source::new(path, String::new())),
    };
    let mut values = given.values.as_ref().map_or_else(nothing, |values| reader.expand(values));
    if let Some(path) = &given.database {
        set::set_text(&mut values, path, DATABASE, reader.problems);
    }
    values
}
