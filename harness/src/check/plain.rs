//! A history without anything that differs from run to run.
//!
//! Times, uids, resource versions, the name of the namespace and names that the API server makes up are
//! others in every run, so they are replaced by what they stand for. What is compared between runs, the
//! [`Ending`](super::Ending) of a case and its whole [`History`](super::History), is made of this.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use regex::Regex;
use serde_json::{Map, Value};

use crate::record::{Entry, ObjectVersion, Observation};

/// Fields of metadata that the API server sets anew in every run, or with every write.
const SET_BY_SERVER: [&str; 5] =
    ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"];

/// A copy of what somebody applied, which holds the same names once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Told as often as they are told, and renewed as long as the subject lives.
const BOOKKEEPING: [&str; 2] = ["Event", "Lease"];

/// Published by Kubernetes in every namespace, at some time, with the certificate of the cluster.
const OF_KUBERNETES: (&str, &str) = ("ConfigMap", "kube-root-ca.crt");

/// What Helm notes about each release, with the time.
const OF_HELM: &str = "sh.helm.release.v1.";

/// RFC 3339, and the textual form of a UUID (RFC 9562), anywhere in a text.
const MADE_UP: &str = r"(?x)
    (?<time> \d{4}-\d\d-\d\d T \d\d:\d\d:\d\d (\.\d+)? (Z | [+-]\d\d:\d\d) )
    | \b [0-9a-f]{8} - [0-9a-f]{4} - [0-9a-f]{4} - [0-9a-f]{4} - [0-9a-f]{12} \b";

/// The object versions of a case up to its end, and what their texts stand for.
pub(super) struct Plain<'a> {
    pub(super) versions: Vec<(Timestamp, &'a ObjectVersion)>,
    /// When the case began.
    pub(super) began: Timestamp,
    /// When it ended, or when its last entry was received.
    pub(super) ended: Timestamp,
    /// Whether a watch was interrupted, so that versions may be missing.
    pub(super) has_gap: bool,
    namespace: &'a str,
    /// Uid to the object that has it.
    uids: BTreeMap<&'a str, String>,
    /// Name that the API server made up to what was asked for.
    generated: BTreeMap<&'a str, String>,
}

impl<'a> Plain<'a> {
    pub(super) fn of(history: &'a [Arc<Entry>]) -> Self {
        let at = |entry: Option<&Arc<Entry>>| entry.map_or(Timestamp::UNIX_EPOCH, |entry| entry.at);
        let mut plain = Self {
            versions: Vec::new(),
            began: at(history.first()),
            ended: at(history.last()),
            has_gap: false,
            namespace: "",
            uids: BTreeMap::new(),
            generated: BTreeMap::new(),
        };
        for entry in history {
            match &entry.observation {
                Observation::CaseStarted { namespace } => plain.namespace = namespace,
                Observation::Object(version) if counts(version) => plain.versions.push((entry.at, version)),
                Observation::Gap { .. } => plain.has_gap = true,
                Observation::CaseFinished { .. } => {
                    plain.ended = entry.at;
                    break;
                }
                _ => {}
            }
        }
        for (_, version) in &plain.versions {
            plain.uids.insert(&version.uid, name(version));
            if let Some(prefix) = generated(version) {
                plain.generated.insert(&version.name, format!("{prefix}*"));
            }
        }
        plain
    }

    /// The object as it would be in any other run.
    pub(super) fn object(&self, object: &Value) -> Value {
        self.value(object, &[])
    }

    /// The plain name of the object with this uid.
    pub(super) fn name_of(&self, uid: &str) -> String {
        self.uids.get(uid).cloned().unwrap_or_else(|| "an object that nobody watches".to_owned())
    }

    fn value(&self, value: &Value, parents: &[&str]) -> Value {
        match value {
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(key, _)| match parents {
                    ["metadata"] => !SET_BY_SERVER.contains(&key.as_str()),
                    ["metadata", "annotations"] => key.as_str() != LAST_APPLIED,
                    _ => true,
                });
                let fields = kept.map(|(key, value)| {
                    let parents = [parents, &[key.as_str()]].concat();
                    (self.text(key), self.value(value, &parents))
                });
                Value::Object(fields.collect::<Map<_, _>>())
            }
            Value::Array(items) => {
                let inside = [parents, &["[]"]].concat();
                Value::Array(items.iter().map(|item| self.value(item, &inside)).collect())
            }
            Value::String(text) => Value::String(self.text(text)),
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> String {
        let mut plain = match self.namespace {
            "" => text.to_owned(),
            namespace => text.replace(namespace, "NAMESPACE"),
        };
        for (uid, object) in &self.uids {
            if plain.contains(uid) {
                plain = plain.replace(uid, &format!("UID of {object}"));
            }
        }
        for (name, prefix) in &self.generated {
            if plain.contains(name) {
                plain = plain.replace(name, prefix);
            }
        }
        without_made_up(&plain)
    }
}

/// Times, and uids of objects that nobody watches.
fn without_made_up(text: &str) -> String {
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(MADE_UP).ok());
    // Neither is shorter than a time without fractions, and most texts are.
    const SHORTEST: usize = 20;
    match &*PATTERN {
        Some(pattern) if text.len() >= SHORTEST => pattern
            .replace_all(
                text,
                |found: &regex::Captures<'_>| {
                    if found.name("time").is_some() { "TIME" } else { "UID" }
                },
            )
            .into_owned(),
        _ => text.to_owned(),
    }
}

fn counts(version: &ObjectVersion) -> bool {
    !BOOKKEEPING.contains(&version.kind.as_str())
        && (version.kind.as_str(), version.name.as_str()) != OF_KUBERNETES
        && !version.name.starts_with(OF_HELM)
}

/// What an object is called in every run. Objects whose names the API server makes up share one: how many
/// there were is told, not which is which.
pub(super) fn name(version: &ObjectVersion) -> String {
    match generated(version) {
        Some(prefix) => format!("{} {prefix}*", version.kind),
        None => format!("{} {}", version.kind, version.name),
    }
}

/// What a name begins with whose end the API server made up.
pub(super) fn generated(version: &ObjectVersion) -> Option<&str> {
    let prefix = version.object.pointer("/metadata/generateName").and_then(Value::as_str)?;
    version.name.starts_with(prefix).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_time("2026-01-01T00:00:00Z", "TIME")]
    #[case::a_time_with_fractions("2026-01-01T00:00:00.123456+02:00", "TIME")]
    #[case::a_time_in_a_sentence("expires at 2026-01-01T00:00:00Z, then goes", "expires at TIME, then goes")]
    #[case::a_strange_uid("owner 0a1b2c3d-0000-4000-8000-00000000000f", "owner UID")]
    #[case::a_date("a date like 2026-01-01 stays", "a date like 2026-01-01 stays")]
    #[case::a_digest("sha256:0a1b2c3d00004000800000000000000f", "sha256:0a1b2c3d00004000800000000000000f")]
    fn what_somebody_made_up_is_replaced_wherever_it_stands(#[case] text: &str, #[case] plain: &str) {
        assert_eq!(without_made_up(text), plain);
    }
}
