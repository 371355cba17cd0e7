//! Patterns against objects.

use std::cell::OnceCell;

use serde_json::Value;

use super::pattern::{Keyed, Pattern, Rule, value_eq};
use crate::check::path::{Path, Segment, element_has};
use crate::scenario::expression::{EvaluationError, Expression};

/// One place at which an object is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where.
    pub path: Path,
    /// What was expected there, for people.
    pub expected: String,
    /// What is there: JSON, or `absent`.
    pub actual: String,
}

impl Pattern {
    /// Whether the object is as expected; no paths or texts are made for the answer. The error tells what is wrong
    /// with an expression in the pattern itself: `$not` and `never` would make an answer of it.
    pub fn matches(&self, object: &Value) -> Result<bool, String> {
        let wrong = OnceCell::new();
        let holds = Walk::of(None, &wrong).holds(&self.rule, Some(object));
        wrong.into_inner().map_or(Ok(holds), Err)
    }

    /// Every place at which the object is not as expected, in the order in which they are written.
    pub fn mismatches(&self, object: &Value) -> Vec<Mismatch> {
        let wrong = OnceCell::new();
        let mut walk = Walk::of(Some(Vec::new()), &wrong);
        walk.rule(&self.rule, Some(object));
        walk.found.unwrap_or_default()
    }
}

struct Walk<'a> {
    path: Path,
    /// `None` if only the answer matters.
    found: Option<Vec<Mismatch>>,
    failed: bool,
    /// What is wrong with the first expression that gives no answer.
    wrong: &'a OnceCell<String>,
}

impl<'a> Walk<'a> {
    fn of(found: Option<Vec<Mismatch>>, wrong: &'a OnceCell<String>) -> Self {
        Self { path: Path::root(), found, failed: false, wrong }
    }

    fn rule(&mut self, rule: &Rule, actual: Option<&Value>) {
        if self.failed && self.found.is_none() {
            return;
        }
        match rule {
            Rule::Map(entries) => self.map(rule, entries, actual),
            Rule::Keyed { key, elements } => match actual {
                Some(Value::Array(items)) => {
                    for element in elements {
                        self.keyed(key, element, items);
                    }
                }
                _ => self.mismatch(rule, actual),
            },
            Rule::Ordered(rules) => self.ordered(rule, rules, actual),
            Rule::All(each) => match actual {
                Some(Value::Array(items)) if !items.is_empty() => {
                    for (index, item) in items.iter().enumerate() {
                        self.at(|| Segment::Index(index), |walk| walk.rule(each, Some(item)));
                    }
                }
                _ => self.mismatch(rule, actual),
            },
            Rule::Contains(rules) => match actual {
                Some(Value::Array(items)) => {
                    for wanted in rules {
                        if !items.iter().any(|item| self.holds(wanted, Some(item))) {
                            self.report(|| format!("an element: {wanted}"), actual);
                        }
                    }
                }
                _ => self.mismatch(rule, actual),
            },
            Rule::Json(content) => match actual.and_then(Value::as_str).map(serde_json::from_str::<Value>) {
                Some(Ok(value)) => self.rule(content, Some(&value)),
                _ => self.mismatch(rule, actual),
            },
            Rule::Cel(expression) => match self.cel(expression, actual) {
                Ok(()) => {}
                Err(reason) => self.report(|| format!("{}{reason}", expression.text()), actual),
            },
            _ => {
                if !self.holds_itself(rule, actual) {
                    self.mismatch(rule, actual);
                }
            }
        }
    }

    fn map(&mut self, rule: &Rule, entries: &[(String, Rule)], actual: Option<&Value>) {
        match actual {
            Some(Value::Object(map)) => {
                for (key, rule) in entries {
                    self.at(|| Segment::Field(key.clone()), |walk| walk.rule(rule, map.get(key)));
                }
            }
            None | Some(Value::Null) if !entries.is_empty() => {
                for (key, rule) in entries {
                    self.at(|| Segment::Field(key.clone()), |walk| walk.rule(rule, None));
                }
            }
            _ => self.mismatch(rule, actual),
        }
    }

    fn keyed(&mut self, key: &'static str, element: &Keyed, items: &[Value]) {
        let mut candidates: Vec<&Value> =
            items.iter().filter(|item| element_has(item, key, &element.value)).collect();
        if candidates.len() > 1 {
            let narrower: Vec<&Value> = candidates
                .iter()
                .copied()
                .filter(|item| {
                    element
                        .narrowing
                        .iter()
                        .all(|(field, value)| item.get(field).is_some_and(|actual| value_eq(actual, value)))
                })
                .collect();
            if !narrower.is_empty() {
                candidates = narrower;
            }
        }
        self.at(
            || Segment::Element { key, value: element.value.clone() },
            |walk| {
                if candidates.is_empty() {
                    walk.mismatch(&element.rule, None);
                }
                for candidate in candidates {
                    walk.rule(&element.rule, Some(candidate));
                }
            },
        );
    }

    fn ordered(&mut self, rule: &Rule, rules: &[Rule], actual: Option<&Value>) {
        let Some(Value::Array(items)) = actual else {
            self.mismatch(rule, actual);
            return;
        };
        for (index, rule) in rules.iter().enumerate() {
            self.at(
                || Segment::Index(index),
                |walk| match items.get(index) {
                    Some(item) => walk.rule(rule, Some(item)),
                    None => walk.mismatch(rule, None),
                },
            );
        }
        for (index, item) in items.iter().enumerate().skip(rules.len()) {
            self.at(|| Segment::Index(index), |walk| walk.report(|| "absent".to_owned(), Some(item)));
        }
    }

    fn at(&mut self, segment: impl FnOnce() -> Segment, go: impl FnOnce(&mut Self)) {
        if self.found.is_none() {
            go(self);
            return;
        }
        self.path.push(segment());
        go(self);
        self.path.pop();
    }

    fn mismatch(&mut self, rule: &Rule, actual: Option<&Value>) {
        self.report(|| rule.to_string(), actual);
    }

    fn report(&mut self, expected: impl FnOnce() -> String, actual: Option<&Value>) {
        self.failed = true;
        if let Some(found) = &mut self.found {
            found.push(Mismatch {
                path: self.path.clone(),
                expected: expected(),
                actual: actual.map_or_else(|| "absent".to_owned(), Value::to_string),
            });
        }
    }

    fn holds(&self, rule: &Rule, actual: Option<&Value>) -> bool {
        let mut walk = Walk::of(None, self.wrong);
        walk.rule(rule, actual);
        !walk.failed
    }

    /// Rules whose failure is one mismatch at the place itself.
    fn holds_itself(&self, rule: &Rule, actual: Option<&Value>) -> bool {
        let present = actual.filter(|value| !value.is_null());
        let items = || present.and_then(Value::as_array).map(Vec::as_slice);
        let count =
            |items: &[Value], of: &Rule| items.iter().filter(|item| self.holds(of, Some(item))).count();
        match rule {
            Rule::Scalar(expected) => actual.is_some_and(|actual| value_eq(expected, actual)),
            Rule::Equals(expected) => match actual {
                Some(actual) => value_eq(expected, actual),
                None => expected.is_null(),
            },
            Rule::Absent => present.is_none(),
            Rule::Present => present.is_some(),
            Rule::Not(rule) => !self.holds(rule, actual),
            Rule::Matches(regex) => present.and_then(Value::as_str).is_some_and(|text| regex.is_match(text)),
            Rule::Any(of) => items().is_some_and(|items| count(items, of) > 0),
            Rule::None(of) => present.is_none() || items().is_some_and(|items| count(items, of) == 0),
            Rule::Exactly(wanted, of) => match items() {
                Some(items) => u64::try_from(count(items, of)).is_ok_and(|count| count == *wanted),
                None => *wanted == 0 && present.is_none(),
            },
            Rule::Length(wanted) => match present {
                None => *wanted == 0,
                Some(value) => length(value).and_then(|length| u64::try_from(length).ok()) == Some(*wanted),
            },
            Rule::OneOf(rules) => rules.iter().any(|rule| self.holds(rule, actual)),
            Rule::Map(_)
            | Rule::Keyed { .. }
            | Rule::Ordered(_)
            | Rule::All(_)
            | Rule::Contains(_)
            | Rule::Json(_)
            | Rule::Cel(_) => self.holds(rule, actual),
        }
    }

    /// Whether the expression is `true` of the value, else why not, as an addition to its text.
    fn cel(&self, expression: &Expression, actual: Option<&Value>) -> Result<(), String> {
        let Some(actual) = actual else { return Err(String::new()) };
        let (reason, wrong) = match expression.evaluate(&[("self", actual)]) {
            Ok(Value::Bool(true)) => return Ok(()),
            Ok(Value::Bool(false)) => return Err(String::new()),
            Err(error @ EvaluationError::Data { .. }) => return Err(format!(" ({error})")),
            Ok(other) => (format!("is {other}"), format!("is {other}, not true or false")),
            Err(error) => (error.to_string(), error.to_string()),
        };
        self.wrong.get_or_init(|| format!("{}: `{}`: {wrong}", expression.location(), expression.text()));
        Err(format!(" ({reason})"))
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::Object(map) => Some(map.len()),
        Value::String(text) => Some(text.chars().count()),
        _ => None,
    }
}
