//! JSON Schemas of the documents, for editors.

use schemars::Schema;
use schemars::transform::transform_subschemas;
use serde_json::{Value, json};

use super::catalogue::CatalogueDocument;
use super::document::{ScenarioDocument, StepDocument, SuiteDocument};
use super::settings::SettingsDocument;
use crate::schema;

/// The schema of scenario files (draft 2020-12).
pub fn scenario_schema() -> Value {
    let mut scenario = schema::of_input::<ScenarioDocument>();
    let steps = schema::settings().with_transform(take_expressions).into_generator();
    let mut steps: Value = steps.into_root_schema_for::<StepDocument>().into();
    // The parts of a step occur nowhere else in a scenario.
    let parts = steps.get_mut("$defs").and_then(Value::as_object_mut).map(std::mem::take);
    if let Some(definitions) = scenario.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.extend(parts.unwrap_or_default());
    }
    for place in [
        "/$defs/Given/properties/values",
        "/$defs/ScenarioSpec/properties/steps/items",
        "/$defs/ScenarioSpec/properties/expect/items",
    ] {
        if let Some(values) = scenario.pointer_mut(place) {
            or_expression(values);
        }
    }
    scenario
}

/// Lets each property also be one `${{ … }}`, which gets its value from the row of the case table before
/// the types are checked.
fn take_expressions(schema: &mut Schema) {
    transform_subschemas(&mut take_expressions, schema);
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(or_expression);
    }
}

fn or_expression(property: &mut Value) {
    let Some(keywords) = property.as_object_mut() else { return };
    let description = keywords.remove("description");
    let plain = std::mem::take(keywords);
    let expression = json!({"type": "string", "pattern": r"^\$\{\{.*\}\}$"});
    keywords.insert("anyOf".to_owned(), json!([plain, expression]));
    keywords.extend(description.map(|text| ("description".to_owned(), text)));
}

/// The schema of `suite.yaml`.
pub fn suite_schema() -> Value {
    schema::of_input::<SuiteDocument>()
}

/// The schema of requirement catalogues.
pub fn catalogue_schema() -> Value {
    schema::of_input::<CatalogueDocument>()
}

/// The schema of a suite's names of settings.
pub fn settings_schema() -> Value {
    schema::of_input::<SettingsDocument>()
}

/// The schema of one step, without the expressions that may stand for parts of it.
pub fn step_schema() -> Value {
    schema::of_input::<StepDocument>()
}
