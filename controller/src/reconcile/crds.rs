//! Whether the API server serves the kinds, learned by discovery, which needs no cluster-scoped rights.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::{Client, CustomResourceExt};
use thiserror::Error;
use tokio::time::timeout;

use crate::api::{
    Agent, AgentProvider, AgentRun, GROUP, ImplementationSource, ImplementationSpec, Memory, VERSION,
    VersionControlProvider,
};

use super::error::api_code;

const DEADLINE: Duration = Duration::from_secs(5);

/// Discovery did not work, so nothing is known.
#[derive(Debug, Error)]
pub(super) enum DiscoveryError {
    /// The API server refused or could not be reached.
    #[error("list the resources of {GROUP}/{VERSION}: {0}")]
    List(#[source] kube::Error),
    /// The API server did not answer.
    #[error("list the resources of {GROUP}/{VERSION} within {DEADLINE:?}")]
    Deadline,
}

/// Names of the required CRDs that are not served; that of version control providers only counts while
/// these are switched on.
pub(super) async fn missing(client: &Client, vcs_providers: bool) -> Result<Vec<String>, DiscoveryError> {
    let group_version = format!("{GROUP}/{VERSION}");
    let listed = timeout(DEADLINE, client.list_api_group_resources(&group_version)).await;
    let served: BTreeSet<String> = match listed.map_err(|_| DiscoveryError::Deadline)? {
        Ok(list) => list.resources.into_iter().map(|resource| resource.name).collect(),
        Err(error) if api_code(&error) == Some(404) => BTreeSet::new(),
        Err(error) => return Err(DiscoveryError::List(error)),
    };
    let vcs = vcs_providers.then(VersionControlProvider::crd_name);
    Ok(required()
        .into_iter()
        .chain(vcs)
        .filter(|name| !name.split_once('.').is_some_and(|(plural, _)| served.contains(plural)))
        .map(str::to_owned)
        .collect())
}

/// CRDs that are needed in any case.
fn required() -> [&'static str; 6] {
    [
        AgentRun::crd_name(),
        Agent::crd_name(),
        AgentProvider::crd_name(),
        ImplementationSpec::crd_name(),
        ImplementationSource::crd_name(),
        Memory::crd_name(),
    ]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::super::mock::{api_server, refusal};
    use super::*;

    /// [HL-01]
    #[rstest]
    #[case(&["agentruns", "agents", "agentproviders", "implementationspecs", "implementationsources", "memories"], false, &[])]
    #[case(&["agentruns", "agents", "agentproviders", "implementationspecs", "implementationsources"], false, &["memories"])]
    #[case(&["agentruns", "agents", "agentproviders", "implementationspecs", "implementationsources", "memories"], true, &["versioncontrolproviders"])]
    #[tokio::test]
    async fn what_the_group_does_not_serve_is_missing(
        #[case] served: &'static [&'static str],
        #[case] vcs_providers: bool,
        #[case] expected: &[&str],
    ) {
        let (client, _) = api_server(move |_| {
            let resources: Vec<_> = served
                .iter()
                .map(|name| json!({"name": name, "singularName": "", "namespaced": true, "kind": "K", "verbs": []}))
                .collect();
            (200, json!({"groupVersion": "agents.proompteng.ai/v1alpha1", "resources": resources}))
        });
        let expected: Vec<_> = expected.iter().map(|plural| format!("{plural}.{GROUP}")).collect();
        assert_eq!(missing(&client, vcs_providers).await.unwrap(), expected);
    }

    /// [HL-01]
    #[tokio::test]
    async fn without_the_group_everything_is_missing_and_trouble_says_nothing() {
        let (absent, _) = api_server(|_| refusal(404, "NotFound"));
        assert_eq!(missing(&absent, false).await.unwrap().len(), 6);
        let (down, _) = api_server(|_| refusal(503, "ServiceUnavailable"));
        assert!(missing(&down, false).await.is_err());
    }
}
