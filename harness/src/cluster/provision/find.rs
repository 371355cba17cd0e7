//! Binaries that the user named by an environment variable.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::error::ProvisionError;

/// How long a binary may take to tell its version.
const ANSWER: Duration = Duration::from_secs(20);

/// A program with its leading arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The binary.
    pub program: PathBuf,
    /// What goes before the component's own flags: its name if the binary holds several.
    pub args: Vec<String>,
}

impl Component {
    /// A binary that is the component.
    pub(super) fn single(program: PathBuf) -> Self {
        Self { program, args: Vec::new() }
    }

    /// The component `name` of a multi-call binary.
    pub(super) fn of(program: PathBuf, name: &str) -> Self {
        Self { program, args: vec![name.to_owned()] }
    }
}

/// What a folder has of the three components.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The datastore.
    pub(super) etcd: Option<Component>,
    /// kube-apiserver.
    pub(super) apiserver: Option<Component>,
    /// kube-controller-manager.
    pub(super) controller_manager: Option<Component>,
}

impl Found {
    /// Looks into `dir`: single binaries first, then our own multi-call `kubernetes`.
    pub(super) fn in_dir(dir: &Path) -> Self {
        let file = |name: &str| Some(dir.join(name)).filter(|path| path.is_file());
        let component = |name: &str| {
            let single = file(name).map(Component::single);
            single.or_else(|| file("kubernetes").map(|program| Component::of(program, name)))
        };
        Self {
            etcd: file("etcd").map(Component::single),
            apiserver: component("kube-apiserver"),
            controller_manager: component("kube-controller-manager"),
        }
    }

    /// The names of what is missing.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        [
            ("etcd", self.etcd.is_none()),
            ("kube-apiserver", self.apiserver.is_none()),
            ("kube-controller-manager", self.controller_manager.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, missing)| missing.then_some(name))
        .collect()
    }
}

/// Runs `component --version` and takes the word that looks like a version.
pub(super) async fn version(component: &Component) -> Result<String, ProvisionError> {
    let unusable = |reason: String| ProvisionError::Unusable { path: component.program.clone(), reason };
    let run =
        Command::new(&component.program).args(&component.args).arg("--version").kill_on_drop(true).output();
    let output = match tokio::time::timeout(ANSWER, run).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(unusable(error.to_string())),
        Err(_elapsed) => return Err(unusable(format!("no answer within {ANSWER:?}"))),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    version_in(&text).ok_or_else(|| unusable(format!("it printed `{}`", text.trim())))
}

/// The first word of the form `v1.2.3`, with what follows it.
fn version_in(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        let mut parts = word.strip_prefix('v').unwrap_or_default().split('.');
        parts.by_ref().take(2).filter(|part| part.parse::<u32>().is_ok()).count() == 2
    };
    text.split_whitespace().find(is_version).map(str::to_owned)
}

/// Whether two versions share major and minor number, which is what the API depends on.
pub(super) fn same_minor(left: &str, right: &str) -> bool {
    let minor = |version: &str| version.splitn(3, '.').take(2).map(str::to_owned).collect::<Vec<_>>();
    minor(left) == minor(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multi_call_binary_serves_both_components_and_single_binaries_win() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["kubernetes", "kube-apiserver"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = Found::in_dir(dir.path());
        assert_eq!(found.missing(), ["etcd"]);
        assert_eq!(found.apiserver.unwrap().args, Vec::<String>::new());
        assert_eq!(found.controller_manager.unwrap().args, ["kube-controller-manager"]);
    }

    #[test]
    fn the_assets_of_envtest_lack_the_controller_manager() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["etcd", "kube-apiserver", "kubectl"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(Found::in_dir(dir.path()).missing(), ["kube-controller-manager"]);
    }

    #[test]
    fn versions_are_read_and_compared_by_minor() {
        assert_eq!(version_in("Kubernetes v1.35.4\n").as_deref(), Some("v1.35.4"));
        assert_eq!(version_in("Kubernetes v1.35.4+k3s1").as_deref(), Some("v1.35.4+k3s1"));
        assert_eq!(version_in("very good"), None);
        assert!(same_minor("v1.35.4", "v1.35.0+k3s1"));
        assert!(!same_minor("v1.35.4", "v1.36.4"));
        assert!(!same_minor("v1.3.5", "v1.35.5"));
    }
}
