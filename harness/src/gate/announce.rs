//! What the changelog of a new chart tells: the annotation `artifacthub.io/changes`.
//!
//! Its value is YAML in a text: a list whose entries are texts, or maps with `kind`, `description` and
//! `links` (Artifact Hub, "Supported annotations in Chart.yaml"). Entries that the last version had already
//! are not about this one.

use std::sync::Arc;

use super::chart::Chart;
use super::finding::Finding;
use crate::yaml::{Node, Source, parse_documents};

/// The annotation.
const ANNOTATION: &str = "artifacthub.io/changes";

/// The entries of a changelog that are new.
#[derive(Debug, Default)]
pub(super) struct Changelog {
    entries: Vec<String>,
}

impl Changelog {
    pub(super) fn new(old: &Chart, new: &Chart) -> Self {
        let before = entries(old);
        Self { entries: entries(new).into_iter().filter(|entry| !before.contains(entry)).collect() }
    }

    /// Whether an entry is about a change: it holds one of its words, or what the key is a part of.
    pub(super) fn tells(&self, finding: &Finding) -> bool {
        let mut words = finding.mentions.iter().flat_map(|word| with_parents(word));
        words.any(|word| self.entries.iter().any(|entry| mentions(entry, word)))
    }
}

fn entries(chart: &Chart) -> Vec<String> {
    let annotations = chart.metadata.get("annotations");
    let Some(text) = annotations.and_then(|all| all.get(ANNOTATION)).and_then(Node::as_str) else {
        return Vec::new();
    };
    let source: Arc<Source> = Source::new(ANNOTATION, text);
    // A text that is no list is still something that was told.
    let Some(list) = parse_documents(&source).ok().and_then(|documents| documents.into_iter().next()) else {
        return vec![text.to_owned()];
    };
    let told = |node: &Node| node.get("description").unwrap_or(node).as_str().map(str::to_owned);
    match list.as_list() {
        Some(entries) => entries.iter().filter_map(told).collect(),
        None => vec![text.to_owned()],
    }
}

/// `a.b.c`, `a.b`: what is told of a map is told of its keys; a first part alone would tell too much.
fn with_parents(word: &str) -> impl Iterator<Item = &str> {
    let parents = word.match_indices('.').skip(1).filter_map(|(end, _)| word.get(..end));
    std::iter::once(word).chain(parents)
}

/// Whether the text holds the word, not only as a part of another one.
fn mentions(text: &str, word: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '/');
    !word.is_empty()
        && text.match_indices(word).any(|(start, _)| {
            let before = text.get(..start).and_then(|text| text.chars().next_back());
            let mut after = text.get(start + word.len()..).unwrap_or_default().chars();
            let next = after.next();
            // A full stop after the word ends a sentence, unless more of a path follows.
            let goes_on =
                next.is_some_and(is_part) || (next == Some('.') && after.next().is_some_and(is_part));
            !before.is_some_and(|char| is_part(char) || char == '.') && !goes_on
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::gate::rules;

    fn chart(annotation: &str) -> Chart {
        let text = serde_json::json!({"annotations": {ANNOTATION: annotation}}).to_string();
        Chart::read("", &BTreeMap::from([("Chart.yaml".to_owned(), text.into_bytes())])).expect("reads")
    }

    #[rstest]
    #[case::the_key("- Removed `a.b.c`.", true)]
    #[case::at_the_end_of_a_sentence("- Nobody needs a.b.c. It is gone", true)]
    #[case::as_a_description("- {kind: removed, description: a.b.c is gone}", true)]
    #[case::its_map("- All of a.b is gone", true)]
    #[case::the_first_part_alone("- Something about a changed", false)]
    #[case::a_longer_key("- Removed a.b.c.d", false)]
    #[case::another_key("- Removed x.a.b.c and a.b.cd", false)]
    #[case::no_list("a.b.c is gone", true)]
    #[case::nothing("", false)]
    fn an_entry_tells_what_it_names(#[case] annotation: &str, #[case] told: bool) {
        let changelog = Changelog::new(&chart(""), &chart(annotation));
        let finding = Finding::new(rules::VALUES_KEY_REMOVED, "", "a.b.c", "it is gone");
        assert_eq!(changelog.tells(&finding), told);
    }

    #[test]
    fn what_the_last_version_told_is_not_told_again() {
        let finding = Finding::new(rules::VALUES_KEY_REMOVED, "", "a.b", "it is gone");
        assert!(!Changelog::new(&chart("- a.b"), &chart("- a.b")).tells(&finding));
        assert!(Changelog::new(&chart("- a.b"), &chart("- a.b\n- a.b is gone")).tells(&finding));
    }
}
