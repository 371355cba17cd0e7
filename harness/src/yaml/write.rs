//! From values to YAML text, for reports and golden files.

/// The value as YAML, keys in the order in which the value holds them, ending in a line break.
pub fn to_yaml(value: &serde_json::Value) -> String {
    serde_saphyr::to_string(value).unwrap_or_else(|error| format!("# not representable: {error}\n"))
}

#[cfg(test)]
mod tests {
    use super::to_yaml;
    use crate::yaml::{Source, parse_documents};

    #[test]
    fn what_is_written_reads_back_as_the_same_value() {
        let value = serde_json::json!({
            "text": "yes", "octal": "012", "lines": "a\nb\n", "template": "${{ objects.run.metadata.uid }}",
            "list": [1, -2.5, null, true, {"k": []}], "empty": {}, "json": "{\"a\":1}",
        });
        let source = Source::new("out.yaml", to_yaml(&value));
        let documents = parse_documents(&source).expect("own output parses");
        assert_eq!(documents[0].to_json(), value);
    }
}
