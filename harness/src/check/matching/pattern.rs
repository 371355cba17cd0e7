//! Expected trees, ready to be matched.

use std::fmt;

use regex::Regex;
use serde_json::Value;

use crate::scenario::expression::Expression;

/// Fields that tell list elements apart, in order of preference.
pub(in crate::check) const ELEMENT_KEYS: &[&str] =
    &["name", "type", "key", "containerPort", "port", "mountPath", "devicePath", "topologyKey", "ip", "uid"];

/// An expected tree with its operators read, regular expressions and CEL compiled.
///
/// Made once per judgement and used for every version.
#[derive(Debug)]
pub struct Pattern {
    pub(super) rule: Rule,
}

/// What is expected of one value.
#[derive(Debug)]
pub(super) enum Rule {
    Scalar(Value),
    Map(Vec<(String, Self)>),
    Keyed {
        key: &'static str,
        elements: Vec<Keyed>,
    },
    /// A plain list, or `$ordered`.
    Ordered(Vec<Self>),
    Absent,
    Present,
    Equals(Value),
    Not(Box<Self>),
    Matches(Regex),
    Cel(Box<Expression>),
    Any(Box<Self>),
    All(Box<Self>),
    None(Box<Self>),
    Exactly(u64, Box<Self>),
    Contains(Vec<Self>),
    Length(u64),
    OneOf(Vec<Self>),
    /// A text that is JSON, and what is expected of its value.
    Json(Box<Self>),
}

/// One expected list element that is found by its key.
#[derive(Debug)]
pub(super) struct Keyed {
    /// The key as it stands in paths.
    pub(super) value: String,
    /// Further fields that narrow the search where several elements have the key.
    pub(super) narrowing: Vec<(String, Value)>,
    pub(super) rule: Rule,
}

impl Pattern {
    /// How many leaves are asserted; `fewest of them differ` is how near an object comes.
    pub fn leaves(&self) -> usize {
        self.rule.leaves()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)
    }
}

impl Rule {
    pub(super) fn leaves(&self) -> usize {
        match self {
            Self::Map(entries) => entries.iter().map(|(_, rule)| rule.leaves()).sum::<usize>().max(1),
            Self::Keyed { elements, .. } => elements.iter().map(|element| element.rule.leaves()).sum(),
            Self::Ordered(rules) => rules.iter().map(Self::leaves).sum::<usize>().max(1),
            Self::Json(rule) => rule.leaves(),
            _ => 1,
        }
    }
}

/// In the words of scenario files, on one line: it stands in the column "expected".
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(value) => write!(f, "{value}"),
            Self::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, rule)) in entries.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{key}: {rule}")?;
                }
                f.write_str("}")
            }
            Self::Keyed { elements, .. } => list(f, elements.iter().map(|element| &element.rule)),
            Self::Ordered(rules) => list(f, rules.iter()),
            Self::Absent => f.write_str("absent"),
            Self::Present => f.write_str("present"),
            Self::Equals(value) => write!(f, "exactly {value}"),
            Self::Not(rule) => write!(f, "not {rule}"),
            Self::Matches(regex) => write!(f, "a string that matches /{regex}/"),
            Self::Cel(expression) => f.write_str(expression.text()),
            Self::Any(rule) => write!(f, "any element: {rule}"),
            Self::All(rule) => write!(f, "at least one element, and all: {rule}"),
            Self::None(rule) => write!(f, "no element: {rule}"),
            Self::Exactly(count, rule) => {
                write!(f, "exactly {}: {rule}", crate::count::count(*count, "element"))
            }
            Self::Contains(rules) => {
                f.write_str("elements: ")?;
                list(f, rules.iter())
            }
            Self::Length(length) => write!(f, "length {length}"),
            Self::OneOf(rules) => {
                f.write_str("one of ")?;
                list(f, rules.iter())
            }
            Self::Json(rule) => write!(f, "a string of JSON: {rule}"),
        }
    }
}

fn list<'a>(f: &mut fmt::Formatter<'_>, rules: impl Iterator<Item = &'a Rule>) -> fmt::Result {
    f.write_str("[")?;
    for (index, rule) in rules.enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{rule}")?;
    }
    f.write_str("]")
}

/// Equality as JSON means it: `3` is `3.0`, the order of keys does not matter.
pub(in crate::check) fn value_eq(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number_eq(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| value_eq(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| value_eq(left, right)))
        }
        _ => left == right,
    }
}

/// Equality of numbers by value; integers are not rounded on the way.
fn number_eq(left: &serde_json::Number, right: &serde_json::Number) -> bool {
    match (left.as_i64(), right.as_i64(), left.as_u64(), right.as_u64()) {
        (Some(left), Some(right), ..) => left == right,
        (.., Some(left), Some(right)) => left == right,
        _ => left.as_f64() == right.as_f64(),
    }
}
