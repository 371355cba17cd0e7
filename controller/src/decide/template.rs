//! Templates of a provider: text with `{{ path }}`.

use serde_json::Value;

/// Replaces every `{{ path }}` by the value at that dotted path of `context`.
///
/// An unknown path gives an empty string, a value that is no string gives JSON. Text without a closing
/// brace pair is kept as it is.
pub fn render(template: &str, context: &Value) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((path, tail)) = after.split_once("}}") else { break };
        out.push_str(before);
        out.push_str(&lookup(path.trim(), context));
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn lookup(path: &str, context: &Value) -> String {
    let found = path.split('.').try_fold(context, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    });
    match found {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("plain", "plain")]
    #[case("{{ agent.name }}/{{agent.name}}", "demo/demo")]
    #[case("{{ agent.config }}", r#"{"depth":3}"#)]
    #[case("{{ agent.config.depth }}", "3")]
    #[case("<{{ nothing.here }}>", "<>")]
    #[case("{{ open", "{{ open")]
    #[case("{{ agent.name.x }}", "")]
    fn paths_are_replaced_by_values(#[case] template: &str, #[case] expected: &str) {
        let context = json!({"agent": {"name": "demo", "config": {"depth": 3}}});
        assert_eq!(render(template, &context), expected);
    }

    proptest! {
        #[test]
        fn text_without_braces_is_kept(text in "[^{}]{0,40}") {
            prop_assert_eq!(render(&text, &json!({})), text);
        }
    }
}
