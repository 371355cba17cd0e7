//! Who may lead: what a Lease says to one replica, by the replica's own clock.
//!
//! Times that other replicas wrote are never compared with this clock: a Lease is over when nobody has
//! changed it for as long as it says, counted here from the moment it was seen changed.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::text::given;

/// How long things take. Always `retry < renew < lease`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a Lease holds after its last renewal.
    pub lease: Duration,
    /// How long the leader may fail to renew before it stops.
    pub renew: Duration,
    /// Time between two attempts.
    pub retry: Duration,
}

/// A Lease as this replica saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    spec: LeaseSpec,
    version: Option<String>,
    /// When it was first seen like this.
    since: Instant,
}

/// What a replica that does not lead does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Create the Lease.
    Create,
    /// Take the Lease with this patch.
    Take(Value),
    /// Look again after this time.
    Wait(Duration),
}

impl Seen {
    /// Takes in what was read at `now`; a Lease that says the same as before was not renewed.
    pub fn new(lease: Lease, before: Option<Self>, now: Instant) -> Self {
        let version = lease.resource_version();
        let spec = lease.spec.unwrap_or_default();
        let since = before.filter(|before| before.spec == spec).map_or(now, |before| before.since);
        Self { spec, version, since }
    }

    /// Who holds the Lease.
    pub fn holder(&self) -> Option<&str> {
        given(self.spec.holder_identity.as_ref())
    }

    /// How long the Lease holds still.
    fn left(&self, terms: &Terms, now: Instant) -> Duration {
        let written = self.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let lease = written.map_or(terms.lease, Duration::from_secs);
        (self.since + lease).saturating_duration_since(now)
    }
}

/// Decides for `me` what to do about a Lease that exists or does not, given what was seen of it last.
pub fn next(exists: bool, seen: Option<&Seen>, me: &str, terms: &Terms, now: Instant) -> Step {
    let foreign = seen.filter(|seen| seen.holder().is_some_and(|holder| holder != me));
    let left = foreign.map(|seen| seen.left(terms, now)).filter(|left| !left.is_zero());
    match (left, seen) {
        // Looking a little more often than agreed leaves time for the requests themselves, and waking up
        // at the end of the Lease loses none. A holder whose Lease was deleted may not know it yet.
        (Some(left), _) => Step::Wait(left.min(terms.retry.mul_f32(0.8))),
        (None, Some(seen)) if exists => Step::Take(take(seen, me, terms)),
        _ => Step::Create,
    }
}

/// The spec of a Lease that `me` holds from now on.
pub fn held(me: &str, terms: &Terms, transitions: i32) -> Value {
    let now = MicroTime(Timestamp::now());
    json!({
        "holderIdentity": me,
        "leaseDurationSeconds": terms.lease.as_secs().max(1),
        "acquireTime": now,
        "renewTime": now,
        "leaseTransitions": transitions,
    })
}

/// Each patch carries the version that was seen, so that of several replicas only one succeeds.
fn take(seen: &Seen, me: &str, terms: &Terms) -> Value {
    let transitions = seen.spec.lease_transitions.unwrap_or_default().saturating_add(1);
    json!({"metadata": {"resourceVersion": seen.version}, "spec": held(me, terms, transitions)})
}

/// The patch that renews a Lease.
pub fn renew(seen: &Seen) -> Value {
    let now = MicroTime(Timestamp::now());
    json!({"metadata": {"resourceVersion": seen.version}, "spec": {"renewTime": now}})
}

/// The patch that gives a Lease back.
pub fn release(seen: &Seen) -> Value {
    json!({
        "metadata": {"resourceVersion": seen.version},
        "spec": {"holderIdentity": null, "acquireTime": null, "renewTime": null, "leaseDurationSeconds": 1},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        lease: Duration::from_secs(30),
        renew: Duration::from_secs(20),
        retry: Duration::from_secs(5),
    };

    fn lease(spec: &Value, version: &str) -> Lease {
        serde_json::from_value(json!({"metadata": {"resourceVersion": version}, "spec": spec})).unwrap()
    }

    fn seen(spec: &Value, now: Instant) -> Seen {
        Seen::new(lease(spec, "7"), None, now)
    }

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_that_is_not_there_is_created() {
        assert_eq!(next(false, None, "me", &TERMS, Instant::now()), Step::Create);
    }

    #[test]
    fn a_lease_that_was_given_back_is_taken_at_once_and_only_in_the_version_that_was_seen() {
        let now = Instant::now();
        let free = seen(&json!({"leaseDurationSeconds": 1, "leaseTransitions": 3}), now);
        let Step::Take(patch) = next(true, Some(&free), "me", &TERMS, now) else { panic!("not taken") };
        assert_eq!(patch["metadata"], json!({"resourceVersion": "7"}));
        assert_eq!(patch["spec"]["holderIdentity"], "me");
        assert_eq!(patch["spec"]["leaseDurationSeconds"], 30);
        assert_eq!(patch["spec"]["leaseTransitions"], 4);
    }

    /// [LC-19]
    #[test]
    fn a_foreign_lease_is_taken_only_when_nobody_changed_it_for_as_long_as_it_holds() {
        let start = Instant::now();
        let spec = |renewed: &str| json!({"holderIdentity": "other", "leaseDurationSeconds": 10, "renewTime": renewed});
        // The holder's clock is years behind, which must not matter.
        let first = seen(&spec("2001-01-01T00:00:00.000000Z"), start);
        assert_eq!(next(true, Some(&first), "me", &TERMS, start), Step::Wait(after(4)));
        assert_eq!(next(true, Some(&first), "me", &TERMS, start + after(9)), Step::Wait(after(1)));
        let again = lease(&spec("2001-01-01T00:00:00.000000Z"), "8");
        let same = Seen::new(again, Some(first), start + after(9));
        assert!(matches!(next(true, Some(&same), "me", &TERMS, start + after(10)), Step::Take(_)));
        let renewed = lease(&spec("2001-01-01T00:00:05.000000Z"), "9");
        let renewed = Seen::new(renewed, Some(same), start + after(9));
        assert_eq!(next(true, Some(&renewed), "me", &TERMS, start + after(10)), Step::Wait(after(4)));
    }

    /// [LC-19]
    #[test]
    fn a_holder_whose_lease_was_deleted_is_still_waited_for() {
        let start = Instant::now();
        let held = seen(&json!({"holderIdentity": "other", "leaseDurationSeconds": 10}), start);
        assert!(matches!(next(false, Some(&held), "me", &TERMS, start + after(9)), Step::Wait(_)));
        assert_eq!(next(false, Some(&held), "me", &TERMS, start + after(10)), Step::Create);
    }

    #[test]
    fn an_own_lease_whose_answer_was_lost_is_taken_again() {
        let now = Instant::now();
        let own = seen(&json!({"holderIdentity": "me", "leaseDurationSeconds": 30}), now);
        assert!(matches!(next(true, Some(&own), "me", &TERMS, now), Step::Take(_)));
    }

    #[test]
    fn giving_back_leaves_no_holder_behind() {
        let held = seen(&json!({"holderIdentity": "me"}), Instant::now());
        let mut object = serde_json::to_value(lease(&json!({"holderIdentity": "me"}), "7")).unwrap();
        json_patch::merge(&mut object, &release(&held));
        let released = Seen::new(serde_json::from_value(object).unwrap(), Some(held), Instant::now());
        assert_eq!(released.holder(), None);
    }
}
