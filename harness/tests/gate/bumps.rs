//! The prepared versions, and how one is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hallmark::gate::source::{Need, Opened};
use hallmark::yaml::{Source, parse_documents, to_yaml};
use serde::Deserialize;
use serde_json::{Value, json};

/// The file with all of them.
#[derive(Debug, Deserialize)]
pub(crate) struct Bumps {
    pub(crate) accepted: Vec<Bump>,
    pub(crate) refused: Vec<Bump>,
    /// Refused for what shows with one set of values only.
    pub(crate) hidden: Vec<Bump>,
}

/// A version of the packed chart.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bump {
    pub(crate) name: String,
    version: String,
    /// Entries of the changelog.
    #[serde(default)]
    changes: Vec<Value>,
    edits: Vec<Edit>,
    /// Ids that have to be told, and the place of each: an object, or a file and what stands in its line.
    pub(crate) findings: BTreeMap<String, String>,
    /// The set of values that alone shows the findings.
    #[serde(default)]
    pub(crate) only_with: Option<String>,
}

/// A change of one file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: PathBuf,
    #[serde(default)]
    patch: Option<json_patch::Patch>,
    #[serde(default)]
    replace: Option<String>,
    #[serde(default)]
    by: String,
    /// Whether the text may stand there more than once, and only the first is replaced.
    #[serde(default)]
    first: bool,
    #[serde(default)]
    create: Option<String>,
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gate")
}

/// The chart before the present version, packed when that one was begun and never again: what the present one
/// is compared with and upgraded from.
pub(crate) async fn packed() -> Opened {
    let path = here().join("agents-0.1.0.tgz");
    Opened::open(&path.display().to_string(), "", Need::Chart).await.expect("the packed chart")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse_documents(&Source::new(path, text)).expect("YAML").remove(0).to_json()
}

impl Bumps {
    pub(crate) fn read() -> Self {
        serde_json::from_value(read(&here().join("bumps.yaml"))).expect("bumps.yaml")
    }
}

impl Bump {
    /// Makes the version in `folder`, from the chart in `from`.
    pub(crate) async fn apply(&self, from: &Path, folder: &Path) -> Opened {
        copy(from, folder);
        for edit in &self.edits {
            edit.apply(folder, &self.name);
        }
        let path = folder.join("Chart.yaml");
        let mut metadata = read(&path);
        metadata["version"] = json!(self.version);
        if !self.changes.is_empty() {
            metadata["annotations"] = json!({"artifacthub.io/changes": to_yaml(&json!(self.changes))});
        }
        std::fs::write(&path, to_yaml(&metadata)).expect("written");
        Opened::open(&folder.display().to_string(), "", Need::Chart).await.expect("the new version")
    }
}

impl Edit {
    fn apply(&self, folder: &Path, bump: &str) {
        let path = folder.join(&self.file);
        let text = if let Some(text) = &self.create {
            text.clone()
        } else if let Some(patch) = &self.patch {
            let mut value = read(&path);
            json_patch::patch(&mut value, patch).unwrap_or_else(|error| panic!("{bump}: {error}"));
            if path.extension().is_some_and(|extension| extension == "json") {
                serde_json::to_string_pretty(&value).expect("JSON")
            } else {
                to_yaml(&value)
            }
        } else {
            let text = std::fs::read_to_string(&path).expect("a file");
            let old = self.replace.as_deref().expect("patch, replace or create");
            let times = text.matches(old).count();
            assert!(
                times == 1 || (self.first && times > 0),
                "{bump}: `{old}` stands {times} times in {}",
                path.display()
            );
            text.replacen(old, &self.by, 1)
        };
        std::fs::write(path, text).expect("written");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
