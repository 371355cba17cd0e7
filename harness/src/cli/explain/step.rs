//! What a word means that stands for a step in scenarios: what the schema says about it.

use serde_json::Value;

use crate::scenario::schema::step_schema;

/// Columns of the names of parts, below the word itself.
const WIDTH: usize = 24;

/// What the step does or claims, and its parts; `None` if there is no such step.
pub(super) fn text(word: &str) -> Option<String> {
    let schema = step_schema();
    let variants = schema.get("oneOf").and_then(Value::as_array)?;
    let variant = variants.iter().find(|variant| part(variant, word).is_some())?;
    let mut lines = vec![format!("{word} (a step)"), format!("  {}", description(variant, &schema)?)];
    let parts = parts(part(variant, word)?, &schema, 0, &mut Vec::new());
    if !parts.is_empty() {
        lines.push(String::new());
        lines.extend(parts);
    }
    Some(lines.join("\n"))
}

fn part<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.get("properties")?.get(name)
}

/// A line for each part of an object, with the parts of these below. What is within itself is told once.
fn parts<'a>(object: &'a Value, schema: &'a Value, depth: usize, within: &mut Vec<&'a Value>) -> Vec<String> {
    let object = plain(object, schema);
    let Some(properties) = object.get("properties").and_then(Value::as_object) else { return Vec::new() };
    if within.contains(&object) {
        return Vec::new();
    }
    within.push(object);
    let required: Vec<&str> = object
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut lines = Vec::new();
    for (name, property) in properties {
        let indent = " ".repeat(2 + 2 * depth);
        let is_required = if required.contains(&name.as_str()) { " (required)" } else { "" };
        let width = WIDTH.saturating_sub(indent.len());
        let text = description(property, schema).unwrap_or_default();
        lines
            .push(format!("{indent}{:<width$} {text}", format!("{name}{is_required}")).trim_end().to_owned());
        lines.extend(parts(property, schema, depth + 1, within));
    }
    within.pop();
    lines
}

/// What is said about a value at its place, or else about its type, in one line.
fn description(value: &Value, schema: &Value) -> Option<String> {
    let own = value.get("description").or_else(|| plain(value, schema).get("description"));
    Some(own?.as_str()?.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The object, or that of which it is a list, that it may be or that it refers to.
fn plain<'a>(value: &'a Value, schema: &'a Value) -> &'a Value {
    let is_null = |choice: &&Value| choice.get("type").and_then(Value::as_str) == Some("null");
    let of_choices = |choices: &'a Value| choices.as_array()?.iter().find(|choice| !is_null(choice));
    let referred = value.get("$ref").and_then(Value::as_str);
    let referred = referred.and_then(|reference| schema.pointer(reference.trim_start_matches('#')));
    let next = referred.or_else(|| value.get("anyOf").and_then(of_choices)).or_else(|| value.get("items"));
    next.map_or(value, |next| plain(next, schema))
}

#[cfg(test)]
mod tests {
    use super::{step_schema, text};

    fn words() -> Vec<String> {
        let schema = step_schema();
        let variants = schema["oneOf"].as_array().unwrap().clone();
        let names =
            variants.iter().filter_map(|it| it["properties"].as_object().map(|all| all.keys().cloned()));
        names.flatten().collect()
    }

    #[test]
    fn every_step_is_told_with_what_it_does_and_each_of_its_parts() {
        let words = words();
        assert!(words.len() > 35, "{words:?}");
        for word in words {
            let text = text(&word).unwrap_or_else(|| panic!("{word} is not explained"));
            let mut lines = text.lines();
            assert_eq!(lines.next(), Some(format!("{word} (a step)").as_str()));
            for line in lines.filter(|line| !line.is_empty()) {
                assert!(line.ends_with('.'), "{word} has a part without a description: {line}");
            }
        }
    }

    #[test]
    fn parts_of_parts_stand_below_them() {
        let text = text("eventually").unwrap();
        assert!(text.contains("\n  within                 For `eventually`: how long to wait"), "{text}");
        assert!(
            text.contains("\n  resource               Objects of any kind.\n    apiVersion (required)"),
            "{text}"
        );
    }

    #[test]
    fn steps_that_stand_in_a_list_are_told_like_one() {
        assert!(text("sequence").unwrap().contains("\n  within"));
    }

    #[test]
    fn what_is_no_step_is_not_told() {
        assert_eq!(text("evenutally"), None);
    }
}
