//! Assertions and targets in one line.

use std::time::Duration;

use serde_json::Value;

use crate::check::matching::Pattern;
use crate::check::path::Path;
use crate::check::trail::cut;
pub(super) use crate::count::count;
use crate::scenario::assertion::{Claim, Condition, Operator, Target};

/// Leaves of a pattern that are spelled out.
const LEAVES: usize = 3;
/// Characters of a value or expression in a line.
const WIDTH: usize = 100;

/// `eventually (5 s) Job of run: spec.ttlSecondsAfterFinished = 30`.
pub(super) fn assertion(operator: &Operator, waited: Option<Duration>) -> String {
    let keyword = operator.keyword();
    match operator {
        Operator::Eventually { claim, within } => {
            let waited = waited.map(|waited| format!(", waited {}", seconds(waited))).unwrap_or_default();
            format!("{keyword} ({}{waited}) {}", seconds(*within), self::claim(claim))
        }
        Operator::Always(claim) | Operator::Never(claim) | Operator::InCreationOrder(claim) => {
            format!("{keyword} {}", self::claim(claim))
        }
        Operator::Exactly { count, claim } | Operator::AtMost { count, claim } => {
            format!("{keyword} {count} {}", self::claim(claim))
        }
        Operator::Versions { at_most, claim } => {
            format!("at most {} of {}", self::count(*at_most, "version"), self::claim(claim))
        }
        Operator::AtMostEach { count, key, claim } => {
            format!("at most {count} of {} for each {}", self::claim(claim), cut(key.text(), WIDTH))
        }
        Operator::Advances { path, order, claim } => {
            let groups: Vec<String> = order.iter().map(|group| group.join("/")).collect();
            let path = Path::of_fields(path);
            format!("{path} of {} only advances {}", self::claim(claim), groups.join(" → "))
        }
        Operator::Settled { path, except, claim } => {
            let except: Vec<String> =
                except.iter().map(|place| format!(" except {}", Path::of_fields(place))).collect();
            let path = Path::of_fields(path);
            format!("{path}{} of {} stays as it is", except.join(""), self::claim(claim))
        }
        Operator::Sequence(claims) => {
            let claims: Vec<String> = claims.iter().map(self::claim).collect();
            format!("{keyword} {}", claims.join(" → "))
        }
    }
}

/// `Job of run: spec.suspend = true`.
pub(super) fn claim(claim: &Claim) -> String {
    format!("{}: {}", target(&claim.target), condition(&claim.condition))
}

/// `Job of run`, `object run`, `batch/v1 Job named x with labels a=b`.
pub(super) fn target(target: &Target) -> String {
    match target {
        Target::Object { alias } => format!("object {alias}"),
        Target::Resources { kind, name, labels, of, .. } => {
            let name = name.as_ref().map(|name| format!(" named {name}")).unwrap_or_default();
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!(" with labels {}", labels.join(",")) };
            let of = of.as_ref().map(|of| format!(" of {of}")).unwrap_or_default();
            format!("{kind}{name}{labels}{of}")
        }
        Target::Log => "log line".to_owned(),
        Target::Requests { verbs, resource, name } => {
            let verbs = if verbs.is_empty() { String::new() } else { format!("{} ", verbs.join("/")) };
            let resource = resource.as_ref().map(|resource| format!(" for {resource}")).unwrap_or_default();
            let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            format!("{verbs}request{resource}{name}")
        }
        Target::Rendered { of, kind, name } => {
            let name = name.as_ref().map(|name| format!(" named {name}")).unwrap_or_default();
            format!("{kind}{name} rendered by {of}")
        }
    }
}

fn condition(condition: &Condition) -> String {
    let mut parts = Vec::new();
    match condition.exists {
        Some(true) => parts.push("exists".to_owned()),
        Some(false) => parts.push("does not exist".to_owned()),
        None => {}
    }
    if let Some(Ok(pattern)) = condition.matches.as_ref().map(Pattern::compile) {
        parts.push(self::pattern(&pattern));
    }
    if let Some(golden) = &condition.golden {
        parts.push(format!("is {}", golden.path.display()));
    }
    if let Some(expression) = &condition.cel {
        parts.push(cut(expression.text(), WIDTH));
    }
    if parts.is_empty() { "exists".to_owned() } else { parts.join(", ") }
}

fn pattern(pattern: &Pattern) -> String {
    // Against null every leaf that wants a value is a mismatch.
    let leaves = pattern.mismatches(&Value::Null);
    if leaves.is_empty() || leaves.len() < pattern.leaves() && leaves.len() < LEAVES {
        return cut(&pattern.to_string(), WIDTH);
    }
    let mut parts: Vec<String> = leaves
        .iter()
        .take(LEAVES)
        .map(|leaf| format!("{} = {}", leaf.path, cut(&leaf.expected, WIDTH)))
        .collect();
    if leaves.len() > LEAVES {
        parts.push(format!("and {} more", leaves.len() - LEAVES));
    }
    parts.join(", ")
}

/// `5 s`, `0.25 s`.
fn seconds(duration: Duration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}
/// The first `most` names, and how many there are besides.
pub(super) fn some(names: &[String], most: usize) -> String {
    let shown = names.iter().take(most).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
