//! From the container of a pod template to the process that stands in for it, as the kubelet would do it.
//!
//! Pure: whoever calls [`process`] has read the `ConfigMaps` and Secrets named by [`references`]. Not
//! supported and refused by name: `resourceFieldRef`. Volumes are not mounted, because a process sees the
//! files of the host.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource};

/// What the downward API tells about a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodIdentity {
    /// `metadata.name`, also the host name of the pod.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `spec.serviceAccountName`.
    pub service_account: String,
    /// `status.podIP`, `status.hostIP`.
    pub ip: String,
    /// `spec.nodeName`.
    pub node: String,
}

/// Content of `ConfigMaps` or Secrets: name to key to text. An object that does not exist has no entry.
pub type Texts = BTreeMap<String, BTreeMap<String, String>>;

/// The objects that an environment may refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// `ConfigMaps`.
    pub config_maps: Texts,
    /// Secrets, decoded; keys that hold no UTF-8 text are left out.
    pub secrets: Texts,
}

/// Names of the objects that a container's environment refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// `ConfigMaps`.
    pub config_maps: BTreeSet<String>,
    /// Secrets.
    pub secrets: BTreeSet<String>,
}

/// A command line and its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessTemplate {
    /// `command[0]`; without a command the image without tag and digest, whose entrypoint it stands for.
    pub program: String,
    /// The rest of the command, then the arguments.
    pub arguments: Vec<String>,
    /// The environment, complete: nothing is inherited.
    pub environment: BTreeMap<String, String>,
}

/// A template that cannot become a process; the kubelet would refuse or delay the container, too, except
/// for [`TemplateError::UnsupportedSource`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A required `ConfigMap` or Secret does not exist.
    #[error("container `{container}` needs {kind} `{name}`, which does not exist")]
    MissingObject {
        /// Name of the container.
        container: String,
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// Name of the object.
        name: String,
    },
    /// A required key of a `ConfigMap` or Secret does not exist.
    #[error("container `{container}` needs key `{key}` of {kind} `{name}`, which does not have it")]
    MissingKey {
        /// Name of the container.
        container: String,
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// Name of the object.
        name: String,
        /// The key.
        key: String,
    },
    /// A source of a value that has no meaning outside a pod.
    #[error(
        "container `{container}` takes variable `{variable}` from `{path}`, which needs a cluster with a node"
    )]
    UnsupportedSource {
        /// Name of the container.
        container: String,
        /// Name of the variable.
        variable: String,
        /// What it refers to.
        path: String,
    },
}

impl TemplateError {
    /// Whether the chart asked for something that no cluster could give it.
    pub fn is_subject_fault(&self) -> bool {
        !matches!(self, Self::UnsupportedSource { .. })
    }
}

/// The objects that have to be read before [`process`] is called.
pub fn references(container: &Container) -> References {
    let mut found = References::default();
    for source in container.env_from.iter().flatten() {
        found.config_maps.extend(source.config_map_ref.iter().map(|reference| reference.name.clone()));
        found.secrets.extend(source.secret_ref.iter().map(|reference| reference.name.clone()));
    }
    for source in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
        found.config_maps.extend(source.config_map_key_ref.iter().map(|reference| reference.name.clone()));
        found.secrets.extend(source.secret_key_ref.iter().map(|reference| reference.name.clone()));
    }
    found
}

/// The process that stands in for `container` of the pod `pod`.
pub fn process(
    container: &Container,
    pod: &PodIdentity,
    sources: &Sources,
) -> Result<ProcessTemplate, TemplateError> {
    let environment = environment(container, pod, sources)?;
    let mut words = container
        .command
        .iter()
        .flatten()
        .chain(container.args.iter().flatten())
        .map(|word| expand(word, &environment));
    let has_command = container.command.as_ref().is_some_and(|command| !command.is_empty());
    let program = if has_command { words.next() } else { None };
    let program = program
        .unwrap_or_else(|| image_repository(container.image.as_deref().unwrap_or_default()).to_owned());
    let arguments = words.collect();
    Ok(ProcessTemplate { program, arguments, environment })
}

/// An image reference without tag and digest.
pub fn image_repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _digest)| name);
    match name.rsplit_once(':') {
        // A colon before the last slash belongs to the port of a registry.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// The variables of a container: `envFrom` in order, then `env` in order, each seeing those before it.
fn environment(
    container: &Container,
    pod: &PodIdentity,
    sources: &Sources,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let resolver = Resolver { container, pod, sources };
    let mut environment = BTreeMap::from([("HOSTNAME".to_owned(), pod.name.clone())]);
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let texts = [
            source.config_map_ref.as_ref().map(|r| (Kind::ConfigMap, r.name.as_str(), r.optional)),
            source.secret_ref.as_ref().map(|r| (Kind::Secret, r.name.as_str(), r.optional)),
        ];
        for (kind, name, optional) in texts.into_iter().flatten() {
            if let Some(object) = resolver.object(kind, name, optional)? {
                environment
                    .extend(object.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
            }
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = resolver.value(variable, &environment)? {
            environment.insert(variable.name.clone(), value);
        }
    }
    Ok(environment)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

struct Resolver<'a> {
    container: &'a Container,
    pod: &'a PodIdentity,
    sources: &'a Sources,
}

impl<'a> Resolver<'a> {
    /// The value of a variable; `None` if it is not set because an optional source is missing.
    fn value(
        &self,
        variable: &EnvVar,
        before: &BTreeMap<String, String>,
    ) -> Result<Option<String>, TemplateError> {
        match (variable.value.as_deref(), &variable.value_from) {
            (None | Some(""), Some(source)) => self.source(&variable.name, source),
            (text, _) => Ok(Some(expand(text.unwrap_or_default(), before))),
        }
    }

    fn source(&self, variable: &str, source: &EnvVarSource) -> Result<Option<String>, TemplateError> {
        if let Some(reference) = &source.config_map_key_ref {
            return self.key(Kind::ConfigMap, &reference.name, &reference.key, reference.optional);
        }
        if let Some(reference) = &source.secret_key_ref {
            return self.key(Kind::Secret, &reference.name, &reference.key, reference.optional);
        }
        let path = match (&source.field_ref, &source.resource_field_ref) {
            (Some(field), _) => match self.field(&field.field_path) {
                Some(value) => return Ok(Some(value)),
                None => field.field_path.clone(),
            },
            (None, Some(resource)) => resource.resource.clone(),
            (None, None) => "an unknown source".to_owned(),
        };
        Err(TemplateError::UnsupportedSource {
            container: self.container.name.clone(),
            variable: variable.to_owned(),
            path,
        })
    }

    fn field(&self, path: &str) -> Option<String> {
        let pod = self.pod;
        let value = match path {
            "metadata.name" => &pod.name,
            "metadata.namespace" => &pod.namespace,
            "metadata.uid" => &pod.uid,
            "spec.serviceAccountName" => &pod.service_account,
            "spec.nodeName" => &pod.node,
            "status.podIP" | "status.podIPs" | "status.hostIP" | "status.hostIPs" => &pod.ip,
            _ => {
                let (map, key) = match path.strip_prefix("metadata.labels") {
                    Some(key) => (&pod.labels, key),
                    None => (&pod.annotations, path.strip_prefix("metadata.annotations")?),
                };
                let key = key.strip_prefix("['")?.strip_suffix("']")?;
                // The kubelet sets the empty text for a label that the pod does not have.
                return Some(map.get(key).cloned().unwrap_or_default());
            }
        };
        Some(value.clone())
    }

    fn key(
        &self,
        kind: Kind,
        name: &str,
        key: &str,
        optional: Option<bool>,
    ) -> Result<Option<String>, TemplateError> {
        let Some(object) = self.object(kind, name, optional)? else { return Ok(None) };
        match object.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None if optional == Some(true) => Ok(None),
            None => Err(TemplateError::MissingKey {
                container: self.container.name.clone(),
                kind: kind.name(),
                name: name.to_owned(),
                key: key.to_owned(),
            }),
        }
    }

    fn object(
        &self,
        kind: Kind,
        name: &str,
        optional: Option<bool>,
    ) -> Result<Option<&'a BTreeMap<String, String>>, TemplateError> {
        let texts = match kind {
            Kind::ConfigMap => &self.sources.config_maps,
            Kind::Secret => &self.sources.secrets,
        };
        match texts.get(name) {
            Some(object) => Ok(Some(object)),
            None if optional == Some(true) => Ok(None),
            None => Err(TemplateError::MissingObject {
                container: self.container.name.clone(),
                kind: kind.name(),
                name: name.to_owned(),
            }),
        }
    }
}

/// Replaces `$(NAME)` by the variable; an unknown one stays as it is written and `$$` is one dollar sign.
fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            match variables.get(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests;
