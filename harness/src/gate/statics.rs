//! Everything that can be told of two charts without a cluster.

use std::collections::BTreeSet;

use super::chart::Chart;
use super::error::GateError;
use super::finding::{Finding, tidy};
use super::render::{Renderer, SHIPPED, ValueSet};
use super::source::Opened;
use super::{crds, edges, rules, values, version};
use crate::yaml::Node;

/// With which values charts are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The defaults, and every values file of the old chart.
    Files,
    /// And every edge of the old chart's schema.
    Edges,
}

/// Everything that changes from one chart to another, the worst first; the version number is not judged.
pub async fn compare(
    old: &Opened,
    new: &Opened,
    renderer: &Renderer,
    depth: Depth,
) -> Result<Vec<Finding>, GateError> {
    let mut found = files(&old.chart, &new.chart);
    found.extend(renderer.compare(old.folder(), new.folder(), value_sets(&old.chart, depth)).await?);
    // What only the new chart has must at least render.
    for (name, node) in
        new.chart.value_sets.iter().filter(|(name, _)| !old.chart.value_sets.contains_key(*name))
    {
        found.extend(renderer.renders(new.folder(), &shipped(name, node)).await?);
    }
    let mut found = tidy(found);
    if found.is_empty() {
        found.extend(other_files(&old.chart, &new.chart));
    }
    Ok(found)
}

/// What the files of two charts say.
fn files(old: &Chart, new: &Chart) -> Vec<Finding> {
    let mut found = version::metadata(old, new);
    found.extend(crds::compare(&old.crds, &new.crds));
    found.extend(values::compare(old, new));
    found
}

/// Users give what they gave before, so the old chart's files are what counts.
fn value_sets(old: &Chart, depth: Depth) -> Vec<ValueSet> {
    let defaults = ValueSet { name: SHIPPED.to_owned(), values: edges::shipped(), is_shipped: true };
    let mut sets = vec![defaults];
    sets.extend(old.value_sets.iter().map(|(name, node)| shipped(name, node)));
    if depth == Depth::Edges {
        sets.extend(edges::of(old).into_iter().map(|edge| ValueSet {
            name: edge.name,
            values: edge.values,
            is_shipped: false,
        }));
    }
    sets
}

fn shipped(name: &str, node: &Node) -> ValueSet {
    ValueSet { name: name.to_owned(), values: node.to_json(), is_shipped: true }
}

/// Files that differ although nothing else does: a package with other bytes is another version.
fn other_files(old: &Chart, new: &Chart) -> Option<Finding> {
    let without_version = |chart: &Chart| {
        let mut metadata = chart.metadata.to_json();
        if let Some(map) = metadata.as_object_mut() {
            map.shift_remove("version");
        }
        metadata
    };
    let differs = |path: &String| match path.as_str() {
        "Chart.yaml" => without_version(old) != without_version(new),
        path => old.digests.get(path) != new.digests.get(path),
    };
    let all: BTreeSet<&String> = old.digests.keys().chain(new.digests.keys()).collect();
    let changed: Vec<&str> = all.into_iter().filter(|path| differs(path)).map(String::as_str).collect();
    let first = changed.first()?;
    let what = format!("{} changed, but nothing that is installed", changed.join(", "));
    Some(Finding::new(rules::CHART_FILES_CHANGED, *first, "files", what))
}
