//! Claims as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::OwnedDocument;
use crate::yaml::{Located, Node};

/// What is said about which objects. Exactly one of `object`, `job`, `configMap`, `pod`, `resource`,
/// `request`, `log` and `rendered` names the objects; all given conditions have to hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClaimDocument {
    /// The object that a step created under this alias, by uid, and objects of its name that appeared after it was deleted.
    #[serde(default)]
    pub object: Option<Located<String>>,
    /// Jobs; `of: ALIAS` keeps those whose controller owner references lead to that object, also through others.
    #[serde(default)]
    pub job: Option<OwnedDocument>,
    /// `ConfigMap`s, selected as Jobs are.
    #[serde(default)]
    pub config_map: Option<OwnedDocument>,
    /// Pods, selected as Jobs are.
    #[serde(default)]
    pub pod: Option<OwnedDocument>,
    /// Objects of any kind.
    #[serde(default)]
    pub resource: Option<ResourceDocument>,
    /// Requests of the controller to the API server.
    #[serde(default)]
    pub request: Option<RequestDocument>,
    /// Lines of the controller's log, each a text: `log: {}`.
    #[serde(default)]
    pub log: Option<LogDocument>,
    /// Objects of a `render` step; they have no history, but one version.
    #[serde(default)]
    pub rendered: Option<RenderedDocument>,
    /// `false`: no such object is there. `true`: one is there.
    #[serde(default)]
    pub exists: Option<bool>,
    /// A part of the object, see "Matching".
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub matches: Option<Node>,
    /// The file that the whole object equals, relative to the scenario's file, see "Golden files".
    #[serde(default)]
    pub golden: Option<Located<String>>,
    /// A CEL expression over `self`, `case`, `namespace` and `objects` that is `true`.
    #[serde(default)]
    pub cel: Option<Located<String>>,
    /// For `eventually`: how long to wait; 5 s unless told.
    #[serde(default)]
    pub within: Option<Located<String>>,
    /// For `exactly`, `atMost` and `atMostEach`: how many objects.
    #[serde(default)]
    pub count: Option<Located<usize>>,
    /// For `versions`: how many versions of one object.
    #[serde(default)]
    pub at_most: Option<Located<usize>>,
    /// For `atMostEach`: the CEL expression over `self` whose value objects are counted by.
    #[serde(default)]
    pub by: Option<Located<String>>,
    /// For `advances` and `settled`: the place in the object, for example `status.phase`.
    #[serde(default)]
    pub path: Option<Located<String>>,
    /// For `advances`: the values in their order, group by group, for example
    /// `[[Pending], [Running], [Succeeded, Failed]]`.
    #[serde(default)]
    pub order: Option<Located<Vec<Vec<String>>>>,
    /// For `settled`: places that may change all the same.
    #[serde(default)]
    pub except: Option<Located<Vec<String>>>,
}

/// Requests of the controller to the API server, from the audit log. Needs `requires: [audit]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestDocument {
    /// Only these verbs, for example `create` or `patch`.
    #[serde(default)]
    pub verbs: Vec<String>,
    /// Only requests for this resource, for example `jobs` or `agentruns/status`.
    #[serde(default)]
    pub resource: Option<String>,
    /// Only requests for the object of this name.
    #[serde(default)]
    pub name: Option<String>,
}

/// Lines of the controller's log. Of a shared controller those that name the case's namespace, or that of
/// no case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogDocument {}

/// Objects of any kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ResourceDocument {
    /// `apiVersion` of the objects.
    pub api_version: String,
    /// `kind` of the objects.
    pub kind: String,
    /// Only the object of this name.
    #[serde(default)]
    pub name: Option<String>,
    /// Only objects with these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Only objects that belong to the object of this alias.
    #[serde(default)]
    pub of: Option<Located<String>>,
}

/// Objects of a rendering.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RenderedDocument {
    /// The name of the `render` step; `chart` unless told.
    #[serde(default)]
    pub of: Option<Located<String>>,
    /// `kind` of the objects.
    pub kind: String,
    /// Only the object of this name.
    #[serde(default)]
    pub name: Option<String>,
}
