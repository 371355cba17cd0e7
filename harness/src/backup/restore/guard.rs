//! No controller may act on runs whose status is not there yet.
//!
//! It must be held by the `ConfigMap` that it watches. That lies outside the restored objects: a pause inside
//! of them would come too late for some of them. Nothing shows that no controller runs, for one that is alone
//! needs no Lease: without a hold only the operator's word lets a restore begin.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::Finding;
use super::lock::lease;
use crate::backup::api::{ApiError, ObjectApi, Which};
use crate::backup::defects::Defect;
use crate::backup::kind::Kind;

/// Name of the `ConfigMap` that holds the reference controller.
pub(in crate::backup) const HOLD: &str = "agents-restore-hold";

/// How a running controller is found and held.
#[derive(Debug, Clone)]
pub struct LeaderGuard {
    /// Name of the Lease of the controller's leader.
    pub lease: String,
    /// Name of the `ConfigMap` that holds the controller, in its namespace, where the Lease is, too.
    pub hold: String,
    /// Where to look; everywhere if `None`.
    pub namespace: Option<String>,
    /// How long controllers may take to see a new hold.
    pub seen: Duration,
    /// Nobody looks: the operator knows that none runs.
    pub assume_none: bool,
}

impl Default for LeaderGuard {
    fn default() -> Self {
        Self {
            lease: "agents-controller-leader".to_owned(),
            hold: HOLD.to_owned(),
            namespace: None,
            seen: Duration::from_secs(5),
            assume_none: false,
        }
    }
}

/// What says that a controller may act on restored runs, or why that is not known.
pub(super) async fn unheld(api: &ObjectApi, guard: &LeaderGuard) -> Result<Vec<Finding>, ApiError> {
    if guard.assume_none || Defect::LeaderNotLookedFor.is_planted() {
        return Ok(Vec::new());
    }
    let (of_leader, of_hold) = (lease(), Kind::config_map());
    let named = |name| Which { namespace: guard.namespace.as_deref(), name: Some(name), ..Which::default() };
    let leases = api.list(&of_leader, named(&guard.lease));
    let holds = api.list(&of_hold, named(&guard.hold));
    let (leases, holds) = match tokio::try_join!(leases, holds) {
        Ok((leases, holds)) => (leases.items, holds.items),
        // Who may not look cannot be told that a controller is held.
        Err(error) if error.is_forbidden() => {
            return Ok(vec![Finding::UnknownLeader { reason: error.reason() }]);
        }
        Err(error) => return Err(error),
    };
    let found = acting(guard, &leases, &holds);
    if found.is_empty() {
        settle(api, guard, &holds).await?;
    }
    Ok(found)
}

/// Every leader must have a hold in its namespace, and without any leader there must be a hold all the same, where
/// the controller is said to be.
fn acting(guard: &LeaderGuard, leases: &[Value], holds: &[Value]) -> Vec<Finding> {
    let led: Vec<(&str, String)> =
        leases.iter().filter_map(|lease| Some((namespace(lease), leader(lease)?))).collect();
    if led.is_empty() && !Defect::HoldOnlyForLeaders.is_planted() {
        return nobody_leads(guard, holds);
    }
    let is_held = |place: &str| holds.iter().any(|hold| namespace(hold) == place);
    let finding = |(place, holder): (&str, String)| Finding::Unheld {
        holder,
        lease: format!("{place}/{}", guard.lease),
        hold: guard.hold.clone(),
    };
    led.into_iter().filter(|(place, _holder)| !is_held(place)).map(finding).collect()
}

fn nobody_leads(guard: &LeaderGuard, holds: &[Value]) -> Vec<Finding> {
    let hold = guard.hold.clone();
    match (holds, &guard.namespace) {
        ([], _) => vec![Finding::NoHold { hold }],
        (_, Some(_told)) => Vec::new(),
        (holds, None) => {
            let mut namespaces: Vec<String> = holds.iter().map(|hold| namespace(hold).to_owned()).collect();
            namespaces.sort();
            vec![Finding::HoldSomewhere { hold, namespaces }]
        }
    }
}

fn namespace(object: &Value) -> &str {
    object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default()
}

/// Who leads or led last; `None` if the leader has given the Lease back, as one that is stopped in order does.
///
/// That its time is over makes no difference: a leader that was killed is followed by whichever replica
/// looks next, which may be in the middle of the restore.
fn leader(lease: &Value) -> Option<String> {
    let holder = lease.pointer("/spec/holderIdentity")?.as_str()?;
    (!holder.is_empty()).then(|| holder.to_owned())
}

/// Waits until the newest hold is old enough for every replica to have seen it. Nothing can be watched instead:
/// controllers do not answer through the API.
async fn settle(api: &ObjectApi, guard: &LeaderGuard, holds: &[Value]) -> Result<(), ApiError> {
    let Some(newest) = holds.iter().filter_map(created).max() else { return Ok(()) };
    if guard.seen.is_zero() {
        return Ok(());
    }
    tokio::time::sleep(left(guard.seen, newest, now(api).await?)).await;
    Ok(())
}

/// How long to wait until something is `old` that was created at this time; all of it if nobody tells the present
/// time. The API server tells times in whole seconds, cut off.
fn left(old: Duration, created: Timestamp, now: Option<Timestamp>) -> Duration {
    let age = now.map(|now| Duration::try_from(now.duration_since(created)).unwrap_or_default());
    old.saturating_sub(age.unwrap_or_default().saturating_sub(Duration::from_secs(1)))
}

/// The present time of the API server, whose clock the ages of objects are told by: it is in an object that is
/// tried and not made.
async fn now(api: &ObjectApi) -> Result<Option<Timestamp>, ApiError> {
    let clock = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"generateName": "hallmark-clock-", "namespace": "default"},
    });
    match api.create(&Kind::config_map(), &clock, true).await {
        Ok(tried) => Ok(created(&tried)),
        Err(error) if error.is_refusal() => Ok(None),
        Err(error) => Err(error),
    }
}

fn created(object: &Value) -> Option<Timestamp> {
    object.pointer("/metadata/creationTimestamp")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
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

    fn at(namespace: &str, holder: &str) -> Value {
        json!({"metadata": {"namespace": namespace}, "spec": {"holderIdentity": holder}})
    }

    #[test]
    fn a_hold_is_wanted_also_where_nobody_leads() {
        let guard = LeaderGuard::default();
        let hold = [json!({"metadata": {"namespace": "agents"}})];
        let wanted = [Finding::NoHold { hold: HOLD.to_owned() }];
        assert_eq!(acting(&guard, &[], &[]), wanted);
        assert_eq!(acting(&guard, &[at("agents", "")], &[]), wanted, "the last leader may have a successor");
        assert_eq!(acting(&guard, &[at("agents", "agents-0")], &hold), []);
    }

    #[test]
    fn a_hold_that_no_lease_leads_to_counts_only_where_the_controller_is_said_to_be() {
        let hold = [json!({"metadata": {"namespace": "elsewhere"}})];
        let somewhere =
            Finding::HoldSomewhere { hold: HOLD.to_owned(), namespaces: vec!["elsewhere".to_owned()] };
        assert_eq!(acting(&LeaderGuard::default(), &[], &hold), [somewhere]);
        let told = LeaderGuard { namespace: Some("elsewhere".to_owned()), ..LeaderGuard::default() };
        assert_eq!(acting(&told, &[], &hold), []);
    }

    #[test]
    fn a_hold_gets_its_time_by_the_clock_of_the_api_server() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let old = Duration::from_secs(5);
        let left = |now: Option<i64>| left(old, at(100), now.map(at)).as_secs();
        assert_eq!(left(Some(100)), 5);
        assert_eq!(left(Some(103)), 3, "it may have been made at the end of its second");
        assert_eq!(left(Some(106)), 0);
        assert_eq!(left(Some(90)), 5);
        assert_eq!(left(None), 5);
    }

    #[test]
    fn each_leader_needs_the_hold_of_its_namespace() {
        let hold = [json!({"metadata": {"namespace": "one"}})];
        let leases = [at("one", "one-0"), at("two", "two-0")];
        let unheld = Finding::Unheld {
            holder: "two-0".to_owned(),
            lease: "two/agents-controller-leader".to_owned(),
            hold: HOLD.to_owned(),
        };
        assert_eq!(acting(&LeaderGuard::default(), &leases, &hold), [unheld]);
    }
}
