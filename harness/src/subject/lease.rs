//! Which replica leads: the one that holds the Lease.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::runtime::wait::await_condition;

use super::context::SubjectContext;
use super::error::SubjectError;

/// How long the Lease may take to be held: two lease times of a subject with short ones.
const HELD: Duration = Duration::from_secs(15);

/// The one of `pods` whose name is part of the holder's identity.
pub(super) async fn holder(
    context: &SubjectContext,
    namespace: &str,
    pods: &BTreeSet<String>,
) -> Result<String, SubjectError> {
    let setting = context.implementation.settings.leader_lease.as_ref().ok_or(SubjectError::NoLease)?;
    let seen = Mutex::new(None);
    let api: Api<Lease> = Api::namespaced(context.client.clone(), namespace);
    let held = await_condition(api, &setting.name, |lease: Option<&Lease>| {
        let identity = lease.and_then(|lease| lease.spec.as_ref()?.holder_identity.clone());
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone_from(&identity);
        leader(identity.as_deref(), pods).is_some()
    });
    let waited = context.pulse.wait(HELD, held).await.err();
    let identity = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    leader(identity.as_deref(), pods).map(str::to_owned).ok_or_else(|| SubjectError::NoLeader {
        lease: format!("{namespace}/{}", setting.name),
        within: waited.unwrap_or(HELD),
        identity: identity.unwrap_or_else(|| "nobody".to_owned()),
    })
}

/// The longest name wins, so that no name is taken for another one that it begins with.
fn leader<'a>(identity: Option<&str>, pods: &'a BTreeSet<String>) -> Option<&'a str> {
    let identity = identity?;
    let named = pods.iter().filter(|pod| identity.contains(pod.as_str()));
    named.max_by_key(|pod| pod.len()).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_name(Some("agents-0-1"), Some("agents-0-1"))]
    #[case::name_and_more(Some("agents-0-1_5f0c"), Some("agents-0-1"))]
    #[case::longest(Some("agents-0-12"), Some("agents-0-12"))]
    #[case::somebody_else(Some("other"), None)]
    #[case::nobody(None, None)]
    fn the_holder_is_the_pod_that_its_identity_names(
        #[case] identity: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let pods = BTreeSet::from(["agents-0-1", "agents-0-12"].map(str::to_owned));
        assert_eq!(leader(identity, &pods), expected);
    }
}
