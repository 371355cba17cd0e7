//! Sets of values at the edges of what a schema accepts, one key at a time.
//!
//! For each key: both switches, every choice, the least and the greatest number, null and the empty text.
//! What the chart itself refuses beyond its schema is no edge, and is skipped by whoever renders.

use serde_json::{Map, Value, json};

use super::chart::Chart;
use super::schema::{Conjunction, Dialect, View};
use crate::yaml::Node;

/// A set of values, and its name for people: `controller.queue.perRepo=0`.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Key and value.
    pub name: String,
    /// The values.
    pub values: Value,
}

/// The edges of a chart's schema; none without one.
pub fn of(chart: &Chart) -> Vec<Edge> {
    let Some(root) = &chart.schema else { return Vec::new() };
    let mut edges = Vec::new();
    walk(&vec![root], root, Some(&chart.values), &mut Vec::new(), &mut edges);
    edges
}

/// How deep a schema is followed that refers to itself.
const DEPTH: usize = 8;

fn walk<'a>(
    schema: &Conjunction<'a>,
    root: &'a Node,
    default: Option<&Node>,
    path: &mut Vec<String>,
    edges: &mut Vec<Edge>,
) {
    let view = View::new(schema, root, Dialect::Json);
    let mut is_map = false;
    for (name, _, property) in view.properties() {
        is_map = true;
        if path.len() < DEPTH {
            path.push(name.to_owned());
            walk(property, root, default.and_then(|node| node.get(name)), path, edges);
            path.pop();
        }
    }
    if is_map || path.is_empty() {
        return;
    }
    let default = default.map(Node::to_json);
    for value in view.edge_values().into_iter().filter(|value| default.as_ref() != Some(value)) {
        let name = format!("{}={value}", path.join("."));
        let values =
            path.iter().rev().fold(value, |inner, key| Value::Object(Map::from_iter([(key.clone(), inner)])));
        edges.push(Edge { name, values });
    }
}

/// No values at all: the chart as shipped.
pub(super) fn shipped() -> Value {
    json!({})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_key_is_taken_to_its_edges_alone() {
        let schema = json!({"properties": {
            "a": {"properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}, "on": {"type": "boolean"}}},
            "level": {"enum": ["low", "high"]},
            "text": {"type": ["string", "null"]},
            "open": {"type": "object"},
        }});
        let files = BTreeMap::from([
            ("values.yaml".to_owned(), b"{a: {n: 9, on: false}, level: low}".to_vec()),
            ("values.schema.json".to_owned(), schema.to_string().into_bytes()),
        ]);
        let edges = of(&Chart::read("", &files).expect("reads"));
        let names: Vec<&str> = edges.iter().map(|edge| edge.name.as_str()).collect();
        assert_eq!(names, ["a.n=0", "a.on=true", "level=\"high\"", "text=\"\"", "text=null"]);
        assert_eq!(edges[0].values, json!({"a": {"n": 0}}));
    }
}
