//! Whether the API server serves the kinds, learned by discovery, which needs no cluster-scoped rights.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::{Client, CustomResourceExt};
use thiserror::Error;
use tokio::time::timeout;

use crate::api::{
    Agent, AgentProvider, AgentRun, GROUP, ImplementationSource, ImplementationSpec, Memory, VERSION,
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

/// Names of the required CRDs that are not served.
pub(super) async fn missing(client: &Client) -> Result<Vec<String>, DiscoveryError> {
    let group_version = format!("{GROUP}/{VERSION}");
    let listed = timeout(DEADLINE, client.list_api_group_resources(&group_version)).await;
    let served: BTreeSet<String> = match listed.map_err(|_| DiscoveryError::Deadline)? {
        Ok(list) => list.resources.into_iter().map(|resource| resource.name).collect(),
        Err(error) if api_code(&error) == Some(404) => BTreeSet::new(),
        Err(error) => return Err(DiscoveryError::List(error)),
    };
    Ok(required()
        .into_iter()
        .filter(|name| !name.split_once('.').is_some_and(|(plural, _)| served.contains(plural)))
        .map(str::to_owned)
        .collect())
}

/// All kinds but `VersionControlProvider`, which is needed only while version control is on.
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
