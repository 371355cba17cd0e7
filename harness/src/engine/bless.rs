//! Writing golden files from what is there (`--bless`).

use serde_json::Value;

use super::case::{CaseRun, Stop};
use crate::check::{bindings, golden};
use crate::scenario::assertion::{Assertion, Bindings, Operator};
use crate::yaml::Node;

impl CaseRun<'_> {
    /// Rewrites the golden file of an assertion from the newest object that its target names; `false` if
    /// the assertion has no golden file or there is no such object.
    pub(super) fn bless(&self, assertion: &Assertion, bound: &Bindings) -> Result<bool, Stop> {
        let Operator::Eventually { claim, .. } = &assertion.operator else { return Ok(false) };
        let Some(expected) = &claim.condition.golden else { return Ok(false) };
        let history = self.record.snapshot();
        let Some(version) = crate::check::present(&claim.target, &history, bound).pop() else {
            return Ok(false);
        };
        let original = crate::yaml::parse_documents(&expected.source).ok().and_then(|mut nodes| nodes.pop());
        let expand = |node: &Node| -> Option<Value> {
            let mut problems = Vec::new();
            let expanded = bindings::expand(node, bound, &mut problems);
            problems.is_empty().then(|| expanded.to_json())
        };
        let mut substitutions: Vec<(String, String)> =
            bound.objects.iter().map(|(alias, object)| (object.uid.clone(), uid_of(alias))).collect();
        substitutions.push((self.namespace.clone(), "namespace".to_owned()));
        let text = golden::bless(&version.object, original.as_ref(), &expand, &substitutions);
        let written = expected.path.parent().map_or(Ok(()), std::fs::create_dir_all);
        written.and_then(|()| std::fs::write(&expected.path, text)).map_err(|error| {
            Stop::Inconclusive(format!("write the golden file `{}`: {error}", expected.path.display()))
        })?;
        self.run.events.note(format!("blessed {}", expected.path.display()));
        Ok(true)
    }
}

/// The uid of an alias in CEL: `objects.run.metadata.uid`, or by index where the alias is no identifier.
fn uid_of(alias: &str) -> String {
    let identifier = !alias.is_empty() && alias.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if identifier && !alias.starts_with(|c: char| c.is_ascii_digit()) {
        format!("objects.{alias}.metadata.uid")
    } else {
        format!("objects[\"{alias}\"].metadata.uid")
    }
}
