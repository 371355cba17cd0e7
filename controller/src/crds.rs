//! The CRDs, rendered from the API types: one YAML file per kind.

use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use thiserror::Error;

use crate::api::{
    Agent, AgentProvider, AgentRun, ImplementationSource, ImplementationSpec, Memory, VersionControlProvider,
};

/// Why the CRD files could not be written or are not current.
#[derive(Debug, Error)]
pub enum CrdsError {
    /// A CRD cannot be expressed as YAML.
    #[error("render the CRD {name} as YAML")]
    Render {
        /// Name of the CRD.
        name: String,
        /// What the serialiser said.
        #[source]
        source: serde_saphyr::ser::Error,
    },
    /// A file cannot be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: std::io::Error,
    },
    /// Files differ from the API types.
    #[error("find these files current: {}; run `agents-controller crds --out <dir>`", stale.join(", "))]
    Stale {
        /// Names of the files that differ or are missing.
        stale: Vec<String>,
    },
}

/// All seven CRDs.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        Agent::crd(),
        AgentProvider::crd(),
        AgentRun::crd(),
        ImplementationSource::crd(),
        ImplementationSpec::crd(),
        Memory::crd(),
        VersionControlProvider::crd(),
    ]
}

/// File name and content of every CRD.
pub fn rendered() -> Result<Vec<(String, String)>, CrdsError> {
    all()
        .into_iter()
        .map(|crd| {
            let file = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            let yaml = serde_saphyr::to_string(&crd)
                .map_err(|source| CrdsError::Render { name: file.clone(), source })?;
            Ok((
                file,
                // Helm 3 prints the files of a chart one behind the other, without anything between them.
                format!(
                    "---\n# Generated from the API types by `agents-controller crds`; do not edit.\n{yaml}"
                ),
            ))
        })
        .collect()
}

/// Writes every CRD into `dir`, which is created when it is missing.
pub fn write(dir: &Path) -> Result<(), CrdsError> {
    std::fs::create_dir_all(dir).map_err(|source| CrdsError::Write { path: dir.to_owned(), source })?;
    for (file, content) in rendered()? {
        let path = dir.join(file);
        std::fs::write(&path, content).map_err(|source| CrdsError::Write { path, source })?;
    }
    Ok(())
}

/// Fails when a file in `dir` is missing or differs from the API types.
pub fn check(dir: &Path) -> Result<(), CrdsError> {
    let stale: Vec<String> = rendered()?
        .into_iter()
        .filter(|(file, content)| {
            std::fs::read_to_string(dir.join(file)).map_or(true, |present| present != *content)
        })
        .map(|(file, _)| file)
        .collect();
    if stale.is_empty() { Ok(()) } else { Err(CrdsError::Stale { stale }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [CH-08] What the chart installs is what this binary speaks.
    #[test]
    fn the_charts_crds_are_current() {
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/agents/crds")).unwrap();
    }

    #[test]
    fn every_crd_is_served_as_one_namespaced_version_with_status_and_fits_256_kib() {
        for crd in all() {
            assert_eq!(crd.spec.scope, "Namespaced");
            assert_eq!(crd.spec.versions.len(), 1, "{:?}", crd.metadata.name);
            assert!(crd.spec.versions[0].subresources.as_ref().unwrap().status.is_some());
            assert!(crd.spec.names.short_names.is_none() && crd.spec.names.categories.is_none());
            assert!(serde_json::to_vec(&crd).unwrap().len() <= 256 * 1024);
        }
    }
}
