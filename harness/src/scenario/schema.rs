//! JSON Schemas of the documents, for editors.

use schemars::generate::SchemaSettings;

use super::catalogue::CatalogueDocument;
use super::document::{ScenarioDocument, SuiteDocument};

/// The schema of scenario files (draft 2020-12).
pub fn scenario_schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<ScenarioDocument>().into()
}

/// The schema of `suite.yaml`.
pub fn suite_schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<SuiteDocument>().into()
}

/// The schema of requirement catalogues.
pub fn catalogue_schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<CatalogueDocument>().into()
}
