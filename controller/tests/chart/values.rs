//! `values.yaml` as people read it: keys with their defaults and the comments above them.

use serde_json::Value;

use crate::read;

/// A key that a user may set.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its path, for example `controller.queue.perRepo`.
    pub(crate) key: String,
    /// What the chart does with it, from the comment that begins with `--`.
    pub(crate) meaning: String,
    /// The variables that carry it, from the comment that begins with `env:`; empty for most keys.
    pub(crate) environment: String,
    /// Its default.
    pub(crate) default: Value,
}

/// The values as data.
pub(crate) fn data() -> Value {
    serde_saphyr::from_str(&read("values.yaml")).unwrap()
}

/// Every documented key, in the order of the file.
pub(crate) fn rows() -> Vec<Row> {
    let text = read("values.yaml");
    let data = data();
    let mut path: Vec<(usize, &str)> = Vec::new();
    let (mut meaning, mut environment) = ("", "");
    let mut rows = Vec::new();
    for line in text.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if let Some(comment) = content.strip_prefix('#') {
            let comment = comment.trim();
            if let Some(text) = comment.strip_prefix("--") {
                meaning = text.trim();
            } else if let Some(text) = comment.strip_prefix("env:") {
                environment = text.trim();
            }
            continue;
        }
        let Some((name, _)) = content.split_once(':') else { continue };
        path.retain(|(outer, _)| *outer < indent);
        path.push((indent, name));
        if !meaning.is_empty() {
            let names: Vec<_> = path.iter().map(|(_, name)| *name).collect();
            rows.push(Row {
                key: names.join("."),
                meaning: std::mem::take(&mut meaning).to_owned(),
                environment: std::mem::take(&mut environment).to_owned(),
                default: data.pointer(&format!("/{}", names.join("/"))).unwrap().clone(),
            });
        }
    }
    rows
}

/// Paths of all scalars, lists and empty maps, in the order of the file.
pub(crate) fn leaves() -> Vec<String> {
    fn visit(path: &str, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    visit(&path, value, found);
                }
            }
            _ => found.push(path.to_owned()),
        }
    }
    let mut found = Vec::new();
    visit("", &data(), &mut found);
    found
}

#[test]
fn every_key_is_described_by_itself_or_as_part_of_a_described_map() {
    let rows = rows();
    for leaf in leaves() {
        let described = rows.iter().any(|row| leaf == row.key || leaf.starts_with(&format!("{}.", row.key)));
        assert!(described, "values.yaml says nothing about `{leaf}`");
    }
    assert!(rows.len() > 100, "only {} keys were found", rows.len());
}
