//! Reading single variables: blank counts as unset, mistakes are collected instead of returned.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::decide::number;

/// One variable that does not obey its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// What the value should have been.
    pub rule: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?}: expected {}", self.variable, self.value, self.rule)
    }
}

/// Reads variables and collects what is wrong with them.
#[derive(Debug, Default)]
pub struct EnvReader {
    variables: BTreeMap<String, String>,
    /// Values that were replaced by their default.
    pub warnings: Vec<Problem>,
    /// Values with which the process must not start.
    pub fatal: Vec<Problem>,
}

impl EnvReader {
    /// A reader over the given variables.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect(), ..Self::default() }
    }

    /// The trimmed value, or `None` when it is absent or blank.
    pub fn text(&self, variable: &str) -> Option<String> {
        let value = self.variables.get(variable)?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// A whole number of at least `minimum`; fractions are floored.
    pub fn integer(&mut self, variable: &'static str, default: i64, minimum: i64) -> i64 {
        let Some(value) = self.text(variable) else { return default };
        match number::parse(&value).map(number::floor) {
            Some(found) if found >= minimum => found,
            _ => {
                self.warn(variable, value, format!("a number of at least {minimum}, using {default}"));
                default
            }
        }
    }

    /// A whole number of seconds of at least `minimum`; fractions are floored.
    pub fn seconds(&mut self, variable: &'static str, default: i64, minimum: i64) -> Duration {
        Duration::from_secs(u64::try_from(self.integer(variable, default, minimum)).unwrap_or_default())
    }

    /// A JSON map from names to numbers of at least 0. Names are trimmed and lower-cased.
    pub fn amounts(&mut self, variable: &'static str) -> BTreeMap<String, i64> {
        let amounts: BTreeMap<String, serde_json::Value> =
            self.json(variable, "a map from names to numbers").unwrap_or_default();
        let mut read = BTreeMap::new();
        for (name, amount) in amounts {
            match number::from_json(&amount).map(number::floor) {
                Some(number) if number >= 0 => {
                    read.insert(name.trim().to_lowercase(), number);
                }
                _ => self.warn(
                    variable,
                    amount.to_string(),
                    format!("a number of at least 0 for {name:?}, ignoring it"),
                ),
            }
        }
        read
    }

    /// A switch such as `1`, `true`, `yes`, `on` or their opposites.
    pub fn switch(&mut self, variable: &'static str, default: bool) -> bool {
        let Some(value) = self.text(variable) else { return default };
        match value.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "y" | "on" => true,
            "0" | "false" | "no" | "n" | "off" => false,
            _ => {
                self.warn(variable, value, format!("true or false, using {default}"));
                default
            }
        }
    }

    /// A JSON array of strings or comma-separated text. Text that looks like JSON and is none is fatal.
    pub fn list(&mut self, variable: &'static str) -> Vec<String> {
        let Some(value) = self.text(variable) else { return Vec::new() };
        let items: Vec<String> = if value.starts_with(['[', '{', '"']) {
            let Ok(items) = serde_json::from_str(&value) else {
                self.refuse(variable, value, "a JSON array of strings or comma-separated text");
                return Vec::new();
            };
            items
        } else {
            value.split(',').map(str::to_owned).collect()
        };
        items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A value written as JSON of the given shape. A mistake leaves the default out.
    pub fn json<T: DeserializeOwned>(&mut self, variable: &'static str, shape: &str) -> Option<T> {
        let value = self.text(variable)?;
        let parsed = serde_json::from_str(&value).ok();
        if parsed.is_none() {
            self.warn(variable, value, format!("{shape} as JSON, ignoring it"));
        }
        parsed
    }

    /// Has a value judged as a whole: the text says why it cannot be used, which is fatal.
    pub fn check(&mut self, variable: &'static str, refused: impl Fn(&str) -> Option<String>) {
        if let Some((value, rule)) =
            self.text(variable).and_then(|value| Some((value.clone(), refused(&value)?)))
        {
            self.refuse(variable, value, &rule);
        }
    }

    fn warn(&mut self, variable: &'static str, value: String, rule: String) {
        self.warnings.push(Problem { variable, value, rule });
    }

    fn refuse(&mut self, variable: &'static str, value: String, rule: &str) {
        self.fatal.push(Problem { variable, value, rule: rule.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn reader(value: &str) -> EnvReader {
        EnvReader::new([("X".to_owned(), value.to_owned())])
    }

    #[rstest]
    #[case("12", 12, 0)]
    #[case(" 1e+06 ", 1_000_000, 0)]
    #[case("2.9", 2, 0)]
    #[case("", 7, 0)]
    #[case("  ", 7, 0)]
    #[case("-1", 7, 1)]
    #[case("3d", 7, 1)]
    #[case("NaN", 7, 1)]
    fn integers_are_floored_and_mistakes_give_the_default_and_one_warning(
        #[case] value: &str,
        #[case] expected: i64,
        #[case] warnings: usize,
    ) {
        let mut reader = reader(value);
        assert_eq!(reader.integer("X", 7, 0), expected);
        assert_eq!(reader.warnings.len(), warnings);
    }

    #[rstest]
    #[case("yes", true)]
    #[case("Off", false)]
    #[case("maybe", true)]
    fn switches_know_the_documented_words(#[case] value: &str, #[case] expected: bool) {
        assert_eq!(reader(value).switch("X", true), expected);
    }

    #[rstest]
    #[case(r#"["a", " b "]"#, &["a", "b"], 0)]
    #[case("a, b,,", &["a", "b"], 0)]
    #[case(r#"["a""#, &[], 1)]
    #[case(r#"{"a": 1}"#, &[], 1)]
    #[case("[1]", &[], 1)]
    fn a_list_that_cannot_be_read_is_fatal(
        #[case] value: &str,
        #[case] expected: &[&str],
        #[case] fatal: usize,
    ) {
        let mut reader = reader(value);
        assert_eq!(reader.list("X"), expected);
        assert_eq!(reader.fatal.len(), fatal);
    }
}
