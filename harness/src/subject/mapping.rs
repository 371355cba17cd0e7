//! From settings by values key to environment variables, for implementations without a chart.
//!
//! Pure. A key that nobody named is found before anything is started, see [`Mapping::misfits`]; what a
//! chart makes of its values is the chart's business.

use std::collections::BTreeMap;

use serde_json::Value;

use super::implementation::{Prefix, Settings};
use crate::scenario::settings::{ListEncoding, SettingNames};
use crate::yaml::{self, Location, Node};

/// How an implementation names the settings of a suite.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapping {
    names: SettingNames,
    keys: BTreeMap<String, Variable>,
    prefix: Option<Prefix>,
    unsupported: Vec<String>,
}

/// The variables that take the value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    names: Vec<String>,
    encoding: Encoding,
}

/// How a value becomes a text. Where several keys have one variable, the later kind wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Encoding {
    /// Repository, tag and digest as a reference.
    Image,
    /// Namespaces with commas, the release's own if there are none.
    Namespaces,
    /// `1` or `0`.
    Flag,
    Plain,
}

/// A setting that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its key.
    pub key: String,
    /// Where a scenario gives it.
    pub location: Location,
    /// Why.
    pub reason: MisfitReason,
}

/// Why a setting cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MisfitReason {
    /// The implementation says that it does not support it.
    Unsupported,
    /// The suite says that it takes a chart.
    ChartOnly,
    /// Nobody says how it is named.
    Unknown,
}

impl Mapping {
    /// The suite's names with what an implementation says of them.
    pub fn new(names: &SettingNames, settings: &Settings) -> Self {
        let mut keys = BTreeMap::new();
        let mut add = |key: &str, names: &[String], encoding| {
            keys.insert(key.to_owned(), Variable { names: names.to_vec(), encoding });
        };
        for (map, encoding) in [
            (&names.images, Encoding::Image),
            (&names.flags, Encoding::Flag),
            (&names.environment, Encoding::Plain),
        ] {
            for (key, name) in map {
                add(key, std::slice::from_ref(name), encoding);
            }
        }
        if let Some(namespaces) = &names.namespaces {
            add(&namespaces.path, &namespaces.environment, Encoding::Namespaces);
        }
        if let Some(namespaces) = &settings.namespaces {
            let known = names.namespaces.as_ref().filter(|known| known.path == namespaces.path);
            let variables = known.map(|known| known.environment.as_slice()).unwrap_or_default();
            add(&namespaces.path, variables, Encoding::Namespaces);
        }
        for (key, name) in &settings.environment {
            let own = Variable { names: Vec::new(), encoding: Encoding::Plain };
            keys.entry(key.clone()).or_insert(own).names = vec![name.value.clone()];
        }
        let mut names = names.clone();
        names.lists = settings.lists.unwrap_or(names.lists);
        let unsupported = settings.unsupported.iter().map(|key| key.value.clone()).collect();
        Self { names, keys, prefix: settings.environment_prefix.clone(), unsupported }
    }

    /// Key of the list of namespaces to watch.
    pub fn namespaces(&self) -> Option<&str> {
        let mut keys = self.keys.iter();
        let key = keys.find(|(_, variable)| variable.encoding == Encoding::Namespaces);
        key.map(|(key, _)| key.as_str())
    }

    /// What every install gets that brings no values of its own.
    pub fn base(&self) -> Value {
        Value::Object(self.names.values.clone())
    }

    /// The variables that say these values to a release in `namespace`.
    pub fn environment(&self, values: &Value, namespace: &str) -> BTreeMap<String, String> {
        let mut set: BTreeMap<String, String> = BTreeMap::new();
        set.extend(self.names.release_namespace.iter().map(|name| (name.clone(), namespace.to_owned())));
        if let Some(replicas) = self.names.replicas.as_ref().filter(|_| self.replicas(values) > Some(1)) {
            set.extend(replicas.several.clone());
        }
        let mut keys: Vec<_> = self.keys.iter().collect();
        keys.sort_by_key(|(_, variable)| variable.encoding);
        for (key, variable) in keys {
            let text = self.text(at(values, key), variable.encoding, namespace);
            if !text.trim().is_empty() {
                set.extend(variable.names.iter().map(|name| (name.clone(), text.clone())));
            }
        }
        if let Some(path) = &self.names.variables {
            for (name, value) in at(values, path).as_object().into_iter().flatten() {
                let text = self.text(value, Encoding::Plain, namespace);
                if !text.trim().is_empty() {
                    set.insert(self.named_by_scenario(path, name), text);
                }
            }
        }
        if let Some(path) = &self.names.entries {
            for entry in at(values, path).as_array().into_iter().flatten() {
                if let (Some(name), Some(value)) = (at(entry, "name").as_str(), entry.get("value")) {
                    let path = self.names.variables.as_deref().unwrap_or_default();
                    set.insert(
                        self.named_by_scenario(path, name),
                        self.text(value, Encoding::Plain, namespace),
                    );
                }
            }
        }
        set.into_iter().map(|(name, text)| (self.rename(&name), text)).collect()
    }

    /// How many replicas the values ask for, if they say anything about it.
    pub fn replicas(&self, values: &Value) -> Option<u32> {
        let path = self.names.replicas.as_ref().map(|replicas| replicas.path.as_str())?;
        u32::try_from(at(values, path).as_u64()?).ok()
    }

    /// The settings that a scenario gives and that cannot be made.
    pub fn misfits(&self, given: &Node) -> Vec<Misfit> {
        let mut found = Vec::new();
        self.walk("", given, &given.location, &mut found);
        found
    }

    /// Gives the variables that a scenario names in the values of a chart the implementation's prefix.
    pub fn rename_variables(&self, values: &mut Value) {
        let Some(path) = self.names.variables.as_ref().filter(|_| self.prefix.is_some()) else { return };
        let Some(variables) = values.pointer_mut(&format!("/{}", path.replace('.', "/"))) else { return };
        if let Some(variables) = variables.as_object_mut() {
            *variables = std::mem::take(variables)
                .into_iter()
                .map(|(name, value)| (self.rename(&name), value))
                .collect();
        }
    }

    fn rename(&self, name: &str) -> String {
        self.prefix.as_ref().map_or_else(|| name.to_owned(), |prefix| prefix.rename(name))
    }

    /// The variable that a scenario means by a name; the implementation may have another one for it.
    fn named_by_scenario(&self, path: &str, name: &str) -> String {
        let own = self.keys.get(&format!("{path}.{name}")).and_then(|variable| variable.names.first());
        own.cloned().unwrap_or_else(|| name.to_owned())
    }

    /// A value as the text of a variable; nothing for what sets none.
    fn text(&self, value: &Value, encoding: Encoding, namespace: &str) -> String {
        match (encoding, value) {
            (Encoding::Image, value) => image(value),
            (Encoding::Namespaces, Value::Array(names)) if !names.is_empty() => commas(names),
            (Encoding::Namespaces, Value::String(text)) => text.clone(),
            (Encoding::Namespaces, _) => namespace.to_owned(),
            (Encoding::Flag, Value::Bool(set)) => u8::from(*set).to_string(),
            (_, Value::Array(entries)) if entries.is_empty() => String::new(),
            (_, Value::Array(entries)) if self.names.lists == ListEncoding::Comma => commas(entries),
            (_, Value::Object(entries)) if entries.is_empty() => String::new(),
            (_, value) => plain(value),
        }
    }

    fn walk(&self, path: &str, node: &Node, location: &Location, found: &mut Vec<Misfit>) {
        let mut misfit = |key: &str, location: &Location, reason| {
            found.push(Misfit { key: key.to_owned(), location: location.clone(), reason });
        };
        let names = &self.names;
        if self.unsupported.iter().any(|key| key == path) {
            return misfit(path, location, MisfitReason::Unsupported);
        }
        if names.chart_only.iter().any(|key| key == path) {
            return misfit(path, location, MisfitReason::ChartOnly);
        }
        let is_replicas = names.replicas.as_ref().is_some_and(|replicas| replicas.path == path);
        if is_replicas || self.keys.contains_key(path) {
            return;
        }
        if names.entries.as_deref() == Some(path) {
            for entry in node.as_list().unwrap_or_default() {
                if entry.get("value").is_none() {
                    misfit(path, &entry.location, MisfitReason::ChartOnly);
                }
            }
            return;
        }
        let of_variables = names.variables.as_deref() == Some(path);
        match &node.value {
            yaml::Value::Map(entries) => {
                for entry in entries {
                    let below =
                        if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                    if !of_variables {
                        self.walk(&below, &entry.value, &entry.key_location, found);
                    } else if self.unsupported.contains(&below) {
                        let location = entry.key_location.clone();
                        found.push(Misfit { key: below, location, reason: MisfitReason::Unsupported });
                    }
                }
            }
            _ if of_variables || self.is_above_a_key(path) => {}
            _ => misfit(path, location, MisfitReason::Unknown),
        }
    }

    /// Whether there are keys below a path, so that "nothing" can be said of all of them.
    fn is_above_a_key(&self, path: &str) -> bool {
        let names = &self.names;
        let others = names.variables.iter().chain(&names.entries);
        let others = others.chain(names.replicas.as_ref().map(|replicas| &replicas.path));
        let below = |key: &String| path.is_empty() || key.starts_with(&format!("{path}."));
        self.keys.keys().chain(others).any(below)
    }
}

/// The value under a dotted path; nothing is `null`.
pub(crate) fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').try_fold(values, |value, key| value.get(key)).unwrap_or(&Value::Null)
}

/// A scalar as it stands, everything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // A large integer may have been written as a float; it must not come out in exponent form.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        value => value.to_string(),
    }
}

fn commas(entries: &[Value]) -> String {
    entries.iter().map(plain).collect::<Vec<_>>().join(",")
}

/// A reference of repository, tag and digest; nothing without a repository.
fn image(value: &Value) -> String {
    let part = |key| at(value, key).as_str().unwrap_or_default().trim();
    let (repository, tag, digest) = (part("repository"), part("tag"), part("digest"));
    if repository.is_empty() {
        return String::new();
    }
    let tag = if tag.is_empty() { String::new() } else { format!(":{tag}") };
    let digest = if digest.is_empty() { String::new() } else { format!("@{digest}") };
    format!("{repository}{tag}{digest}")
}

#[cfg(test)]
mod tests;
