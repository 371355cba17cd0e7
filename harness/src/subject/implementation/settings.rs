//! The section `settings`: how what scenarios set is named by the implementation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Values;
use crate::scenario::settings::ListEncoding;
use crate::yaml::Located;

/// How settings that the harness has to make are named.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Which namespaces it watches; a chart has to say it.
    #[serde(default)]
    pub namespaces: Option<NamespaceSetting>,
    /// Where its replicas agree on a leader, if they do.
    #[serde(default)]
    pub leader_lease: Option<LeaderLease>,
    /// Values key of the specification to environment variable, where the suite's own names do not hold;
    /// not for charts. Also `env.vars.NAME`, for a variable that scenarios name themselves.
    #[serde(default)]
    pub environment: BTreeMap<String, Located<String>>,
    /// Gives all variables that scenarios name, by values keys or directly, another beginning.
    #[serde(default)]
    pub environment_prefix: Option<Prefix>,
    /// How lists are written into a variable; as the suite says unless told.
    #[serde(default)]
    pub lists: Option<ListEncoding>,
    /// Values keys and requirements that are not supported. Scenarios that need one of them are skipped.
    #[serde(default)]
    pub unsupported: Vec<Located<String>>,
}

/// Another beginning of names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prefix {
    /// How the names of the specification begin. Other names stay.
    pub from: String,
    /// What stands there in place of it.
    pub to: String,
}

impl Prefix {
    /// The name as the implementation reads it.
    pub fn rename(&self, name: &str) -> String {
        name.strip_prefix(&self.from).map_or_else(|| name.to_owned(), |rest| format!("{}{rest}", self.to))
    }
}

/// The Lease, in the namespace of the release, that the leading replica holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaderLease {
    /// Its name. The identity of its holder must contain the name of the pod.
    pub name: String,
}

/// The setting that says which namespaces are watched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceSetting {
    /// Key path in the values that takes a list of namespaces, for example `controller.namespaces`.
    pub path: String,
    /// Values that an install for several namespaces needs besides.
    #[serde(default)]
    pub shared_values: Values,
}
