//! From a verdict to a patch of the status.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::api::{Agent, AgentProvider, ImplementationSpec};

use super::super::status::reason;
use super::Verdict;

/// A kind whose status reports a verdict.
pub trait Reporting: Resource {
    /// Conditions as they were read.
    fn conditions(&self) -> &[Condition];
    /// Generation of the last verdict.
    fn observed_generation(&self) -> Option<i64>;
}

macro_rules! reporting {
    ($($kind:ty),*) => {$(
        impl Reporting for $kind {
            fn conditions(&self) -> &[Condition] {
                self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
            }

            fn observed_generation(&self) -> Option<i64> {
                self.status.as_ref()?.observed_generation
            }
        }
    )*};
}

reporting!(Agent, AgentProvider, ImplementationSpec);

/// The status as a merge patch for the status subresource, or `None` when it says so already.
///
/// The patch carries uid and resource version, so that it only lands on the object that was judged.
/// Conditions of others stay.
pub fn patch<K: Reporting>(object: &K, verdict: &Verdict, now: Timestamp) -> Option<Value> {
    let now = Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
    let generation = object.meta().generation;
    let (reason, message) = match verdict {
        Ok(()) => (reason::VALID_SPEC, ""),
        Err(invalid) => (invalid.reason, invalid.message.as_str()),
    };
    let mut conditions = object.conditions().to_vec();
    for (type_, state) in [(reason::READY, verdict.is_ok()), (reason::INVALID_SPEC, verdict.is_err())] {
        let wanted = Condition {
            type_: type_.to_owned(),
            status: if state { "True" } else { "False" }.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: now.clone(),
            observed_generation: generation,
        };
        set(&mut conditions, wanted);
    }
    if conditions == object.conditions() && object.observed_generation() == generation {
        return None;
    }
    Some(json!({
        "metadata": {"uid": object.uid(), "resourceVersion": object.resource_version()},
        "status": {"conditions": conditions, "observedGeneration": generation, "updatedAt": now},
    }))
}

/// Sets a condition; its transition time moves only with its status.
fn set(conditions: &mut Vec<Condition>, mut wanted: Condition) {
    match conditions.iter_mut().find(|condition| condition.type_ == wanted.type_) {
        None => conditions.push(wanted),
        Some(present) => {
            if present.status == wanted.status {
                wanted.last_transition_time = present.last_transition_time.clone();
            }
            *present = wanted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Invalid;
    use super::*;

    const CREATED: i64 = 1_800_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(CREATED + second).unwrap()
    }

    fn agent(status: &Value) -> Agent {
        serde_json::from_value(json!({
            "metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "generation": 2},
            "spec": {"providerRef": {"name": "p"}}, "status": status,
        }))
        .unwrap()
    }

    fn applied(agent: &Agent, patch: &Value) -> Agent {
        let mut object = serde_json::to_value(agent).unwrap();
        json_patch::merge(&mut object, &json!({"status": patch["status"]}));
        serde_json::from_value(object).unwrap()
    }

    fn state<'a>(agent: &'a Agent, type_: &str) -> (&'a str, &'a str, Timestamp) {
        let condition = agent.conditions().iter().find(|condition| condition.type_ == type_).unwrap();
        (&condition.status, &condition.reason, condition.last_transition_time.0)
    }

    #[test]
    fn a_valid_object_is_ready_and_says_so_once() {
        let fresh = agent(&json!({}));
        let written = patch(&fresh, &Ok(()), at(0)).unwrap();
        assert_eq!(written["metadata"], json!({"uid": "u", "resourceVersion": "7"}));
        let ready = applied(&fresh, &written);
        assert_eq!(state(&ready, "Ready"), ("True", "ValidSpec", at(0)));
        assert_eq!(state(&ready, "InvalidSpec"), ("False", "ValidSpec", at(0)));
        assert_eq!(ready.observed_generation(), Some(2));
        assert_eq!(patch(&ready, &Ok(()), at(60)), None);
    }

    #[test]
    fn an_invalid_object_names_the_reason_and_recovers() {
        let missing = |message: &str| Err(Invalid::new(reason::MISSING_PROVIDER, message));
        let fresh = agent(&json!({}));
        let invalid = applied(&fresh, &patch(&fresh, &missing("p"), at(0)).unwrap());
        assert_eq!(state(&invalid, "Ready"), ("False", "MissingProvider", at(0)));
        assert_eq!(state(&invalid, "InvalidSpec"), ("True", "MissingProvider", at(0)));
        let other = applied(&invalid, &patch(&invalid, &missing("q"), at(5)).unwrap());
        assert_eq!(state(&other, "Ready"), ("False", "MissingProvider", at(0)));
        let ready = applied(&other, &patch(&other, &Ok(()), at(9)).unwrap());
        assert_eq!(state(&ready, "Ready"), ("True", "ValidSpec", at(9)));
    }

    #[test]
    fn an_edit_without_consequence_only_moves_the_observed_generation() {
        let fresh = agent(&json!({}));
        let mut ready = applied(&fresh, &patch(&fresh, &Ok(()), at(0)).unwrap());
        ready.metadata.generation = Some(3);
        let edited = applied(&ready, &patch(&ready, &Ok(()), at(9)).unwrap());
        assert_eq!(edited.observed_generation(), Some(3));
        assert_eq!(state(&edited, "Ready"), ("True", "ValidSpec", at(0)));
        assert_eq!(patch(&edited, &Ok(()), at(10)), None);
    }

    #[test]
    fn conditions_of_others_stay() {
        let theirs = agent(&json!({"conditions": [{
            "type": "Theirs", "status": "True", "reason": "X", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]}));
        let written = applied(&theirs, &patch(&theirs, &Ok(()), at(0)).unwrap());
        assert_eq!(state(&written, "Theirs").0, "True");
        assert_eq!(written.conditions().len(), 3);
    }
}
