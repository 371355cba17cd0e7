//! New golden files from actual objects.

use serde_json::Value;

use super::compare::sorted;
use super::normalize;
use crate::check::matching::{ELEMENT_KEYS, value_eq};
use crate::check::path::scalar_text;
use crate::yaml::{Node, to_yaml};

/// The text of a golden file that `actual` equals.
///
/// - A template of the existing file, `${{ .. }}`, stays where `expand` makes of it what is there.
/// - Elsewhere the actual values are written, with every occurrence of a value of `substitutions` replaced
///   by its expression, which may be given with or without `${{` and `}}`.
/// - The comment lines at the head of the existing file stay.
pub fn bless(
    actual: &Value,
    existing: Option<&Node>,
    expand: &dyn Fn(&Node) -> Option<Value>,
    substitutions: &[(String, String)],
) -> String {
    // Longer values first: a name may be a part of a longer one.
    let mut substitutions: Vec<(&str, String)> = substitutions
        .iter()
        .filter(|(value, _)| !value.is_empty())
        .map(|(value, expression)| (value.as_str(), template(expression)))
        .collect();
    substitutions.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    let blessing = Blessing { expand, substitutions };
    let blessed = blessing.value(&sorted(&normalize(actual)), existing);
    let mut text = existing.map(head_comments).unwrap_or_default();
    text.push_str(&to_yaml(&blessed));
    text
}

struct Blessing<'a> {
    expand: &'a dyn Fn(&Node) -> Option<Value>,
    substitutions: Vec<(&'a str, String)>,
}

impl Blessing<'_> {
    fn value(&self, actual: &Value, existing: Option<&Node>) -> Value {
        if let Some(node) = existing
            && node.as_str().is_some_and(|text| text.contains("${{"))
            && (self.expand)(node).is_some_and(|expanded| value_eq(&expanded, actual))
        {
            return node.to_json();
        }
        match actual {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| {
                    (self.text(key), self.value(value, existing.and_then(|node| self.entry(node, key))))
                })
                .collect(),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.value(item, existing.and_then(|node| element(node, index, item))))
                .collect(),
            Value::String(text) => Value::String(self.text(text)),
            other => other.clone(),
        }
    }

    /// The value under a key, which may be written as a template itself.
    fn entry<'n>(&self, node: &'n Node, key: &str) -> Option<&'n Node> {
        node.get(key).or_else(|| node.get(&self.text(key)))
    }

    /// Replaces values by expressions, without looking into expressions that were put in before.
    fn text(&self, text: &str) -> String {
        let found = self
            .substitutions
            .iter()
            .filter_map(|(value, template)| Some((text.find(value)?, value, template)))
            .min_by_key(|(at, value, _)| (*at, std::cmp::Reverse(value.len())));
        let Some((at, value, template)) = found else { return text.to_owned() };
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + value.len()..).unwrap_or_default();
        format!("{before}{template}{}", self.text(after))
    }
}

fn template(expression: &str) -> String {
    if expression.starts_with("${{") { expression.to_owned() } else { format!("${{{{ {expression} }}}}") }
}

/// The element of the existing list that has the same key, else the one at the same place.
fn element<'n>(node: &'n Node, index: usize, actual: &Value) -> Option<&'n Node> {
    let items = node.as_list()?;
    let same = |key: &&str, item: &Node| {
        let wanted = actual.get(key).and_then(scalar_text);
        wanted.is_some() && item.get(key).and_then(|value| scalar_text(&value.to_json())) == wanted
    };
    ELEMENT_KEYS.iter().find_map(|key| items.iter().find(|item| same(key, item))).or_else(|| items.get(index))
}

/// The lines before the first line that is neither a comment nor empty.
fn head_comments(existing: &Node) -> String {
    let is_head = |line: &&str| line.trim_start().starts_with('#') || line.trim().is_empty();
    existing.location.source.text().split_inclusive('\n').take_while(is_head).collect()
}
