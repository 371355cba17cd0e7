//! Installs a release and reads back from the API server what it asks to be run.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, Secret};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::bundle::RELEASE_LABEL;
use super::call::request;
use super::context::{ReleaseSpec, SubjectContext};
use super::error::SubjectError;
use super::helm::HelmRelease;
use super::implementation::Install;
use super::pod_template::{References, Sources, references};
use super::{launch, manifests, values};

/// Installs the release, or upgrades it if it is there.
pub(super) async fn install(context: &SubjectContext, release: &ReleaseSpec) -> Result<(), SubjectError> {
    if context.implementation.install.chart().is_none() {
        return manifests::apply(context, release).await;
    }
    let (helm, chart) = context.chart()?;
    let release = HelmRelease {
        chart: &chart,
        name: context.implementation.release(),
        namespace: &release.namespace,
        value_files: &context.implementation.value_files(),
        values: &values::for_release(&context.implementation, release),
    };
    Ok(helm.install(&context.kubeconfig_path, release).await?)
}

/// The Deployments of a release, sorted by name; for a command the one that it stands for.
pub(super) async fn deployments(
    context: &SubjectContext,
    release: &ReleaseSpec,
) -> Result<Vec<Deployment>, SubjectError> {
    match &context.implementation.install {
        Install::Chart(_) => of_chart(context, release).await,
        Install::Manifests(_) => of_manifests(context, release).await,
        Install::Command(launch) => {
            let implementation = &context.implementation;
            let values = values::for_release(implementation, release);
            let mapping = &implementation.mapping;
            let settings = mapping.environment(&values, &release.namespace);
            let replicas = mapping.replicas(&values).unwrap_or(1);
            let name = implementation.release();
            Ok(vec![launch::deployment(launch, name, &release.namespace, settings, replicas)])
        }
    }
}

async fn of_manifests(
    context: &SubjectContext,
    release: &ReleaseSpec,
) -> Result<Vec<Deployment>, SubjectError> {
    let namespace = &release.namespace;
    let api: Api<Deployment> = Api::namespaced(context.client.clone(), namespace);
    let ours = ListParams::default().labels(&format!("{RELEASE_LABEL}={namespace}"));
    let action = format!("list the Deployments of the release in namespace `{namespace}`");
    let mut found = request(&action, api.list(&ours)).await?.items;
    if found.is_empty() {
        let release = context.implementation.release().to_owned();
        return Err(SubjectError::NoDeployment { release, namespace: namespace.clone() });
    }
    found.sort_by_key(ResourceExt::name_any);
    Ok(found)
}

async fn of_chart(context: &SubjectContext, release: &ReleaseSpec) -> Result<Vec<Deployment>, SubjectError> {
    let name = context.implementation.release();
    let namespace = &release.namespace;
    let action = format!("list the Deployments of release `{name}` in namespace `{namespace}`");
    let belongs = |deployment: &Deployment| {
        let annotations = deployment.annotations();
        annotations.get("meta.helm.sh/release-name").map(String::as_str) == Some(name)
            && annotations.get("meta.helm.sh/release-namespace") == Some(namespace)
    };
    let managed = ListParams::default().labels("app.kubernetes.io/managed-by=Helm");
    // A chart may put its objects into another namespace than the release's; that is looked for second,
    // because a list of the whole cluster grows with the number of releases.
    for api in [Api::namespaced(context.client.clone(), namespace), Api::all(context.client.clone())] {
        let mut found = request(&action, api.list(&managed)).await?.items;
        found.retain(belongs);
        if !found.is_empty() {
            found.sort_by_key(ResourceExt::name_any);
            return Ok(found);
        }
    }
    Err(SubjectError::NoDeployment { release: name.to_owned(), namespace: namespace.clone() })
}

/// The pod template of a Deployment; the API server refuses Deployments without one.
pub(super) fn pod_spec(deployment: &Deployment) -> PodSpec {
    deployment.spec.as_ref().and_then(|spec| spec.template.spec.clone()).unwrap_or_default()
}

/// How many pods a Deployment wants.
pub(super) fn replicas(deployment: &Deployment) -> u32 {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    u32::try_from(wanted).unwrap_or(0)
}

/// Reads the `ConfigMaps` and Secrets that the containers of a pod refer to.
pub(super) async fn sources(
    client: &Client,
    namespace: &str,
    pod: &PodSpec,
) -> Result<Sources, SubjectError> {
    let mut names = References::default();
    for References { config_maps, secrets } in pod.containers.iter().map(references) {
        names.config_maps.extend(config_maps);
        names.secrets.extend(secrets);
    }
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let config_maps = try_join_all(names.config_maps.into_iter().map(|name| {
        let api = config_maps.clone();
        async move {
            let action = format!("get ConfigMap `{namespace}/{name}`");
            let found = request(&action, api.get_opt(&name)).await?;
            Ok::<_, SubjectError>(found.map(|found| (name, found.data.unwrap_or_default())))
        }
    }));
    let secrets = try_join_all(names.secrets.into_iter().map(|name| {
        let api = secrets.clone();
        async move {
            let action = format!("get Secret `{namespace}/{name}`");
            let found = request(&action, api.get_opt(&name)).await?;
            Ok::<_, SubjectError>(found.map(|found| (name, texts(found))))
        }
    }));
    let (config_maps, secrets) = futures::try_join!(config_maps, secrets)?;
    Ok(Sources {
        config_maps: config_maps.into_iter().flatten().collect(),
        secrets: secrets.into_iter().flatten().collect(),
    })
}

fn texts(secret: Secret) -> BTreeMap<String, String> {
    let data = secret.data.unwrap_or_default();
    data.into_iter().filter_map(|(key, value)| Some((key, String::from_utf8(value.0).ok()?))).collect()
}
