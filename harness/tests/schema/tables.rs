//! The tables of fields in the documents are made from the JSON Schemas.
//!
//! A table stands between `<!-- table: NAME; … -->` and `<!-- end of table -->`. `NAME` is a definition of a schema, or
//! `steps`, `step fields` and `operators`, which are made from the steps of a scenario. Other text stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{each_definition, schemas};

const UPDATE: &str = "UPDATE_TABLES=1 cargo test -p hallmark --test schema";
const BEGIN: &str = "<!-- table: ";
const HEAD: &str = "| field | value | meaning |\n| --- | --- | --- |\n";
const END: &str = "<!-- end of table -->\n";
/// The definition that the steps of a scenario have, which are too many for one table.
const STEP: &str = "StepDocument";
/// What a step that is a claim holds.
const CLAIM: &str = "ClaimDocument";
/// Written as seconds and nanoseconds; the documents say so once.
const DURATION: &str = "Duration";

/// Documents, and the schemas whose definitions they show.
const DOCUMENTS: [(&str, &[&str]); 3] = [
    ("scenarios.md", &["scenario", "suite", "catalogue", "settings"]),
    ("implementation.md", &["implementation"]),
    ("record.md", &["record", "cases"]),
];

fn path(document: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document)
}

/// The definitions of some schemas, by name. Parts that several of them have are the same.
struct Definitions(BTreeMap<String, Value>);

impl Definitions {
    fn of(names: &[&str]) -> Self {
        let (schemas, mut all) = (schemas(), BTreeMap::new());
        for schema in names.iter().map(|name| &schemas[name]) {
            each_definition(schema, |name, definition| {
                all.entry(name.to_owned()).or_insert_with(|| definition.clone());
            });
        }
        Self(all)
    }

    fn referred<'a>(&'a self, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
        let name = schema.get("$ref")?.as_str()?.rsplit('/').next()?;
        Some((name, &self.0[name]))
    }

    /// Whether a definition has fields or alternatives that only a table of its own shows.
    fn needs_table(&self, name: &str) -> bool {
        let definition = &self.0[name];
        name != STEP
            && name != DURATION
            && (!fields(definition).is_empty()
                || (alternatives(definition).next().is_some() && words(definition).is_empty()))
    }

    /// What is written at a place, in few words.
    fn value(&self, schema: &Value) -> String {
        let schema = plain(schema);
        if let Some((name, definition)) = self.referred(schema) {
            let words = words(definition);
            return match name {
                DURATION => "duration".to_owned(),
                STEP => "step".to_owned(),
                _ if !words.is_empty() => code(&words),
                _ if self.needs_table(name) => format!("[mapping](#{})", anchor(name)),
                _ => "`{}`".to_owned(),
            };
        }
        match kind(schema) {
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "number" => "number".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "array" => {
                format!("list of: {}", schema.get("items").map_or("anything".to_owned(), |of| self.value(of)))
            }
            "object" => match schema.get("additionalProperties") {
                Some(of) if of.is_object() => format!("mapping to: {}", self.value(of)),
                _ if !fields(schema).is_empty() => "mapping".to_owned(),
                _ if schema.get("additionalProperties") == Some(&Value::Bool(false)) => "`{}`".to_owned(),
                _ => "mapping".to_owned(),
            },
            _ => "anything".to_owned(),
        }
    }

    /// What a field means, and each of the words that it takes.
    fn meaning(&self, schema: &Value) -> String {
        let mut text = description(schema);
        if let Some((_, definition)) = self.referred(item(plain(schema))) {
            for (word, meaning) in words(definition).into_iter().filter(|(_, meaning)| !meaning.is_empty()) {
                let _ = write!(text, "<br>`{word}`: {meaning}");
            }
        }
        if let Some(word) =
            schema.get("default").and_then(Value::as_str).filter(|word| !["", "."].contains(word))
        {
            let _ = write!(text, "<br>Unless told: `{word}`.");
        }
        text
    }

    fn row(&self, name: &str, required: bool, schema: &Value) -> String {
        let mark = if required { " *" } else { "" };
        // What may be left out may be null, too; of what is always there it has to be said.
        let null = if required && may_be_null(schema) { ", or null" } else { "" };
        format!("| `{name}`{mark} | {}{null} | {} |\n", self.value(schema), cell(&self.meaning(schema)))
    }

    /// The fields of a definition; of one with alternatives these, with the fields that stand in them.
    fn table(&self, name: &str) -> String {
        let definition = &self.0[name];
        let mut text = format!("<a id=\"{}\"></a>\n\n*{}*\n\n{HEAD}", anchor(name), description(definition));
        for (field, schema) in fields(definition) {
            text += &self.row(field, is_required(definition, field), schema);
        }
        for alternative in alternatives(definition) {
            // The first row says what is said of the alternative as a whole.
            let mut meaning = description(alternative);
            for (word, _) in words(alternative) {
                let _ = writeln!(text, "| `{word}` | the word alone | {} |", cell(&meaning));
            }
            for (field, schema) in fields(alternative) {
                let own = description(schema);
                let whole = std::mem::take(&mut meaning);
                let meaning = if whole == own { own } else { format!("{whole} {own}") };
                let _ = writeln!(text, "| `{field}` | {} | {} |", self.value(schema), cell(meaning.trim()));
                for (inner, part) in fields(plain(schema)) {
                    text += &self.row(&format!("{field}.{inner}"), is_required(plain(schema), inner), part);
                }
            }
        }
        text
    }

    /// The kinds of steps, with what each holds; those that are claims, or those that act.
    fn steps(&self, claims: bool) -> Vec<(&str, &Value, &Value)> {
        let steps = alternatives(&self.0[STEP]).flat_map(|step| {
            let content = fields(step);
            content.into_iter().map(move |(name, content)| (name, step, content))
        });
        let is_claim =
            |content: &Value| self.referred(item(plain(content))).is_some_and(|(name, _)| name == CLAIM);
        steps.filter(|(_, _, content)| is_claim(content) == claims).collect()
    }

    /// Whether the table of the fields of steps shows a definition.
    fn is_step(&self, name: &str) -> bool {
        let is_it = |content| self.referred(plain(content)).is_some_and(|(content, _)| content == name);
        self.0.contains_key(STEP) && self.steps(false).into_iter().any(|(_, _, content)| is_it(content))
    }

    /// What holds the fields of a step.
    fn content<'a>(&'a self, content: &'a Value) -> &'a Value {
        let content = plain(content);
        self.referred(content).map_or(content, |(_, definition)| definition)
    }

    fn summary(&self) -> String {
        let mut text = "| step | fields | what it does |\n| --- | --- | --- |\n".to_owned();
        for (name, step, content) in self.steps(false) {
            let content = self.content(content);
            let names = fields(content).into_iter().map(|(field, _)| {
                let mark = if is_required(content, field) { " *" } else { "" };
                format!("`{field}`{mark}")
            });
            let names: Vec<_> = names.collect();
            let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
            let _ = writeln!(text, "| `{name}` | {names} | {} |", cell(&description(step)));
        }
        text
    }

    fn step_fields(&self) -> String {
        let mut text = "| step | field | value | meaning |\n| --- | --- | --- | --- |\n".to_owned();
        for (name, _, content) in self.steps(false) {
            let content = self.content(content);
            for (field, schema) in fields(content) {
                let row = self.row(field, is_required(content, field), schema);
                let _ = write!(text, "| `{name}` {row}");
            }
        }
        text
    }

    fn operators(&self) -> String {
        let mut text = "| operator | value | holds if |\n| --- | --- | --- |\n".to_owned();
        for (name, step, content) in self.steps(true) {
            let _ = writeln!(text, "| `{name}` | {} | {} |", self.value(content), cell(&description(step)));
        }
        text
    }

    fn named(&self, name: &str) -> String {
        match name {
            "steps" => self.summary(),
            "step fields" => self.step_fields(),
            "operators" => self.operators(),
            _ => self.table(name),
        }
    }

    /// A document with the tables as they have to be.
    fn document(&self, text: &str) -> String {
        let mut parts = text.split(BEGIN);
        let mut made = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once(';').unwrap();
            let (_, after) = rest.split_once(END).unwrap();
            let _ = write!(made, "{BEGIN}{name}; {UPDATE} -->\n\n{}\n{END}{after}", self.named(name));
        }
        made
    }
}

/// A schema without the alternatives that say nothing about its type: `null`, and an expression in its place.
fn plain(schema: &Value) -> &Value {
    let is_filler = |it: &&Value| it["type"] == "null" || it["pattern"] == r"^\$\{\{.*\}\}$";
    match schema
        .get("anyOf")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter(|it| !is_filler(it)).collect::<Vec<_>>())
    {
        Some(rest) if rest.len() == 1 => plain(rest[0]),
        _ => schema,
    }
}

fn may_be_null(schema: &Value) -> bool {
    let alternatives = schema["anyOf"].as_array().into_iter().flatten().map(|it| &it["type"]);
    let types = schema["type"].as_array().into_iter().flatten();
    alternatives.chain(types).any(|it| it == "null")
}

/// The elements of a list, or the schema itself.
fn item(schema: &Value) -> &Value {
    schema.get("items").map_or(schema, plain)
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(name) => name,
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        _ => "",
    }
}

fn fields(schema: &Value) -> Vec<(&str, &Value)> {
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter);
    fields.map(|(name, schema)| (name.as_str(), schema)).collect()
}

fn is_required(schema: &Value, field: &str) -> bool {
    schema
        .get("required")
        .and_then(Value::as_array)
        .is_some_and(|names| names.iter().any(|name| name == field))
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

/// The words that a text may be, each with its meaning; empty if it is anything else.
fn words(schema: &Value) -> Vec<(&str, String)> {
    let alone = schema.get("const").and_then(Value::as_str).map(|word| (word, description(schema)));
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut words: Vec<_> = listed.map(|word| (word, String::new())).chain(alone).collect();
    for alternative in alternatives(schema) {
        let more = self::words(alternative);
        if more.is_empty() {
            return more;
        }
        words.extend(more);
    }
    words
}

fn code(words: &[(&str, String)]) -> String {
    words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn description(schema: &Value) -> String {
    schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Where a link to the table of a definition leads.
fn anchor(name: &str) -> String {
    format!("fields-of-{}", name.to_lowercase())
}

#[test]
fn every_table_of_a_document_is_that_of_the_schema() {
    for (name, schemas) in DOCUMENTS {
        let written = std::fs::read_to_string(path(name)).unwrap();
        let current = Definitions::of(schemas).document(&written);
        if std::env::var_os("UPDATE_TABLES").is_some() {
            std::fs::write(path(name), &current).unwrap();
        } else {
            assert!(written == current, "{name} is not current; {UPDATE} writes its tables anew");
        }
    }
}

#[test]
fn every_definition_has_a_table_and_every_link_leads_to_one() {
    for (document, schemas) in DOCUMENTS {
        let definitions = Definitions::of(schemas);
        let text = std::fs::read_to_string(path(document)).unwrap();
        let begins = |name: &str| text.contains(&format!("{BEGIN}{name};"));
        let shown: BTreeSet<&str> =
            definitions.0.keys().map(String::as_str).filter(|name| begins(name)).collect();
        let needed = definitions.0.keys().map(String::as_str).filter(|name| definitions.needs_table(name));
        let missing: Vec<_> =
            needed.filter(|name| !shown.contains(name) && !definitions.is_step(name)).collect();
        assert!(missing.is_empty(), "{document} has no table of {missing:?}");
        for link in text.split("](#fields-of-").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            assert!(
                text.contains(&format!("<a id=\"fields-of-{link}\"></a>")),
                "{document}: #fields-of-{link}"
            );
        }
    }
    let scenarios = std::fs::read_to_string(path("scenarios.md")).unwrap();
    for name in ["steps", "step fields", "operators"] {
        assert!(scenarios.contains(&format!("{BEGIN}{name};")), "scenarios.md has no table of {name}");
    }
}

/// A renamed step, a new field and another meaning change the tables.
#[test]
fn a_change_of_a_schema_changes_its_table() {
    let mut definitions = Definitions::of(&["scenario"]);
    let before = (definitions.summary(), definitions.step_fields());
    assert!(before.0.contains("| `wait` | `for` *, `because` * | Lets time pass"), "{}", before.0);
    assert!(before.1.contains("| `wait` | `for` * | text | How long. |"), "{}", before.1);
    let wait = definitions.0.get_mut("WaitDocument").unwrap();
    wait["properties"]["new"] = serde_json::json!({"type": ["integer", "null"], "description": "A|B"});
    assert!(definitions.summary().contains("| `wait` | `for` *, `because` *, `new` |"));
    assert!(definitions.step_fields().contains("| `wait` | `new` | whole number | A\\|B |"));
}
