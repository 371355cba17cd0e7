//! etcd, kube-apiserver and kube-controller-manager: found where the user says, else built.

use std::env;
use std::path::PathBuf;

use super::build::build;
use super::cache::Cache;
use super::error::ProvisionError;
pub use super::find::Component;
use super::find::{Found, same_minor, version};
use super::go;
use super::recipe::Recipe;
use crate::cluster::info::KubernetesVersion;
use crate::event::EventSink;

/// Names a folder with the components; a wrong version there is an error.
const OWN: &str = "HALLMARK_KUBE_BIN";
/// Names the assets of envtest, which other tools use as well; a wrong version there is passed over.
const ENVTEST: &str = "KUBEBUILDER_ASSETS";

/// The programs of the `local` backend.
#[derive(Debug, Clone)]
pub struct KubernetesBinaries {
    /// The datastore.
    pub etcd: Component,
    /// kube-apiserver.
    pub apiserver: Component,
    /// kube-controller-manager.
    pub controller_manager: Component,
}

/// How the components will come to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// The user named them, or they were built before.
    AtHand,
    /// Go will build what is lacking.
    ToBeBuilt,
}

/// What [`kubernetes`] will do, or why it cannot; nothing is built and nothing told.
pub async fn prospect(wanted: KubernetesVersion) -> Result<Prospect, ProvisionError> {
    let found = find(wanted, &EventSink::silent()).await?;
    let cache = Cache::open()?;
    let unbuilt = unbuilt(&found, wanted, |recipe| cache.binary(&recipe.key()).exists());
    for recipe in &unbuilt {
        go::check(recipe).await?;
    }
    Ok(if unbuilt.is_empty() { Prospect::AtHand } else { Prospect::ToBeBuilt })
}

/// What has to be built of the components that were not found.
fn unbuilt(found: &Found, wanted: KubernetesVersion, built: impl Fn(&Recipe) -> bool) -> Vec<Recipe> {
    let etcd = found.etcd.is_none().then(Recipe::etcd);
    let both = found.apiserver.is_some() && found.controller_manager.is_some();
    let kubernetes = (!both).then(|| Recipe::kubernetes(wanted));
    etcd.into_iter().chain(kubernetes).filter(|recipe| !built(recipe)).collect()
}

/// Finds or builds the components of `wanted`, one build after the other.
pub async fn kubernetes(
    wanted: KubernetesVersion,
    events: &EventSink,
) -> Result<KubernetesBinaries, ProvisionError> {
    let found = find(wanted, events).await?;
    let etcd = match found.etcd {
        Some(etcd) => etcd,
        None => Component::single(build(&Recipe::etcd(), events).await?),
    };
    let (apiserver, controller_manager) = match (found.apiserver, found.controller_manager) {
        (Some(apiserver), Some(controller_manager)) => (apiserver, controller_manager),
        (apiserver, controller_manager) => {
            let program = build(&Recipe::kubernetes(wanted), events).await?;
            let built = |name: &str| Component::of(program.clone(), name);
            (
                apiserver.unwrap_or_else(|| built("kube-apiserver")),
                controller_manager.unwrap_or_else(|| built("kube-controller-manager")),
            )
        }
    };
    Ok(KubernetesBinaries { etcd, apiserver, controller_manager })
}

async fn find(wanted: KubernetesVersion, events: &EventSink) -> Result<Found, ProvisionError> {
    if let Some(dir) = folder(OWN)? {
        let found = Found::in_dir(&dir);
        match mismatch(&found, wanted).await? {
            None => {}
            Some((component, found)) => {
                let wanted = wanted.full().to_owned();
                return Err(ProvisionError::Version { variable: OWN, component, found, wanted });
            }
        }
        tell_missing(OWN, &found, events);
        return Ok(found);
    }
    if let Ok(Some(dir)) = folder(ENVTEST) {
        let found = Found::in_dir(&dir);
        match mismatch(&found, wanted).await {
            Ok(None) => {
                tell_missing(ENVTEST, &found, events);
                return Ok(found);
            }
            Ok(Some((component, version))) => events.note(format!(
                "{ENVTEST} is not used: it has {component} {version}, but {} is wanted",
                wanted.full()
            )),
            Err(error) => events.note(format!("{ENVTEST} is not used: {error}")),
        }
    }
    Ok(Found::default())
}

fn folder(variable: &'static str) -> Result<Option<PathBuf>, ProvisionError> {
    match env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from) {
        Some(path) if path.is_dir() => Ok(Some(path)),
        Some(path) => Err(ProvisionError::NoFolder { variable, path }),
        None => Ok(None),
    }
}

/// The first Kubernetes component of another minor version, with its version.
async fn mismatch(
    found: &Found,
    wanted: KubernetesVersion,
) -> Result<Option<(&'static str, String)>, ProvisionError> {
    let components =
        [("kube-apiserver", &found.apiserver), ("kube-controller-manager", &found.controller_manager)];
    for (name, component) in components {
        if let Some(component) = component {
            let version = version(component).await?;
            if !same_minor(&version, wanted.full()) {
                return Ok(Some((name, version)));
            }
        }
    }
    Ok(None)
}

fn tell_missing(variable: &str, found: &Found, events: &EventSink) {
    let missing = found.missing();
    if !missing.is_empty() {
        events.note(format!("{variable} has no {}: built instead", missing.join(" and no ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::nothing_named(&[], &[], &["etcd", "kubernetes"])]
    #[case::built_before(&[], &["etcd", "kubernetes"], &[])]
    #[case::one_built_before(&[], &["kubernetes"], &["etcd"])]
    #[case::all_named(&["etcd", "kubernetes"], &[], &[])]
    #[case::assets_of_envtest(&["etcd", "kube-apiserver"], &[], &["kubernetes"])]
    #[case::the_rest_built_before(&["etcd", "kube-apiserver"], &["kubernetes"], &[])]
    fn what_is_neither_named_nor_cached_has_to_be_built(
        #[case] named: &[&str],
        #[case] cached: &[&str],
        #[case] expected: &[&str],
    ) {
        let dir = tempfile::tempdir().unwrap();
        for name in named {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = Found::in_dir(dir.path());
        let unbuilt = unbuilt(&found, KubernetesVersion::V1_36, |recipe| cached.contains(&recipe.name));
        assert_eq!(unbuilt.iter().map(|recipe| recipe.name).collect::<Vec<_>>(), expected);
    }
}
