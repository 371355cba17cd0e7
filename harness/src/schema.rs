//! JSON Schemas (draft 2020-12) of the documents that the harness reads and writes, made from their types.
//!
//! Editors show their descriptions, and the tables in `docs` are made from them.

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// How every schema is made.
pub fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with_transform(describe_keys)
}

/// The schema of a document that is read.
pub fn of_input<T: JsonSchema>() -> Value {
    settings().into_generator().into_root_schema_for::<T>().into()
}

/// The schema of something that is written.
pub fn of_output<T: JsonSchema>() -> Value {
    settings().for_serialize().into_generator().into_root_schema_for::<T>().into()
}

/// Says of the key of an alternative what is said of the alternative: editors look at keys.
fn describe_keys(schema: &mut Schema) {
    transform_subschemas(&mut describe_keys, schema);
    let Some(description) = schema.get("description").cloned() else { return };
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    if properties.len() > 1 {
        return;
    }
    for property in properties.values_mut().filter_map(Value::as_object_mut) {
        property.entry("description").or_insert_with(|| description.clone());
    }
}
