//! The document `docs/semantics.md` is true: each of its examples has the judgement that it states, and the
//! picture beside it shows just that example.
//!
//! `UPDATE_PICTURES=1 cargo test -p hallmark --lib check::semantics` draws the pictures anew.

mod picture;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::testing::{History, owned_by, phase};
use super::{Judgement, judge};
use crate::record::{Change, Observation};
use crate::scenario::assertion::{Assertion, Bindings, BoundObject};
use crate::scenario::read_assertion;
use crate::yaml::{Node, Source, parse_documents};

/// An example of the document.
struct Example {
    name: String,
    history: History,
    /// The entry with which the last action began.
    window_start: u64,
    assertion: Assertion,
    bindings: Bindings,
    /// What the document says about it.
    stated: String,
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn document() -> String {
    std::fs::read_to_string(docs().join("semantics.md")).unwrap()
}

/// The blocks that begin with ```` ```yaml example NAME ````.
fn examples() -> Vec<Example> {
    let text = document();
    let blocks = text.split("```yaml example ").skip(1);
    blocks
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let (body, _) = rest.split_once("\n```").unwrap();
            let node = parse_documents(&Source::new(name, body)).unwrap().remove(0);
            Example::read(name, &node)
        })
        .collect()
}

/// Jobs have an `apiVersion` of their own; everything else in examples is made up.
fn of_its_group(mut history: History) -> History {
    let last = history.0.last_mut().and_then(Arc::get_mut).unwrap();
    if let Observation::Object(version) = &mut last.observation
        && version.kind == "Job"
    {
        "batch/v1".clone_into(&mut version.api_version);
    }
    history
}

impl Example {
    fn read(name: &str, node: &Node) -> Self {
        let mut history = History::default();
        let mut window_start = 0;
        let mut versions = BTreeSet::new();
        for entry in node.get("record").and_then(Node::as_list).unwrap() {
            let entry = &entry.as_map().unwrap()[0];
            let place = history.0.len() as u64;
            history = match (entry.key.as_str(), entry.value.to_json()) {
                ("step", _) => {
                    window_start = place;
                    history.push(Observation::StepStarted {
                        index: 0,
                        summary: String::new(),
                        assertion: false,
                        digest: String::new(),
                    })
                }
                ("gap", kind) => history.gap(kind.as_str().unwrap()),
                ("wrote", object) => {
                    let uid = object.as_str().unwrap().to_owned();
                    let resource_version = 10 * (place - 1) + 1;
                    history.push(Observation::Written { uid, resource_version, restored: false })
                }
                (object, state) => {
                    let is_new = versions.insert(object.to_owned());
                    let change = match (&state, is_new) {
                        (Value::String(word), _) if word == "deleted" => Change::Deleted,
                        (_, true) => Change::Added,
                        (_, false) => Change::Modified,
                    };
                    let state = match state {
                        Value::String(word) if word == "deleted" => json!({}),
                        Value::String(word) => phase(&word),
                        other => other,
                    };
                    let state = if object.starts_with("Job/") { owned_by("Run/r", &state) } else { state };
                    of_its_group(history.version(change, object, 10 * place + 1, &state))
                }
            };
        }
        let run = BoundObject {
            api_version: "v1".to_owned(),
            kind: "Run".to_owned(),
            namespace: "ns".to_owned(),
            name: "r".to_owned(),
            uid: "Run/r".to_owned(),
            latest: Arc::default(),
        };
        let bindings = Bindings {
            namespace: "ns".to_owned(),
            case: json!({}),
            objects: BTreeMap::from([("run".to_owned(), run)]),
            rendered: BTreeMap::new(),
        };
        Self {
            name: name.to_owned(),
            history,
            window_start,
            assertion: read_assertion(node.get("claim").unwrap()),
            bindings,
            stated: node.get("judgement").and_then(Node::as_str).unwrap().to_owned(),
        }
    }

    fn judgement(&self) -> &'static str {
        match judge(&self.assertion, &self.history.0, self.window_start, &self.bindings) {
            Judgement::Holds => "holds",
            Judgement::NotYet => "not yet",
            Judgement::Impossible => "impossible",
            Judgement::Violated => "violated",
            Judgement::Inconclusive(_) => "inconclusive",
        }
    }
}

#[test]
fn every_example_of_the_document_has_the_judgement_that_it_states() {
    let examples = examples();
    assert!(examples.len() > 20);
    for example in &examples {
        assert_eq!(example.judgement(), example.stated, "{}", example.name);
    }
    // Each operator is shown where it holds and where it does not.
    let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for example in &examples {
        shown.entry(example.assertion.operator.keyword()).or_default().insert(example.judgement());
    }
    assert_eq!(shown.len(), 11, "{:?}", shown.keys());
    for (operator, judgements) in shown {
        assert!(judgements.contains("holds") && judgements.len() > 1, "{operator}: {judgements:?}");
    }
}

#[test]
fn every_picture_shows_its_example_and_stands_beside_it() {
    let folder = docs().join("pictures");
    let text = document();
    let mut names = BTreeSet::new();
    for example in examples() {
        let file = format!("{}.svg", example.name);
        assert!(text.contains(&format!("](pictures/{file})")), "{file} is not shown");
        let drawn = picture::draw(&example);
        let path = folder.join(&file);
        if std::env::var_os("UPDATE_PICTURES").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &drawn).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == drawn, "{file} is not current; UPDATE_PICTURES=1 draws it anew");
        names.insert(file);
    }
    let stored = std::fs::read_dir(folder).unwrap();
    let stored: BTreeSet<String> =
        stored.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(stored, names);
}
