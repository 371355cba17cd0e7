//! How the settings that scenarios give by values key are named as environment variables.
//!
//! A suite says it once, as data; an implementation file says only where its own names differ.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::lint;
use crate::diagnostic::Diagnostic;
use crate::yaml::{Located, Node, decode};

/// The file `settings.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SettingsDocument {
    /// `hallmark.dev/v1alpha1`.
    api_version: Located<String>,
    /// `Settings`.
    kind: Located<String>,
    /// The names.
    spec: SettingNames,
}

/// Names of settings. Keys are paths of the values that scenarios give.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SettingNames {
    /// What every install gets that brings no values of its own, as a chart does.
    #[serde(default)]
    pub values: serde_json::Map<String, serde_json::Value>,
    /// The list of namespaces to watch.
    #[serde(default)]
    pub namespaces: Option<NamespaceNames>,
    /// Key to variable: integers as plain digits, booleans as `true` or `false`, lists as `lists` says, maps
    /// as JSON. What is blank or empty sets nothing.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Key to variable: switches, as `1` or `0`.
    #[serde(default)]
    pub flags: BTreeMap<String, String>,
    /// Key of a map with `repository`, `tag` and `digest` to variable: an image reference. A variable of
    /// `environment` wins over it.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
    /// Variables that take the namespace of the release.
    #[serde(default)]
    pub release_namespace: Vec<String>,
    /// The number of replicas.
    #[serde(default)]
    pub replicas: Option<ReplicaNames>,
    /// Key of a map from variable to text: scenarios name variables there themselves. They win over all keys.
    #[serde(default)]
    pub variables: Option<String>,
    /// Key of a list of `name` and `value`: as `variables`, and blank values are kept.
    #[serde(default)]
    pub entries: Option<String>,
    /// How lists are written.
    #[serde(default)]
    pub lists: ListEncoding,
    /// Keys that only a chart can support.
    #[serde(default)]
    pub chart_only: Vec<String>,
}

impl SettingNames {
    /// Whether a key is named here, has a named one below it, or is a variable that scenarios name.
    pub fn knows(&self, key: &str) -> bool {
        let maps = [&self.environment, &self.flags, &self.images].into_iter().flat_map(BTreeMap::keys);
        let others = self.variables.iter().chain(&self.entries).chain(&self.chart_only);
        let mut paths = maps
            .chain(others)
            .chain(self.namespaces.as_ref().map(|namespaces| &namespaces.path))
            .chain(self.replicas.as_ref().map(|replicas| &replicas.path));
        let is_below =
            |key: &str, path: &str| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        self.variables.as_ref().is_some_and(|variables| is_below(key, variables))
            || paths.any(|path| path == key || is_below(path, key))
    }
}

/// The list of namespaces to watch; an empty one means the namespace of the release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NamespaceNames {
    /// Its key.
    pub path: String,
    /// Variables that take it, with commas between the names.
    pub environment: Vec<String>,
}

/// The number of replicas.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReplicaNames {
    /// Its key.
    pub path: String,
    /// Variables where there are several, weaker than all keys.
    #[serde(default)]
    pub several: BTreeMap<String, String>,
}

/// How a list is written into a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ListEncoding {
    /// As JSON.
    #[default]
    Json,
    /// With commas between the entries.
    Comma,
}

/// Reads the names.
pub(super) fn read(document: &Node, problems: &mut Vec<Diagnostic>) -> SettingNames {
    match decode::<SettingsDocument>(document) {
        Ok(document) => {
            lint::header(&document.api_version, &document.kind, "Settings", problems);
            document.spec
        }
        Err(error) => {
            problems.push(error.into_diagnostic(&document.location));
            SettingNames::default()
        }
    }
}
