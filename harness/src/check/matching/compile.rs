//! From written trees to patterns, with every mistake at its place.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value as Json;

use super::pattern::{ELEMENT_KEYS, Keyed, Pattern, Rule};
use crate::check::path::scalar_text;
use crate::diagnostic::Diagnostic;
use crate::scenario::expression::Expression;
use crate::yaml::{Entry, Node, Value};

/// Fields besides [`ELEMENT_KEYS`] that narrow the search among elements with the same key.
const NARROWING_KEYS: &[&str] = &["kind", "protocol"];

const OPERATORS: &str = "$absent, $present, $equals, $not, $matches, $cel, $any, $all, $none, $exactly, $ordered, \
                         $contains, $length, $oneOf, $json";

/// All mistakes in an expected tree: unknown operators, wrong arguments, regular expressions and CEL
/// that do not compile, and operators that could never fail or never hold.
pub fn validate(expected: &Node) -> Vec<Diagnostic> {
    Pattern::compile(expected).err().unwrap_or_default()
}

impl Pattern {
    /// Reads an expected tree. All mistakes are returned, not only the first.
    pub fn compile(expected: &Node) -> Result<Self, Vec<Diagnostic>> {
        let mut compiler = Compiler { mistakes: Vec::new() };
        let rule = compiler.rule(expected);
        if compiler.mistakes.is_empty() { Ok(Self { rule }) } else { Err(compiler.mistakes) }
    }
}

struct Compiler {
    mistakes: Vec<Diagnostic>,
}

impl Compiler {
    fn rule(&mut self, node: &Node) -> Rule {
        match &node.value {
            Value::Null => Rule::Absent,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Rule::Scalar(node.to_json()),
            Value::List(items) => self.list(items),
            Value::Map(entries) => self.map(entries),
        }
    }

    fn rules(&mut self, items: &[Node]) -> Vec<Rule> {
        items.iter().map(|item| self.rule(item)).collect()
    }

    fn list(&mut self, items: &[Node]) -> Rule {
        let Some(key) = element_key(items) else { return Rule::Ordered(self.rules(items)) };
        let elements = items
            .iter()
            .map(|item| Keyed {
                value: key_text(item, key).unwrap_or_default(),
                narrowing: ELEMENT_KEYS
                    .iter()
                    .chain(NARROWING_KEYS)
                    .filter(|&&other| other != key)
                    .filter_map(|&other| {
                        let value = item.get(other)?;
                        scalar_text(&value.to_json())?;
                        Some((other.to_owned(), value.to_json()))
                    })
                    .collect(),
                rule: self.rule(item),
            })
            .collect();
        Rule::Keyed { key, elements }
    }

    fn map(&mut self, entries: &[Entry]) -> Rule {
        match entries {
            [entry] if entry.key.starts_with('$') => self.operator(entry),
            _ => {
                for entry in entries.iter().filter(|entry| entry.key.starts_with('$')) {
                    self.mistakes.push(
                        Diagnostic::new(
                            entry.key_location.clone(),
                            format!("`{}` has to be the only key of its mapping", entry.key),
                        )
                        .with_help("compare keys of objects that begin with `$` with `$equals`"),
                    );
                }
                Rule::Map(entries.iter().map(|entry| (entry.key.clone(), self.rule(&entry.value))).collect())
            }
        }
    }

    fn operator(&mut self, entry: &Entry) -> Rule {
        let argument = &entry.value;
        match entry.key.as_str() {
            "$absent" => self.presence(entry, Rule::Absent, Rule::Present),
            "$present" => self.presence(entry, Rule::Present, Rule::Absent),
            "$equals" => Rule::Equals(argument.to_json()),
            "$not" => Rule::Not(Box::new(self.rule(argument))),
            "$matches" => self.regex(entry),
            "$cel" => self.cel(entry),
            "$any" => Rule::Any(Box::new(self.rule(argument))),
            "$all" => Rule::All(Box::new(self.rule(argument))),
            "$none" => Rule::None(Box::new(self.rule(argument))),
            "$exactly" => self.exactly(entry),
            "$ordered" => self.alternatives(entry).map_or(Rule::Absent, Rule::Ordered),
            "$contains" => self.alternatives(entry).map_or(Rule::Absent, Rule::Contains),
            "$oneOf" => self.alternatives(entry).map_or(Rule::Absent, Rule::OneOf),
            "$json" => Rule::Json(Box::new(self.rule(argument))),
            "$length" => self.count(argument, "`$length`").map_or(Rule::Absent, Rule::Length),
            unknown => {
                self.mistakes.push(
                    Diagnostic::new(entry.key_location.clone(), format!("unknown operator `{unknown}`"))
                        .with_help(format!("the operators are {OPERATORS}")),
                );
                Rule::Absent
            }
        }
    }

    fn presence(&mut self, entry: &Entry, on_true: Rule, on_false: Rule) -> Rule {
        match entry.value.value {
            Value::Bool(true) => on_true,
            Value::Bool(false) => on_false,
            _ => {
                self.wrong(entry, "true or false");
                on_true
            }
        }
    }

    fn regex(&mut self, entry: &Entry) -> Rule {
        let Some(text) = entry.value.as_str() else {
            self.wrong(entry, "a regular expression in quotes");
            return Rule::Absent;
        };
        match Regex::new(text) {
            Ok(regex) => Rule::Matches(regex),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.mistakes.push(
                    Diagnostic::new(entry.value.location.clone(), "this is no regular expression")
                        .with_label(reason),
                );
                Rule::Absent
            }
        }
    }

    fn cel(&mut self, entry: &Entry) -> Rule {
        let Some(text) = entry.value.as_str() else {
            self.wrong(entry, "a CEL expression");
            return Rule::Absent;
        };
        match Expression::compile(text, &entry.value.location) {
            Ok(expression) => {
                if let Some(name) = expression.undeclared(&["self"]) {
                    self.mistakes.push(
                        Diagnostic::new(
                            entry.value.location.clone(),
                            format!("no variable `{name}` exists in `$cel`"),
                        )
                        .with_help("`self` is the value at this place; put others in with `${{ .. }}`"),
                    );
                }
                Rule::Cel(Box::new(expression))
            }
            Err(diagnostic) => {
                self.mistakes.push(diagnostic);
                Rule::Absent
            }
        }
    }

    fn exactly(&mut self, entry: &Entry) -> Rule {
        let known = entry.value.as_map().is_some_and(|entries| {
            entries.len() == 2 && entries.iter().all(|entry| matches!(entry.key.as_str(), "count" | "of"))
        });
        let (true, Some(count), Some(of)) = (known, entry.value.get("count"), entry.value.get("of")) else {
            self.wrong(entry, "a mapping with `count` and `of`");
            return Rule::Absent;
        };
        let rule = self.rule(of);
        self.count(count, "`count`").map_or(Rule::Absent, |count| Rule::Exactly(count, Box::new(rule)))
    }

    fn alternatives(&mut self, entry: &Entry) -> Option<Vec<Rule>> {
        match entry.value.as_list() {
            Some(items) if !items.is_empty() => Some(self.rules(items)),
            _ => {
                self.wrong(entry, "a list with at least one element");
                None
            }
        }
    }

    fn count(&mut self, node: &Node, what: &str) -> Option<u64> {
        let count = match &node.value {
            Value::Number(number) => number.as_u64(),
            _ => None,
        };
        if count.is_none() {
            self.mistakes.push(
                Diagnostic::new(node.location.clone(), format!("{what} is {}", node.kind()))
                    .with_help("it has to be a whole number, 0 or more"),
            );
        }
        count
    }

    fn wrong(&mut self, entry: &Entry, wanted: &str) {
        self.mistakes.push(
            Diagnostic::new(
                entry.value.location.clone(),
                format!("the argument of `{}` is {}", entry.key, entry.value.kind()),
            )
            .with_help(format!("it has to be {wanted}")),
        );
    }
}

/// The first field of [`ELEMENT_KEYS`] that tells all these elements apart.
fn element_key(items: &[Node]) -> Option<&'static str> {
    if items.is_empty() {
        return None;
    }
    ELEMENT_KEYS.iter().copied().find(|key| {
        let mut seen = BTreeSet::new();
        items.iter().all(|item| key_text(item, key).is_some_and(|value| seen.insert(value)))
    })
}

fn key_text(item: &Node, key: &str) -> Option<String> {
    let value: Json = item.get(key)?.to_json();
    scalar_text(&value)
}
