//! What is said about one change.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::rules::Rule;

/// How bad a change is for those who upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Something that worked before does not any more.
    Breaking,
    /// Something behaves differently, and people should know.
    Notice,
    /// Nobody has to do anything.
    Harmless,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Breaking => "breaking",
            Self::Notice => "notice",
            Self::Harmless => "harmless",
        })
    }
}

/// A step of a version number, by the names of Semantic Versioning 2.0.0 (§ 6 to 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Nothing changed.
    None,
    /// Repairs that nobody has to know of.
    Patch,
    /// Something new, or something that behaves differently.
    Minor,
    /// Something that worked does not any more.
    Major,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

/// A change, and where it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of change it is.
    pub rule: Rule,
    /// `file:line`, or the path of an object.
    pub place: String,
    /// What it is about: `controller.queue.perRepo`, `agentruns.example/v1 spec.image`.
    pub subject: String,
    /// What changed, in one sentence without a full stop.
    pub what: String,
    /// Words of which an entry of the changelog has to hold one to be about this change.
    pub mentions: Vec<String>,
    /// The sets of values with which it shows; empty for what is seen without rendering.
    pub renderings: BTreeSet<String>,
}

impl Finding {
    /// A change that is seen in files, which the changelog names by its subject.
    pub fn new(
        rule: Rule,
        place: impl Into<String>,
        subject: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        let subject = subject.into();
        Self {
            rule,
            place: place.into(),
            mentions: vec![subject.clone()],
            subject,
            what: what.into(),
            renderings: BTreeSet::new(),
        }
    }

    /// Other words by which the changelog may name it.
    #[must_use]
    pub fn mentioned_by(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.mentions = words.into_iter().map(Into::into).collect();
        self
    }

    fn key(&self) -> (Severity, &str, &str, &str, &str) {
        (self.rule.severity(), self.rule.id, &self.subject, &self.place, &self.what)
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Finding {
    /// The worst first, then by id and subject: an order that does not depend on who looked first.
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key()).then_with(|| self.renderings.cmp(&other.renderings))
    }
}

/// Sorts findings and joins those that differ only in the set of values with which they show.
pub fn tidy(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort();
    findings.dedup_by(|next, kept| {
        let same = next.key() == kept.key();
        if same {
            kept.renderings.append(&mut next.renderings);
        }
        same
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::rules;

    #[test]
    fn the_same_change_seen_twice_is_told_once_with_both_sets_of_values() {
        let seen = |values: &str| Finding {
            renderings: BTreeSet::from([values.to_owned()]),
            ..Finding::new(rules::IMAGE_TAG_CHANGED, "Deployment a", "a", "x became y")
        };
        let breaking = Finding::new(rules::OBJECT_REMOVED, "Service a", "a", "gone");
        let found = tidy(vec![seen("b"), breaking.clone(), seen("a")]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], breaking, "the worst first");
        assert_eq!(found[1].renderings, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    }
}
