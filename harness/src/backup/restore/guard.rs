//! No controller may act on runs whose status is not there yet.
//!
//! Whoever leads must be held by the `ConfigMap` that its controller watches. It lies outside the restored
//! objects: a pause inside of them would come too late for some of them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::error::Finding;
use super::lock::{Held, holder, lease};
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
        let Some(Held { holder, .. }) = holder(lease) else { continue };
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

/// Waits until a hold is old enough for every replica to have seen it.
async fn settle(hold: &Value) {
    let created = hold.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    let Some(Ok(created)) = created.map(str::parse::<Timestamp>) else { return };
    let age = Duration::try_from(Timestamp::now().duration_since(created)).unwrap_or_default();
    // Nothing can be watched instead: controllers do not answer through the API.
    tokio::time::sleep(SEEN.saturating_sub(age)).await;
}
