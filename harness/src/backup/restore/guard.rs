//! No controller may act on runs whose status is not there yet.
//!
//! Whoever leads must be held by the `ConfigMap` that its controller watches. It lies outside the restored
//! objects: a pause inside of them would come too late for some of them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::error::Finding;
use super::lock::lease;
use crate::backup::api::{ApiError, ObjectApi, Which};
use crate::backup::defects::Defect;
use crate::backup::kind::Kind;

/// Name of the `ConfigMap` that holds the reference controller.
pub(in crate::backup) const HOLD: &str = "agents-restore-hold";

/// How long controllers may take to see a new hold.
const SEEN: Duration = Duration::from_secs(5);

/// How a running controller is found and held.
#[derive(Debug, Clone)]
pub struct LeaderGuard {
    /// Name of the Lease of the controller's leader.
    pub lease: String,
    /// Name of the `ConfigMap` that holds the controller, in the namespace of the Lease.
    pub hold: String,
    /// Where to look; everywhere if `None`.
    pub namespace: Option<String>,
    /// Nobody looks: the operator knows that none runs.
    pub assume_none: bool,
}

impl Default for LeaderGuard {
    fn default() -> Self {
        Self {
            lease: "agents-controller-leader".to_owned(),
            hold: HOLD.to_owned(),
            namespace: None,
            assume_none: false,
        }
    }
}

/// The leaders that would act on restored runs, or why that is not known.
pub(super) async fn unheld(api: &ObjectApi, guard: &LeaderGuard) -> Result<Vec<Finding>, ApiError> {
    if guard.assume_none || Defect::LeaderNotLookedFor.is_planted() {
        return Ok(Vec::new());
    }
    let which = Which { namespace: guard.namespace.as_deref(), name: Some(&guard.lease), ..Which::default() };
    let leases = match api.list(&lease(), which).await {
        Ok(listed) => listed.items,
        Err(error) if error.is_forbidden() => {
            return Ok(vec![Finding::UnknownLeader { reason: error.reason() }]);
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for lease in &leases {
        let Some(holder) = leader(lease) else { continue };
        let namespace = lease.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
        match api.get(&Kind::config_map(), Some(namespace), &guard.hold).await {
            Ok(Some(hold)) => settle(&hold).await,
            Ok(None) => found.push(Finding::Unheld {
                holder,
                lease: format!("{namespace}/{}", guard.lease),
                hold: guard.hold.clone(),
            }),
            Err(error) if error.is_forbidden() => {
                found.push(Finding::UnknownLeader { reason: error.reason() });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Who leads or led last; `None` if the leader has given the Lease back, as one that is stopped in order does.
///
/// That its time is over makes no difference: a leader that was killed is followed by whichever replica
/// looks next, which may be in the middle of the restore.
fn leader(lease: &Value) -> Option<String> {
    let holder = lease.pointer("/spec/holderIdentity")?.as_str()?;
    (!holder.is_empty()).then(|| holder.to_owned())
}

/// Waits until a hold is old enough for every replica to have seen it.
async fn settle(hold: &Value) {
    let created = hold.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    let Some(Ok(created)) = created.map(str::parse::<Timestamp>) else { return };
    let age = Duration::try_from(Timestamp::now().duration_since(created)).unwrap_or_default();
    // Nothing can be watched instead: controllers do not answer through the API.
    tokio::time::sleep(SEEN.saturating_sub(age)).await;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_leader_that_was_killed_counts_until_its_lease_is_given_back() {
        let lease = |holder: Value| {
            json!({"spec": {
                "holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z",
            }})
        };
        assert_eq!(leader(&lease(json!("agents-0"))).as_deref(), Some("agents-0"));
        assert_eq!(leader(&lease(json!(""))), None);
        assert_eq!(leader(&lease(Value::Null)), None);
        assert_eq!(leader(&json!({})), None);
    }
}
