//! From [`Node`] trees to typed values, with the place of every complaint.
//!
//! Types derive `Deserialize` as usual (`deny_unknown_fields`, externally tagged enums); a field of type
//! [`Located`] also learns where it was written.

use std::fmt;
use std::ops::Deref;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

use super::node::{Entry, Location, Node, Value};
use crate::diagnostic::Diagnostic;

/// The name by which [`Located`] asks the deserializer for a place.
const LOCATED: &str = "$hallmark::Located";

/// A value that does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong, without a full stop.
    pub message: String,
    /// Where, as soon as it is known.
    pub location: Option<Location>,
}

impl DecodeError {
    /// The complaint as a diagnostic; `fallback` is used where no better place is known.
    pub fn into_diagnostic(self, fallback: &Location) -> Diagnostic {
        Diagnostic::new(self.location.unwrap_or_else(|| fallback.clone()), self.message)
    }

    fn at(mut self, location: &Location) -> Self {
        self.location.get_or_insert_with(|| location.clone());
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), location: None }
    }
}

/// Reads a node as a `T`.
pub fn decode<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, DecodeError> {
    T::deserialize(NodeDeserializer(node)).map_err(|error| error.at(&node.location))
}

/// A value and the node it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub location: Location,
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

impl schemars::JsonSchema for Node {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

thread_local! {
    /// The node that a [`Located`] or a [`Node`] being read stands for. serde offers no other way to pass
    /// a value of a foreign type through its data model; it never outlives one call.
    static CURRENT: std::cell::RefCell<Vec<Node>> = const { std::cell::RefCell::new(Vec::new()) };
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LocatedVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with a place")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Located<T>, D::Error> {
                let node =
                    take_current().ok_or_else(|| D::Error::custom("the place of the value is unknown"))?;
                Ok(Located { value: T::deserialize(inner)?, location: node.location })
            }
        }

        deserializer.deserialize_newtype_struct(LOCATED, LocatedVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with places")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, _inner: D) -> Result<Node, D::Error> {
                take_current().ok_or_else(|| D::Error::custom("the place of the value is unknown"))
            }
        }

        deserializer.deserialize_newtype_struct(LOCATED, NodeVisitor)
    }
}

fn take_current() -> Option<Node> {
    CURRENT.with_borrow_mut(Vec::pop)
}

/// serde's view of a node.
#[derive(Clone, Copy)]
struct NodeDeserializer<'de>(&'de Node);

impl<'de> Deserializer<'de> for NodeDeserializer<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Fields { entries: entries.iter(), current: None }),
        }
        .map_err(|error: DecodeError| error.at(&self.0.location))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if name == LOCATED {
            CURRENT.with_borrow_mut(|stack| stack.push(self.0.clone()));
        }
        visitor.visit_newtype_struct(self).map_err(|error: DecodeError| error.at(&self.0.location))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            Value::String(variant) => visitor
                .visit_enum(Variant { key: variant, key_location: &self.0.location, value: None })
                .map_err(|error| error.at(&self.0.location)),
            Value::Map(entries) => match entries.as_slice() {
                [entry] => visitor
                    .visit_enum(Variant {
                        key: &entry.key,
                        key_location: &entry.key_location,
                        value: Some(&entry.value),
                    })
                    .map_err(|error| error.at(&entry.key_location)),
                _ => Err(DecodeError::custom(format!(
                    "expected one key out of {}, found {}",
                    variants.join(", "),
                    entries.len()
                ))
                .at(entries.get(1).map_or(&self.0.location, |second| &second.key_location))),
            },
            _ => Err(DecodeError::custom(format!(
                "expected a mapping with one key out of {}, found {}",
                variants.join(", "),
                self.0.kind()
            ))
            .at(&self.0.location)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(NodeDeserializer(node)).map(Some).map_err(|error| error.at(&node.location))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Fields<'de> {
    entries: std::slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        self.current = self.entries.next();
        let Some(entry) = self.current else { return Ok(None) };
        let key: StrDeserializer<'_, DecodeError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.at(&entry.key_location))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let entry =
            self.current.ok_or_else(|| DecodeError::custom("a value without its key was asked for"))?;
        seed.deserialize(NodeDeserializer(&entry.value)).map_err(|error| error.at(&entry.value.location))
    }
}

struct Variant<'de> {
    key: &'de str,
    key_location: &'de Location,
    value: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = DecodeError;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), DecodeError> {
        let key: StrDeserializer<'_, DecodeError> = self.key.into_deserializer();
        let variant = seed.deserialize(key).map_err(|error| error.at(self.key_location))?;
        Ok((variant, Content { value: self.value, location: self.key_location }))
    }
}

struct Content<'de> {
    value: Option<&'de Node>,
    location: &'de Location,
}

impl<'de> Content<'de> {
    fn node(&self) -> Result<&'de Node, DecodeError> {
        self.value.ok_or_else(|| DecodeError::custom("a value is missing here").at(self.location))
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        match self.value {
            None => Ok(()),
            Some(node) => match &node.value {
                Value::Null => Ok(()),
                Value::Map(entries) if entries.is_empty() => Ok(()),
                _ => Err(DecodeError::custom("no value is expected here").at(&node.location)),
            },
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        let node = self.node()?;
        seed.deserialize(NodeDeserializer(node)).map_err(|error| error.at(&node.location))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, DecodeError> {
        NodeDeserializer(self.node()?).deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.value {
            Some(node) => NodeDeserializer(node).deserialize_map(visitor),
            // `- restart` is short for `- restart: {}`.
            None => visitor.visit_map(Fields { entries: [].iter(), current: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse_documents};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        name: Located<String>,
        #[serde(default)]
        size: Option<u32>,
        #[serde(default)]
        free: Option<Node>,
        #[serde(default)]
        steps: Vec<Step>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Step {
        Create { file: Located<String> },
        Restart {},
    }

    fn node(text: &str) -> Node {
        parse_documents(&Source::new("t.yaml", text)).expect("valid YAML").remove(0)
    }

    fn complaint(text: &str) -> (String, usize, usize) {
        let node = node(text);
        let error = decode::<Shape>(&node).expect_err("does not fit");
        let location = error.location.expect("a place");
        (error.message, location.span.line, location.span.column)
    }

    #[test]
    fn fields_know_their_places_and_free_values_stay_trees() {
        let node = node(
            "name: x\nfree: {a: [1]}\nsteps:\n  - create: {file: f.yaml}\n  - restart: {}\n  - restart\n",
        );
        let shape: Shape = decode(&node).expect("fits");
        assert_eq!((shape.name.location.span.line, shape.name.location.span.column), (1, 7));
        assert_eq!(shape.free.expect("free").to_json(), serde_json::json!({"a": [1]}));
        assert!(matches!(&shape.steps[0], Step::Create { file } if file.location.span.line == 4));
        assert!(matches!(shape.steps[2], Step::Restart {}) && shape.size.is_none());
    }

    #[test]
    fn an_unknown_field_is_found_at_its_key() {
        let (message, line, column) = complaint("name: x\nsise: 3\n");
        assert!(message.contains("sise") && message.contains("size"), "{message}");
        assert_eq!((line, column), (2, 1));
    }

    #[test]
    fn a_wrong_type_is_found_at_its_value() {
        let (message, line, column) = complaint("name: x\nsize: [3]\n");
        assert!(message.contains("u32"), "{message}");
        assert_eq!((line, column), (2, 7));
    }

    #[test]
    fn a_misspelled_variant_is_found_at_its_key() {
        let (message, line, column) = complaint("name: x\nsteps:\n  - creat: {file: f}\n");
        assert!(message.contains("creat"), "{message}");
        assert_eq!((line, column), (3, 5));
    }

    #[test]
    fn two_keys_in_a_step_are_found_at_the_second() {
        let (_, line, column) = complaint("name: x\nsteps:\n  - create: {file: f}\n    restart: {}\n");
        assert_eq!((line, column), (4, 5));
    }
}
