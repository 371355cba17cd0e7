//! A chart as documents, without the file system.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::GateError;
use crate::yaml::{Node, Source, Value, parse_documents};

/// The files of a chart that say what it is.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Chart.yaml; null where only CRDs were named.
    pub metadata: Node,
    /// values.yaml; null if there is none.
    pub values: Node,
    /// values.schema.json.
    pub schema: Option<Node>,
    /// The documents below `crds/`.
    pub crds: Vec<Node>,
    /// Its other sets of values (`values-*.yaml`, `ci/*values*.yaml`), by path.
    pub value_sets: BTreeMap<String, Node>,
    /// The digests of all files that a package would hold, by path.
    pub digests: BTreeMap<String, String>,
}

/// Files that Helm never packs, and the values of `ci`, which do not concern users.
fn concerns_users(path: &str) -> bool {
    !path.starts_with("ci/") && !path.split('/').any(|part| part.starts_with('.'))
}

impl Chart {
    /// Reads the files of a chart, by path within it; `label` stands before the paths that people see.
    ///
    /// Without a Chart.yaml there is no chart: then every YAML file may hold CRDs.
    pub fn read(label: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, GateError> {
        let parse = |path: &str, content: &[u8]| -> Result<Vec<Node>, GateError> {
            let shown = Path::new(label).join(path);
            Ok(parse_documents(&Source::new(shown, String::from_utf8_lossy(content)))?)
        };
        let only = |path: &str| -> Result<Option<Node>, GateError> {
            let Some(content) = files.get(path) else { return Ok(None) };
            Ok(parse(path, content)?.into_iter().next())
        };
        let is_loose = !files.contains_key("Chart.yaml");
        let mut crds = Vec::new();
        let mut value_sets = BTreeMap::new();
        for (path, content) in files {
            if has_yaml_name(path) && (is_loose || path.starts_with("crds/")) {
                crds.extend(parse(path, content)?.into_iter().filter(is_crd));
            } else if is_value_set(path) {
                value_sets.extend(parse(path, content)?.into_iter().next().map(|node| (path.clone(), node)));
            }
        }
        let digests = files
            .iter()
            .filter(|(path, _)| concerns_users(path))
            .map(|(path, content)| (path.clone(), hex::encode(Sha256::digest(content))))
            .collect();
        let nothing = || nothing(&Source::new(Path::new(label).join("Chart.yaml"), ""));
        Ok(Self {
            metadata: only("Chart.yaml")?.unwrap_or_else(nothing),
            values: only("values.yaml")?.unwrap_or_else(nothing),
            schema: only("values.schema.json")?,
            crds,
            value_sets,
            digests,
        })
    }

    /// A text of Chart.yaml, empty if it says nothing.
    pub fn text(&self, key: &str) -> &str {
        self.metadata.get(key).and_then(Node::as_str).unwrap_or_default()
    }
}

fn nothing(source: &Arc<Source>) -> Node {
    Node { value: Value::Null, location: crate::yaml::Location::start_of(source) }
}

fn has_yaml_name(path: &str) -> bool {
    has_extension(path, &["yaml", "yml", "json"])
}

fn has_extension(path: &str, known: &[&str]) -> bool {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| known.contains(&extension))
}

fn is_crd(node: &Node) -> bool {
    node.get("kind").and_then(Node::as_str) == Some("CustomResourceDefinition")
}

fn is_value_set(path: &str) -> bool {
    let name = path.strip_prefix("ci/").unwrap_or(path);
    let in_root = !name.contains('/') && has_extension(name, &["yaml", "yml"]);
    in_root && (path.starts_with("ci/") || name.starts_with("values-")) && name.contains("values")
}

/// `file:line`, as people jump to it.
pub(super) fn place(location: &crate::yaml::Location) -> String {
    format!("{}:{}", location.source.path().display(), location.span.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_chart_every_file_may_hold_crds() {
        let crd = "kind: CustomResourceDefinition\n---\nkind: ConfigMap\n";
        let files = BTreeMap::from([("a.yaml".to_owned(), crd.as_bytes().to_vec())]);
        assert_eq!(Chart::read("", &files).expect("reads").crds.len(), 1);
    }

    #[test]
    fn files_get_the_part_that_their_path_says() {
        let crd = "kind: CustomResourceDefinition\nmetadata: {name: a}\n";
        let files: BTreeMap<String, Vec<u8>> = [
            ("Chart.yaml", "version: 1.0.0"),
            ("values.yaml", "a: 1"),
            ("values-big.yaml", "a: 2"),
            ("ci/all-values.yaml", "a: 3"),
            ("ci/notes.yaml", "a: 4"),
            ("crds/a.yaml", crd),
            ("crds/readme.md", "no"),
            ("templates/b.yaml", "{{ broken"),
            (".helmignore", "x"),
        ]
        .into_iter()
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .collect();
        let chart = Chart::read("old", &files).expect("reads");
        assert_eq!(chart.text("version"), "1.0.0");
        let sets: Vec<&String> = chart.value_sets.keys().collect();
        assert_eq!(sets, ["ci/all-values.yaml", "values-big.yaml"]);
        assert_eq!(place(&chart.crds[0].location), "old/crds/a.yaml:1");
        assert!(chart.digests.contains_key("crds/readme.md"));
        assert!(!chart.digests.contains_key("ci/notes.yaml") && !chart.digests.contains_key(".helmignore"));
    }
}
