//! What can be built, from which sources and how. Pure data and text.

use sha2::{Digest, Sha256};

use crate::cluster::info::KubernetesVersion;

macro_rules! source {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/cluster/", $path))
    };
}

const KUBERNETES_MAIN: &str = source!("kubernetes/main.go");
const KUBERNETES_1_34: [&str; 2] = [source!("kubernetes/v1.34.mod"), source!("kubernetes/v1.34.sum")];
const KUBERNETES_1_35: [&str; 2] = [source!("kubernetes/go.mod"), source!("kubernetes/go.sum")];
const KUBERNETES_1_36: [&str; 2] = [source!("kubernetes/v1.36.mod"), source!("kubernetes/v1.36.sum")];
const ETCD: [&str; 2] = [source!("etcd/go.mod"), source!("etcd/go.sum")];
const HELM_MAIN: &str = source!("helm/main.go");
const HELM: [&str; 2] = [source!("helm/go.mod"), source!("helm/go.sum")];

/// One binary: its sources and the arguments of `go build`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    /// File name of the binary: `kubernetes`, `etcd`, `helm`.
    pub(super) name: &'static str,
    /// Its version, for example `v1.35.4`.
    pub(super) version: String,
    /// For people: `kube-apiserver and kube-controller-manager`.
    pub(super) label: &'static str,
    /// Files of the module, by name.
    pub(super) files: Vec<(&'static str, &'static str)>,
    /// The module that the version is of.
    pub(super) module: &'static str,
    /// The package to build.
    package: &'static str,
    /// Linker flags.
    ldflags: String,
}

impl Recipe {
    /// The multi-call binary of all Kubernetes components.
    pub(super) fn kubernetes(version: KubernetesVersion) -> Self {
        let [module, sums] = match version {
            KubernetesVersion::V1_34 => KUBERNETES_1_34,
            KubernetesVersion::V1_35 => KUBERNETES_1_35,
            KubernetesVersion::V1_36 => KUBERNETES_1_36,
        };
        let full = version.full();
        let mut parts = full.trim_start_matches('v').split('.');
        let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        // Without these the components call themselves v0.0.0.
        let package = "k8s.io/component-base/version";
        let ldflags = format!(
            "-s -w -X {package}.gitVersion={full} -X {package}.gitMajor={major} \
             -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
        );
        Self {
            name: "kubernetes",
            version: full.to_owned(),
            label: "kube-apiserver and kube-controller-manager",
            files: vec![("main.go", KUBERNETES_MAIN), ("go.mod", module), ("go.sum", sums)],
            module: "k8s.io/kubernetes",
            package: ".",
            ldflags,
        }
    }

    /// The datastore.
    pub(super) fn etcd() -> Self {
        let [module, sums] = ETCD;
        let package = "go.etcd.io/etcd/server/v3";
        Self {
            name: "etcd",
            version: required_version(module, package).unwrap_or("unknown").to_owned(),
            label: "etcd",
            files: vec![("go.mod", module), ("go.sum", sums)],
            module: package,
            package,
            ldflags: "-s -w".to_owned(),
        }
    }

    /// Helm, which as `helm serve-calls` answers many calls in one process.
    pub(super) fn helm() -> Self {
        let [module, sums] = HELM;
        let helm = "helm.sh/helm/v4";
        let version = required_version(module, helm).unwrap_or("unknown").to_owned();
        Self {
            name: "helm",
            label: "helm",
            files: vec![("main.go", HELM_MAIN), ("go.mod", module), ("go.sum", sums)],
            module: helm,
            package: ".",
            // Charts read the version through `.Capabilities.HelmVersion`.
            ldflags: format!("-s -w -X helm.sh/helm/v4/internal/version.version={version}"),
            version,
        }
    }

    /// Name of the result in the cache: it changes with everything that goes into the build.
    pub(super) fn key(&self) -> String {
        let mut hash = Sha256::new();
        for (name, text) in &self.files {
            hash.update(name);
            hash.update([0]);
            hash.update(text);
            hash.update([0]);
        }
        hash.update(&self.ldflags);
        let digest = hex::encode(hash.finalize());
        format!("{}-{}-{}", self.name, self.version, digest.get(..12).unwrap_or(&digest))
    }

    /// The Go that its module wants, for example `1.25.0`; empty if it does not say.
    pub(super) fn go_version(&self) -> &str {
        let module = self.files.iter().find(|(name, _)| *name == "go.mod").map_or("", |(_, text)| text);
        module.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or_default().trim()
    }

    /// Arguments of `go` that write the binary to `output`.
    pub(super) fn go_args(&self, output: &str) -> Vec<String> {
        // `-v` names each package when it is compiled, which is the progress.
        [
            "build",
            "-v",
            "-trimpath",
            "-buildvcs=false",
            "-mod=readonly",
            "-ldflags",
            &self.ldflags,
            "-o",
            output,
            self.package,
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

/// The version that a `go.mod` requires of `module`.
fn required_version<'a>(module_file: &'a str, module: &str) -> Option<&'a str> {
    module_file.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        if words.next() == Some(module) { words.next() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_module_files() {
        assert!(Recipe::etcd().version.starts_with("v3."), "{}", Recipe::etcd().version);
        assert!(Recipe::helm().version.starts_with("v4."), "{}", Recipe::helm().version);
        for version in [KubernetesVersion::V1_34, KubernetesVersion::V1_35, KubernetesVersion::V1_36] {
            let recipe = Recipe::kubernetes(version);
            let module = recipe.files.iter().find(|(name, _)| *name == "go.mod").unwrap().1;
            assert_eq!(required_version(module, "k8s.io/kubernetes"), Some(version.full()));
        }
    }

    #[test]
    fn the_key_changes_with_the_sources() {
        let recipe = Recipe::kubernetes(KubernetesVersion::V1_35);
        let mut other = recipe.clone();
        other.files.push(("extra.go", "package main"));
        assert_ne!(recipe.key(), other.key());
        assert!(recipe.key().starts_with("kubernetes-v1.35.4-"));
    }
}
