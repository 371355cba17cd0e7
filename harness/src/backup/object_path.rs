//! Where an object stands in an archive.

use std::fmt;
use std::str::FromStr;

/// `resources/<resource.group>/<version>/{cluster|namespaces/<ns>}/<name>.json`.
///
/// Parsing accepts only what [`fmt::Display`] writes, so that no path of an archive leads anywhere else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPath {
    /// Plural and group, for example `jobs.batch`; the core group is left out: `configmaps`.
    pub resource: String,
    /// Version of the group.
    pub version: String,
    /// `None` for an object of the whole cluster.
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: String,
}

impl ObjectPath {
    /// The object for people: `agentruns.example.dev team-a/demo`.
    pub fn describe(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.resource, self.name),
            None => format!("{} {}", self.resource, self.name),
        }
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resources/{}/{}/", self.resource, self.version)?;
        match &self.namespace {
            Some(namespace) => write!(f, "namespaces/{namespace}/")?,
            None => f.write_str("cluster/")?,
        }
        write!(f, "{}.json", self.name)
    }
}

/// The text is no path of an object in an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path of an object")]
pub struct NoObjectPath(String);

impl FromStr for ObjectPath {
    type Err = NoObjectPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let (resource, version, namespace, file) = match parts.as_slice() {
            ["resources", resource, version, "cluster", file] => (resource, version, None, file),
            ["resources", resource, version, "namespaces", namespace, file] => {
                (resource, version, Some(namespace), file)
            }
            _ => return Err(NoObjectPath(text.to_owned())),
        };
        let name = file.strip_suffix(".json").unwrap_or_default();
        let parts = [Some(resource), Some(version), namespace, Some(&name)];
        if !parts.into_iter().flatten().all(|part| is_name(part)) {
            return Err(NoObjectPath(text.to_owned()));
        }
        Ok(Self {
            resource: (*resource).to_owned(),
            version: (*version).to_owned(),
            namespace: namespace.map(|namespace| (*namespace).to_owned()),
            name: name.to_owned(),
        })
    }
}

/// What Kubernetes allows as a part of a URL path, further restricted to printable ASCII.
fn is_name(part: &str) -> bool {
    !part.is_empty()
        && part != "."
        && part != ".."
        && part.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'\\' | b'%'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::ObjectPath;

    #[rstest]
    #[case("resources/agentruns.example.dev/v1/namespaces/team-a/demo.json")]
    #[case("resources/customresourcedefinitions.apiextensions.k8s.io/v1/cluster/agents.example.dev.json")]
    #[case("resources/configmaps/v1/namespaces/a/b.json")]
    fn a_path_survives_the_way_there_and_back(#[case] text: &str) {
        let path: ObjectPath = text.parse().expect("a path");
        assert_eq!(path.to_string(), text);
    }

    #[rstest]
    #[case::absolute("/resources/a/v1/cluster/b.json")]
    #[case::up("resources/a/v1/namespaces/../b.json")]
    #[case::up_as_name("resources/a/v1/cluster/...json")]
    #[case::no_name("resources/a/v1/cluster/.json")]
    #[case::no_json("resources/a/v1/cluster/b")]
    #[case::other_root("other/a/v1/cluster/b.json")]
    #[case::doubled("resources/a/v1//cluster/b.json")]
    #[case::deep("resources/a/v1/namespaces/n/m/b.json")]
    #[case::backslash("resources/a/v1/cluster/b\\c.json")]
    #[case::control("resources/a/v1/cluster/b\n.json")]
    fn other_paths_are_refused(#[case] text: &str) {
        assert!(text.parse::<ObjectPath>().is_err());
    }
}
