//! How near one version of an object comes to a claim.

use serde_json::Value;

use super::Evidence;
use crate::check::failure::{Difference, Since};
use crate::check::golden;
use crate::check::managed::manager_of;
use crate::check::matching::Mismatch;
use crate::check::path::Path;
use crate::check::select::{Selection, State};
use crate::check::temporal::ClaimJudge;
use crate::check::trail::{cut, moment};
use crate::count::agree;
use crate::record::{Change, Observation};
use crate::scenario::assertion::Claim;

/// Characters of a value in the table of differences.
const VALUE_WIDTH: usize = 400;

/// A version and all the places at which it is not as claimed.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) version: State<'a>,
    pub(super) mismatches: Vec<Mismatch>,
    /// How many places the claim speaks of.
    pub(super) asserted: usize,
    pub(super) diff: Option<golden::Diff>,
}

impl<'a> Candidate<'a> {
    /// Compares a version with what the claim says about content.
    pub(super) fn new(claim: &Claim, judge: &ClaimJudge<'_>, version: State<'a>) -> Self {
        let mut mismatches = Vec::new();
        let mut asserted = 0;
        let mut diff = None;
        if let Some(pattern) = judge.pattern() {
            asserted += pattern.leaves();
            mismatches.extend(pattern.mismatches(version.object));
        }
        if let Some(expected) = &claim.condition.golden {
            let expected = expected.template.to_json();
            asserted += leaves(&golden::normalize(&expected));
            let comparison = golden::compare(&expected, version.object);
            if !comparison.differences.is_empty() {
                mismatches.extend(comparison.differences);
                diff = Some(comparison.diff);
            }
        }
        if let Some(expression) = &claim.condition.cel {
            asserted += 1;
            let value = expression.evaluate(&judge.scope().variables(version.object));
            if value != Ok(Value::Bool(true)) {
                let reason = match value {
                    Ok(Value::Bool(_)) => String::new(),
                    Ok(other) => format!(" (is {other})"),
                    Err(error) => format!(" ({error})"),
                };
                mismatches.extend(operands(claim, version.object, &format!("{}{reason}", expression.text())));
            }
        }
        Self { version, mismatches, asserted: asserted.max(1), diff }
    }

    /// The table of differences with who wrote what, and when.
    pub(super) fn differences(&self, selection: &Selection<'_>) -> Vec<Difference> {
        self.mismatches.iter().map(|mismatch| difference(mismatch, &self.version, selection)).collect()
    }

    /// `5 of 6 places hold`.
    pub(super) fn score(&self) -> String {
        let differing = self.mismatches.len().min(self.asserted);
        let places = agree(&self.asserted, "claimed place holds", "claimed places hold");
        format!("{} of {} {places}", self.asserted - differing, self.asserted)
    }
}

/// The values that an expression reads from the object, each with the expression as what was expected.
pub(super) fn operands(claim: &Claim, object: &Value, expected: &str) -> Vec<Mismatch> {
    let fields = claim.condition.cel.iter().flat_map(|expression| expression.fields_of("self"));
    let mut operands: Vec<Mismatch> = fields
        .map(|fields| {
            let path = Path::of_fields(fields);
            let actual = path.resolve(object).map_or_else(|| "absent".to_owned(), Value::to_string);
            Mismatch { path, expected: expected.to_owned(), actual }
        })
        .collect();
    if operands.is_empty() {
        operands.push(Mismatch {
            path: Path::root(),
            expected: expected.to_owned(),
            actual: "false".to_owned(),
        });
    }
    operands
}

/// One row of the table of differences.
pub(super) fn difference(mismatch: &Mismatch, version: &State<'_>, selection: &Selection<'_>) -> Difference {
    Difference {
        path: mismatch.path.to_string(),
        expected: cut(&mismatch.expected, VALUE_WIDTH),
        actual: cut(&mismatch.actual, VALUE_WIDTH),
        since: since(&mismatch.path, version, selection),
    }
}

/// The first of the unbroken run of versions up to `version` that have the same value at `path`.
fn since(path: &Path, version: &State<'_>, selection: &Selection<'_>) -> Option<Since> {
    let value = path.resolve(version.object);
    // The whole value stands for being there or not.
    let unchanged = |other: &&State<'_>| {
        if path.segments().is_empty() {
            (other.change == Change::Deleted) == (version.change == Change::Deleted)
        } else {
            path.resolve(other.object) == value
        }
    };
    let first = selection
        .versions
        .iter()
        .rev()
        .filter(|other| other.uid == version.uid && other.resource_version <= version.resource_version)
        .take_while(unchanged)
        .last()
        // What has no versions has its value since it is there.
        .filter(|first| first.resource_version > 0)?;
    Some(Since {
        at: first.entry?.at,
        resource_version: first.resource_version,
        manager: value.and_then(|_| manager_of(first.object, path)).map(str::to_owned),
    })
}

/// `Kind namespace/name` of a version.
pub(super) fn describe(version: &State<'_>) -> String {
    let text = |pointer| version.object.pointer(pointer).and_then(Value::as_str);
    if let Some(Observation::Request(request)) = version.entry.map(|entry| &entry.observation) {
        return request.describe();
    }
    if let Value::String(line) = version.object {
        return format!("log line `{}`", cut(line, VALUE_WIDTH));
    }
    let (kind, name) = (text("/kind").unwrap_or("object"), text("/metadata/name").unwrap_or("without name"));
    match text("/metadata/namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// `resource version 812, +3.214 s`.
pub(super) fn when(version: &State<'_>, evidence: Evidence<'_>) -> String {
    match version.entry {
        Some(entry) if version.resource_version == 0 => moment(evidence.history, entry),
        Some(entry) => {
            format!("resource version {}, {}", version.resource_version, moment(evidence.history, entry))
        }
        None => "as rendered".to_owned(),
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.values().map(leaves).sum::<usize>().max(1),
        Value::Array(items) => items.iter().map(leaves).sum::<usize>().max(1),
        _ => 1,
    }
}
