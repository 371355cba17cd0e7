//! `hallmark schema`.

use super::args::SchemaOf;
use super::console::Console;
use crate::exit;
use crate::record::record_schema;
use crate::report::cases_schema;
use crate::scenario::schema::{catalogue_schema, scenario_schema, settings_schema, suite_schema};
use crate::subject::implementation::json_schema;

pub(super) fn schema(document: SchemaOf, console: Console) -> u8 {
    let schema = match document {
        SchemaOf::Scenario => scenario_schema(),
        SchemaOf::Suite => suite_schema(),
        SchemaOf::Catalogue => catalogue_schema(),
        SchemaOf::Settings => settings_schema(),
        SchemaOf::Implementation => json_schema(),
        SchemaOf::Record => record_schema(),
        SchemaOf::Cases => cases_schema(),
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(text) => {
            Console::data(&text);
            exit::CONFORMANT
        }
        Err(error) => {
            console.error(&error);
            exit::INCONCLUSIVE
        }
    }
}
