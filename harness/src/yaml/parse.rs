//! From text to [`Node`] trees, through serde-saphyr with fixed options.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Options, Spanned, from_multiple_with_options, options};

use super::node::{Entry, Location, Node, Source, Span, Value};
use crate::diagnostic::Diagnostic;

/// A text that is not YAML, or that uses what the project refuses (duplicate keys, alias bombs).
#[derive(Debug, thiserror::Error)]
#[error("{}", .0)]
pub struct ParseError(pub Box<Diagnostic>);

/// Parses all documents of a source; documents that hold only comments are left out.
pub fn parse_documents(source: &Arc<Source>) -> Result<Vec<Node>, ParseError> {
    let documents: Vec<Spanned<Raw>> = from_multiple_with_options(source.text(), scalar_options())
        .map_err(|error| ParseError(Box::new(syntax_error(source, &error))))?;
    Ok(documents.into_iter().map(|raw| raw_to_node(source, raw)).collect())
}

/// `0644` is octal, as it is for `kubectl`. Only `true` and `false` are booleans, also where `kubectl` takes more words
/// for them: `on` is a key of scenarios, and a name like `no` is no decision.
fn scalar_options() -> Options {
    options! { strict_booleans: true, legacy_octal_numbers: true }
}

fn syntax_error(source: &Arc<Source>, error: &serde_saphyr::Error) -> Diagnostic {
    let location =
        error.location().map_or_else(|| Location::start_of(source), |place| locate(source, &place));
    Diagnostic::new(location, one_line(&error.without_snippet().to_string()))
}

/// Drops the position that serde-saphyr repeats in its messages; the diagnostic shows it already.
fn one_line(message: &str) -> String {
    let message = message.lines().next().unwrap_or(message);
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

fn locate(source: &Arc<Source>, place: &serde_saphyr::Location) -> Location {
    let span = place.span();
    let offset = span.byte_offset().unwrap_or_else(|| span.offset());
    let len = span.byte_len().unwrap_or_else(|| span.len());
    Location {
        source: Arc::clone(source),
        span: Span {
            line: as_index(place.line()),
            column: as_index(place.column()),
            offset: as_index(offset),
            len: as_index(len),
        },
    }
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn raw_to_node(source: &Arc<Source>, raw: Spanned<Raw>) -> Node {
    let location = locate(source, &raw.referenced);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Number(number) => Value::Number(number),
        Raw::String(text) => Value::String(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| raw_to_node(source, item)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    key_location: locate(source, &key.referenced),
                    key: key.value,
                    value: raw_to_node(source, value),
                })
                .collect(),
        ),
    };
    Node { value, location }
}

/// The tree as serde-saphyr delivers it; it becomes a [`Node`] once the source is at hand.
enum Raw {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        serde_json::Number::from_f64(value)
            .map(Raw::Number)
            .ok_or_else(|| E::custom("a number must be finite; quote it if a text is meant"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries: Vec<(Spanned<String>, Spanned<Raw>)> = Vec::new();
        while let Some(entry) = map.next_entry::<Spanned<String>, Spanned<Raw>>()? {
            if entries.iter().any(|(key, _)| key.value == entry.0.value) {
                return Err(A::Error::custom(format!("duplicate key `{}`", entry.0.value)));
            }
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Node> {
        parse_documents(&Source::new("test.yaml", text)).expect("valid YAML")
    }

    #[test]
    fn every_key_and_scalar_knows_its_place() {
        let documents = parse("a:\n  b: [1, two]\n---\nc: ${{ case.x }}\n");
        let two = &documents[0].get("a").and_then(|a| a.get("b")).and_then(Node::as_list).expect("list")[1];
        assert_eq!((two.location.span.line, two.location.span.column), (2, 10));
        assert_eq!(two.location.span.len, 3);
        let entry = &documents[1].as_map().expect("map")[0];
        assert_eq!((entry.key_location.span.line, entry.key_location.span.column), (4, 1));
        assert_eq!(entry.value.as_str(), Some("${{ case.x }}"));
    }

    #[test]
    fn numbers_may_be_octal_and_only_two_words_are_booleans() {
        let documents = parse("{a: 0644, b: on, c: 'yes', d: 1e3, e: null, f: true, g: 600, h: ~}");
        assert_eq!(
            documents[0].to_json(),
            serde_json::json!({"a": 420, "b": "on", "c": "yes", "d": 1000.0, "e": null, "f": true, "g": 600, "h": null})
        );
    }

    #[test]
    fn a_duplicate_key_is_refused_at_its_line() {
        let source = Source::new("test.yaml", "a: 1\nb: 2\na: 3\n");
        let ParseError(diagnostic) = parse_documents(&source).expect_err("duplicate key");
        assert_eq!(diagnostic.location.span.line, 3);
        assert!(diagnostic.message.contains("duplicate"), "{}", diagnostic.message);
    }

    #[test]
    fn broken_text_is_refused_at_its_line() {
        let source = Source::new("test.yaml", "a: 1\nb: [1, 2\nc: 3\n");
        let ParseError(diagnostic) = parse_documents(&source).expect_err("unclosed list");
        assert!(diagnostic.location.span.line >= 2, "{diagnostic}");
    }
}
