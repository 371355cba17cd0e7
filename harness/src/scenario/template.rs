//! `${{ … }}` in scenarios, fixtures and golden files.
//!
//! The text between the braces is a CEL expression. `case`, and `index` where objects are numbered, are
//! known when a scenario is read and are put in at once; `namespace` and `objects` are known only while the scenario runs, so a text that mentions one
//! of them is left as it is until then. A scalar that is nothing but one expression takes its value and
//! type; an expression inside a longer text is written into it.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::expression::Expression;
use crate::diagnostic::Diagnostic;
use crate::yaml::{Entry, Location, Node, Span, Value};

/// Every name that an expression may use.
pub const NAMES: &[&str] = &["case", "namespace", "objects"];

/// The names that are known so far, with their values.
pub type Variables<'a> = &'a [(&'a str, &'a Json)];

/// Replaces every expression whose names are all known; collects what is wrong with the others.
pub fn expand(node: &Node, variables: Variables<'_>, problems: &mut Vec<Diagnostic>) -> Node {
    let value = match &node.value {
        Value::String(text) => match expand_text(text, &node.location, variables) {
            Ok(Some(value)) => return Node::from_json(&value, &node.location),
            Ok(None) => node.value.clone(),
            Err(problem) => {
                problems.push(*problem);
                node.value.clone()
            }
        },
        Value::List(items) => {
            Value::List(items.iter().map(|item| expand(item, variables, problems)).collect())
        }
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|entry| Entry {
                    key: entry.key.clone(),
                    key_location: entry.key_location.clone(),
                    value: expand(&entry.value, variables, problems),
                })
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => node.value.clone(),
    };
    Node { value, location: node.location.clone() }
}

/// Whether the tree holds an expression that is still to be put in.
pub fn has_expression(node: &Node) -> bool {
    match &node.value {
        Value::String(text) => text.contains("${{"),
        Value::List(items) => items.iter().any(has_expression),
        Value::Map(entries) => entries.iter().any(|entry| has_expression(&entry.value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Adds the aliases that expressions in the tree read as `objects.<alias>` to `aliases`.
pub fn aliases_read(node: &Node, aliases: &mut BTreeSet<String>) {
    match &node.value {
        Value::String(text) => {
            // What is no expression was reported when the scenario was read.
            for piece in split(text, &node.location).unwrap_or_default() {
                if let Piece::Expression(source) = piece
                    && let Ok(expression) = Expression::compile(source.trim(), &node.location)
                {
                    aliases.extend(expression.aliases_read());
                }
            }
        }
        Value::List(items) => items.iter().for_each(|item| aliases_read(item, aliases)),
        Value::Map(entries) => entries.iter().for_each(|entry| aliases_read(&entry.value, aliases)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The value of a text, or nothing if it has no expression whose names are all known.
fn expand_text(text: &str, at: &Location, variables: Variables<'_>) -> Result<Option<Json>, Box<Diagnostic>> {
    let pieces = split(text, at)?;
    let [first, ..] = pieces.as_slice() else { return Ok(None) };
    if let (Piece::Expression(source), 1) = (first, pieces.len()) {
        return evaluate(source, at, variables);
    }
    let mut written = String::new();
    let mut replaced = false;
    for piece in &pieces {
        match piece {
            Piece::Text(text) => written.push_str(text),
            Piece::Expression(source) => match evaluate(source, at, variables)? {
                Some(Json::String(value)) => {
                    replaced = true;
                    written.push_str(&value);
                }
                Some(value) => {
                    replaced = true;
                    written.push_str(&value.to_string());
                }
                None => {
                    written.push_str("${{");
                    written.push_str(source);
                    written.push_str("}}");
                }
            },
        }
    }
    Ok(replaced.then_some(Json::String(written)))
}

enum Piece<'a> {
    Text(&'a str),
    Expression(&'a str),
}

fn split<'a>(text: &'a str, at: &Location) -> Result<Vec<Piece<'a>>, Box<Diagnostic>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("${{") {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let Some((source, after)) = tail.split_once("}}") else {
            return Err(Box::new(
                Diagnostic::new(at.clone(), "`${{` without `}}`")
                    .with_help("close the expression: `${{ case.name }}`"),
            ));
        };
        pieces.push(Piece::Expression(source));
        rest = after;
    }
    if !rest.is_empty() && !pieces.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

fn evaluate(source: &str, at: &Location, variables: Variables<'_>) -> Result<Option<Json>, Box<Diagnostic>> {
    let at = place_of(source, at);
    let expression = Expression::compile(source.trim(), &at).map_err(Box::new)?;
    let names = expression.variables();
    let known = |name: &str| NAMES.contains(&name) || variables.iter().any(|(known, _)| *known == name);
    if let Some(name) = names.iter().find(|name| !known(name)) {
        return Err(Box::new(
            Diagnostic::new(at, format!("unknown name `{name}` in a template"))
                .with_help(format!("known are {}", NAMES.join(", "))),
        ));
    }
    if names.iter().any(|name| variables.iter().all(|(known, _)| known != name)) {
        return Ok(None);
    }
    match expression.evaluate(variables) {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(Box::new(Diagnostic::new(at, format!("`{}`: {error}", source.trim())))),
    }
}

/// Narrows the place of a text to the expression inside it, where the text stands literally in the file.
fn place_of(source: &str, at: &Location) -> Location {
    let span = at.span;
    let written = at.source.text().get(span.offset..span.offset + span.len).unwrap_or_default();
    let needle = source.trim();
    match written.find(needle) {
        Some(inner) if !written.get(..inner).unwrap_or_default().contains('\n') => Location {
            source: at.source.clone(),
            span: Span {
                line: span.line,
                column: span.column + inner,
                offset: span.offset + inner,
                len: needle.len(),
            },
        },
        _ => at.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse_documents};

    fn expanded(text: &str, case: &Json) -> (Json, Vec<Diagnostic>) {
        let node = parse_documents(&Source::new("t.yaml", text)).expect("YAML").remove(0);
        let mut problems = Vec::new();
        let node = expand(&node, &[("case", case)], &mut problems);
        (node.to_json(), problems)
    }

    #[test]
    fn a_lone_expression_keeps_its_type_and_others_become_text() {
        let (value, problems) = expanded(
            "a: ${{ case.n }}\nb: n=${{ case.n }}!\nc: ${{ case.n + 1 }}\nd: ${{ case.absent }}\n",
            &serde_json::json!({"n": 5, "absent": {"$absent": true}}),
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(value, serde_json::json!({"a": 5, "b": "n=5!", "c": 6, "d": {"$absent": true}}));
    }

    #[test]
    fn aliases_are_found_wherever_expressions_stand() {
        let text = "a: [{b: \"x ${{ objects.run.metadata.uid }} ${{ case.n }}\"}]\nc: ${{ objects.job }}\nd: objects.none\n";
        let node = parse_documents(&Source::new("t.yaml", text)).expect("YAML").remove(0);
        let mut aliases = BTreeSet::new();
        aliases_read(&node, &mut aliases);
        assert_eq!(aliases.into_iter().collect::<Vec<_>>(), ["job", "run"]);
    }

    #[test]
    fn names_of_the_running_scenario_wait() {
        let text = "uid: ${{ objects.run.metadata.uid }}\nmixed: ${{ case.n }}-${{ namespace }}\n";
        let (value, problems) = expanded(text, &serde_json::json!({"n": 5}));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            value,
            serde_json::json!({"uid": "${{ objects.run.metadata.uid }}", "mixed": "5-${{ namespace }}"})
        );
    }

    #[test]
    fn what_a_case_does_not_have_is_found_where_it_is_used() {
        let (_, problems) = expanded("a: 1\nb: ${{ case.missing }}\n", &serde_json::json!({"n": 5}));
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].location.span.line, problems[0].location.span.column), (2, 8));
    }

    #[test]
    fn unknown_names_and_open_braces_are_found() {
        let (_, problems) = expanded("a: ${{ cas.n }}\nb: ${{ case.n\n", &serde_json::json!({"n": 5}));
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["unknown name `cas` in a template", "`${{` without `}}`"]);
    }
}
