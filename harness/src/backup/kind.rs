//! The kinds of an archive and their order.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind of objects that the API server serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: String,
    /// The version that is stored in the archive.
    pub version: String,
    /// For example `AgentRun`.
    pub kind: String,
    /// For example `agentruns`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it has the status subresource: then a create ignores the status.
    pub status: bool,
    /// Its place in the order of a restore.
    pub role: Role,
}

/// What a kind is to a restore. The order of the variants is the order of the writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// `CustomResourceDefinition`.
    Definition,
    /// `Namespace`, of which only metadata is kept.
    Namespace,
    /// `ConfigMap`.
    ConfigMap,
    /// A custom kind that others refer to.
    Config,
    /// A custom kind that stands for work: it comes last, when what it refers to is there.
    Run,
}

impl Kind {
    /// Plural and group, for example `agentruns.example.dev`; only the plural for the core group.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The URL path of its collection, of one namespace or of all of them.
    pub(super) fn url(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let prefix = format!("{root}/{}", self.api_version());
        match namespace {
            Some(namespace) => format!("{prefix}/namespaces/{namespace}/{}", self.plural),
            None => format!("{prefix}/{}", self.plural),
        }
    }

    /// `CustomResourceDefinition`.
    pub(super) fn definition() -> Self {
        Self::built_in(
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            Role::Definition,
        )
    }

    /// `Namespace`.
    pub(super) fn namespace() -> Self {
        Self::built_in("", "Namespace", "namespaces", Role::Namespace)
    }

    /// `ConfigMap`.
    pub(super) fn config_map() -> Self {
        Self { namespaced: true, ..Self::built_in("", "ConfigMap", "configmaps", Role::ConfigMap) }
    }

    /// `Secret`.
    pub(super) fn secret() -> Self {
        Self { namespaced: true, ..Self::built_in("", "Secret", "secrets", Role::Config) }
    }

    /// A built-in kind of version `v1` whose status is nothing that a restore writes.
    pub(super) fn built_in(group: &str, kind: &str, plural: &str, role: Role) -> Self {
        Self {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: false,
            status: false,
            role,
        }
    }

    /// The kind that a `CustomResourceDefinition` defines, in the version that is stored if it is served.
    ///
    /// It is a run kind if it has a status subresource and its plural is one of `last`. `None` if the
    /// definition serves no version.
    pub(super) fn of_definition(definition: &Value, last: &[String]) -> Option<Self> {
        let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let versions = definition.pointer("/spec/versions")?.as_array()?;
        let is = |version: &&Value, field: &str| version.get(field) == Some(&Value::Bool(true));
        let served = || versions.iter().filter(|version| is(version, "served"));
        let version = served().find(|version| is(version, "storage")).or_else(|| served().next())?;
        let status = version.pointer("/subresources/status").is_some();
        let plural = text("/spec/names/plural")?;
        Some(Self {
            group: text("/spec/group")?,
            version: version.get("name")?.as_str()?.to_owned(),
            kind: text("/spec/names/kind")?,
            namespaced: text("/spec/scope")? == "Namespaced",
            role: if status && last.contains(&plural) { Role::Run } else { Role::Config },
            status,
            plural,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Kind, Role};

    #[test]
    fn a_definition_tells_its_kind_and_the_stored_version() {
        let definition = json!({"spec": {
            "group": "example.dev", "scope": "Namespaced",
            "names": {"kind": "Run", "plural": "runs"},
            "versions": [
                {"name": "v1", "served": true, "storage": false},
                {"name": "v2", "served": true, "storage": true, "subresources": {"status": {}}},
            ],
        }});
        let kind = Kind::of_definition(&definition, &["runs".to_owned()]).expect("a kind");
        assert_eq!((kind.version.as_str(), kind.status, kind.role), ("v2", true, Role::Run));
        assert_eq!(kind.url(Some("a")), "/apis/example.dev/v2/namespaces/a/runs");
        let kind = Kind::of_definition(&definition, &[]).expect("a kind");
        assert_eq!(kind.role, Role::Config);
    }

    #[test]
    fn a_definition_that_serves_nothing_has_no_kind() {
        let versions = json!([{"name": "v1", "served": false, "storage": true}]);
        let definition = json!({"spec": {
            "group": "example.dev", "scope": "Cluster", "names": {"kind": "Run", "plural": "runs"},
            "versions": versions,
        }});
        assert_eq!(Kind::of_definition(&definition, &[]), None);
    }

    #[test]
    fn the_core_group_has_paths_of_its_own() {
        assert_eq!(Kind::config_map().url(Some("a")), "/api/v1/namespaces/a/configmaps");
        assert_eq!(Kind::config_map().resource(), "configmaps");
    }
}
