//! Where in an object something is.

use std::fmt;

use serde_json::Value;

/// A way from the root of an object to a value in it, which need not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Segment>);

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The value of a mapping under this key.
    Field(String),
    /// The element of a list at this place, from 0.
    Index(usize),
    /// The element of a list whose field `key` has this value.
    Element {
        /// Name of the field that tells elements apart.
        key: &'static str,
        /// Its value: a text as it is, anything else as JSON.
        value: String,
    },
}

impl Path {
    /// The root.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path through these fields of mappings.
    pub fn of_fields<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> Self {
        Self(fields.into_iter().map(|field| Segment::Field(field.as_ref().to_owned())).collect())
    }

    /// Goes one step down.
    pub fn push(&mut self, segment: Segment) {
        self.0.push(segment);
    }

    /// Goes back up by one step.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// The steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The value at this path, if there is one.
    pub fn resolve<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, segment| match segment {
            Segment::Field(name) => value.get(name),
            Segment::Index(index) => value.get(index),
            Segment::Element { key, value: wanted } => {
                value.as_array()?.iter().find(|item| element_has(item, key, wanted))
            }
        })
    }
}

/// Whether a list element is the one that a [`Segment::Element`] names.
pub(super) fn element_has(item: &Value, key: &str, wanted: &str) -> bool {
    item.get(key).and_then(scalar_text).is_some_and(|text| text == wanted)
}

/// A scalar in a path: strings without quotes, other scalars as JSON.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(the whole value)");
        }
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if is_plain(name) => {
                    let dot = if depth == 0 { "" } else { "." };
                    write!(f, "{dot}{name}")?;
                }
                Segment::Field(name) => write!(f, "[{name:?}]")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Element { key, value } => write!(f, "[{key}={value}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn env_path() -> Path {
        let mut path = Path::of_fields(["spec", "containers"]);
        path.push(Segment::Element { key: "name", value: "agent-runner".into() });
        path.push(Segment::Field("env".into()));
        path.push(Segment::Index(1));
        path
    }

    #[test]
    fn elements_are_shown_by_their_key() {
        assert_eq!(env_path().to_string(), "spec.containers[name=agent-runner].env[1]");
    }

    #[test]
    fn names_with_dots_are_quoted() {
        let path = Path::of_fields(["metadata", "labels", "agents.x/y"]);
        assert_eq!(path.to_string(), r#"metadata.labels["agents.x/y"]"#);
    }

    #[test]
    fn elements_are_found_by_their_key() {
        let object =
            json!({"spec": {"containers": [{"name": "a"}, {"name": "agent-runner", "env": [1, 2]}]}});
        assert_eq!(env_path().resolve(&object), Some(&json!(2)));
    }
}
