//! One restore at a time: a Lease that is taken by a create, which only one can win.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::RestoreError;
use crate::backup::api::{ApiError, ObjectApi};
use crate::backup::defects::Defect;
use crate::backup::kind::{Kind, Role};

/// Name of the Lease.
pub(super) const NAME: &str = "hallmark-restore";

/// The kind of the lock.
pub(in crate::backup) fn lease() -> Kind {
    Kind { namespaced: true, ..Kind::built_in("coordination.k8s.io", "Lease", "leases", Role::Config) }
}

/// A held lock.
#[derive(Debug)]
pub(super) struct Lock<'a> {
    api: &'a ObjectApi,
    live: Value,
    duration: Duration,
}

/// Where the lock is and how long it outlives a holder that was killed.
#[derive(Debug, Clone, Copy)]
pub(super) struct LockSettings<'a> {
    pub(super) namespace: &'a str,
    pub(super) duration: Duration,
}

/// Refuses if another restore holds the lock now. Reads only.
pub(super) async fn check(api: &ObjectApi, settings: LockSettings<'_>) -> Result<(), RestoreError> {
    match api.get(&lease(), Some(settings.namespace), NAME).await? {
        Some(live) => held(&live, settings).map_or(Ok(()), Err),
        None => Ok(()),
    }
}

/// Takes the lock, also from a holder that does not renew it any more.
pub(super) async fn acquire<'a>(
    api: &'a ObjectApi,
    settings: LockSettings<'_>,
) -> Result<Lock<'a>, RestoreError> {
    let holder = format!("hallmark-{}-{}", std::process::id(), Timestamp::now().as_nanosecond());
    let LockSettings { namespace, duration } = settings;
    let wanted = json!({
        "apiVersion": lease().api_version(), "kind": "Lease",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": duration.as_secs().max(1),
            "acquireTime": now(), "renewTime": now(),
        },
    });
    let live = match api.create(&lease(), &wanted, false).await {
        Err(error) if error.is_already_exists() => take_over(api, settings, &wanted).await?,
        created => created?,
    };
    Ok(Lock { api, live, duration })
}

async fn take_over(
    api: &ObjectApi,
    settings: LockSettings<'_>,
    wanted: &Value,
) -> Result<Value, RestoreError> {
    let Some(mut live) = api.get(&lease(), Some(settings.namespace), NAME).await? else {
        // Released in between; somebody else may be quicker now.
        return Ok(api.create(&lease(), wanted, false).await?);
    };
    // A create whose answer was lost: the lock is ours.
    if live.pointer("/spec/holderIdentity") == wanted.pointer("/spec/holderIdentity") {
        return Ok(live);
    }
    if let Some(error) = held(&live, settings) {
        return Err(error);
    }
    if let Some(over) = holder(&live) {
        // Over by the clock of this machine, and the holder's may be another: over is what nobody renews.
        tokio::time::sleep(over.duration).await;
        let Some(again) = api.get(&lease(), Some(settings.namespace), NAME).await? else {
            return Ok(api.create(&lease(), wanted, false).await?);
        };
        if let Some(held) = renewed(&live, &again) {
            return Err(held.locked(settings));
        }
        live = again;
    }
    if let Some(spec) = live.get_mut("spec") {
        *spec = wanted.get("spec").cloned().unwrap_or_default();
    }
    match api.replace(&lease(), &live, false).await {
        // Another one took it over first.
        Err(error) if error.is_conflict() => {
            check(api, settings).await?;
            Err(error.into())
        }
        replaced => Ok(replaced?),
    }
}

/// The error that names the holder of the lock, unless its time is over by the clock of this machine.
fn held(live: &Value, settings: LockSettings<'_>) -> Option<RestoreError> {
    let held = holder(live).filter(|held| held.age <= held.duration)?;
    Some(held.locked(settings))
}

/// Who holds the Lease, if anybody wrote it between two looks.
fn renewed(before: &Value, after: &Value) -> Option<Held> {
    let version = |lease: &Value| lease.pointer("/metadata/resourceVersion").cloned();
    let held = holder(after).filter(|_| version(before) != version(after))?;
    Some(Held { age: held.age.min(held.duration), ..held })
}

/// Who holds a Lease.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    holder: String,
    /// Since it was renewed, by the clock of this machine.
    age: Duration,
    duration: Duration,
}

impl Held {
    fn locked(self, settings: LockSettings<'_>) -> RestoreError {
        let Self { holder, age, duration } = self;
        RestoreError::Locked { holder, lease: format!("{}/{NAME}", settings.namespace), age, duration }
    }
}

/// Who holds the Lease or held it last; `None` if it was given back.
fn holder(lease: &Value) -> Option<Held> {
    let text = |field: &str| lease.get("spec")?.get(field)?.as_str();
    let holder = text("holderIdentity").filter(|holder| !holder.is_empty())?.to_owned();
    if Defect::LockIgnored.is_planted() {
        return None;
    }
    let renewed = text("renewTime").and_then(|time| time.parse::<Timestamp>().ok());
    // A clock that is ahead must not make a held lock look free.
    let since = |renewed| Duration::try_from(Timestamp::now().duration_since(renewed)).unwrap_or_default();
    let seconds = lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_u64).unwrap_or_default();
    let age = renewed.map_or(Duration::MAX, since);
    Some(Held { holder, age, duration: Duration::from_secs(seconds) })
}

fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

impl Lock<'_> {
    /// Renews the lock for ever; comes back when it was lost.
    pub(super) async fn keep(&mut self, settings: LockSettings<'_>) -> RestoreError {
        let mut pause = tokio::time::interval(self.duration / 3);
        let mut renewed = Instant::now();
        loop {
            pause.tick().await;
            match tokio::time::timeout(self.duration / 3, self.renew()).await {
                Ok(Ok(())) => renewed = Instant::now(),
                Ok(Err(error)) if error.is_conflict() || error.is_not_found() => break,
                _trouble if renewed.elapsed() > self.duration => break,
                _trouble => {}
            }
        }
        RestoreError::LockLost { lease: format!("{}/{NAME}", settings.namespace) }
    }

    async fn renew(&mut self) -> Result<(), ApiError> {
        let mut renewed = self.live.clone();
        if let Some(time) = renewed.pointer_mut("/spec/renewTime") {
            *time = now().into();
        }
        match self.api.replace(&lease(), &renewed, false).await {
            Err(error) if error.is_conflict() => {
                // The answer to the last renewal may have been lost.
                let (namespace, holder) = ("/metadata/namespace", "/spec/holderIdentity");
                let namespace = self.live.pointer(namespace).and_then(Value::as_str);
                match self.api.get(&lease(), namespace, NAME).await? {
                    Some(live) if live.pointer(holder) == self.live.pointer(holder) => self.live = live,
                    _other => return Err(error),
                }
            }
            replaced => self.live = replaced?,
        }
        Ok(())
    }

    /// Gives the lock back. Whoever cannot loses it by time.
    pub(super) async fn release(self) {
        let uid = self.live.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        if let Err(error) = self.api.delete(&lease(), &self.live, uid).await {
            tracing::debug!(%error, "the lock ends by time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease_of(holder: &str, ago: i64) -> Value {
        let renewed = Timestamp::now() - jiff::SignedDuration::from_secs(ago);
        json!({"spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed.to_string()}})
    }

    #[test]
    fn a_lease_is_held_until_its_time_is_over() {
        let settings = LockSettings { namespace: "default", duration: Duration::from_secs(15) };
        let is_held = |lease: &Value| held(lease, settings).is_some();
        assert!(is_held(&lease_of("a", 3)));
        assert!(is_held(&lease_of("a", -3)), "a clock that is ahead");
        assert!(!is_held(&lease_of("a", 30)));
        assert!(!is_held(&lease_of("", 3)));
        assert!(!is_held(&json!({})));
    }

    #[test]
    fn a_lease_that_changes_is_held_whatever_time_it_tells() {
        let at = |version: &str, holder: &str| {
            let mut lease = lease_of(holder, 3600);
            lease["metadata"] = json!({"resourceVersion": version});
            lease
        };
        let seen = at("1", "a");
        assert_eq!(renewed(&seen, &seen), None);
        let held = renewed(&seen, &at("2", "a")).unwrap();
        assert_eq!(
            (held.holder.as_str(), held.age),
            ("a", Duration::from_secs(15)),
            "no older than the look"
        );
        assert_eq!(renewed(&seen, &at("2", "b")).unwrap().holder, "b");
        assert_eq!(renewed(&seen, &at("2", "")), None, "it was given back");
    }

    #[test]
    fn times_are_written_as_kubernetes_reads_micro_times() {
        let text = now();
        assert!(text.ends_with('Z') && text.split('.').next_back().unwrap().len() == 7, "{text}");
    }
}
