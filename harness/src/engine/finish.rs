//! Playing the end of a Job, as if its pods had run.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::Client;
use kube::api::{ApiResource, PostParams};
use serde_json::{Value, json};

use super::act::Reference;
use super::api::{RequestError, request};
use super::case::{CaseRun, Stop};
use super::cluster_scope::Place;
use crate::record::ObjectVersion;
use crate::scenario::assertion::Target;
use crate::scenario::document::Outcome;
use crate::scenario::step::Finish;
use crate::yaml::Location;

/// How often the status is written again after somebody else wrote it: the Job controller sets the start
/// time at about the same moment.
const CONFLICTS: usize = 20;

impl CaseRun<'_> {
    /// Writes the terminal status of a Job.
    pub(super) async fn finish(&mut self, finish: &Finish, at: &Location) -> Result<(), Stop> {
        let reference = self.reference(&finish.job, at).await?;
        let claim = format!("finish {}", reference.describe());
        match end(self.client(), &self.namespace, &reference, finish).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(self.refused(&claim, &reference.name, "another Job has taken its name since", at))
            }
            Err(error) => Err(self.refusal(&claim, &reference.name, &error, at)),
        }
    }
}

/// Writes the terminal status of a recorded Job. That it is gone by now is as good.
pub(crate) async fn end_job(
    client: &Client,
    job: &ObjectVersion,
    outcome: Outcome,
) -> Result<(), RequestError> {
    let place = Place { resource: ApiResource::erase::<Job>(&()), namespaced: true };
    let reference = Reference { place, name: job.name.clone(), uid: job.uid.clone() };
    let finish = Finish {
        job: Target::Object { alias: job.name.clone() },
        outcome,
        reason: None,
        message: None,
        ago: Duration::ZERO,
        counted: true,
    };
    match end(client, &job.namespace, &reference, &finish).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ended_replaced_or_gone => Ok(()),
    }
}

/// Writes the terminal status of a Job; `false` if another Job has its name by now.
pub(super) async fn end(
    client: &Client,
    namespace: &str,
    job: &Reference,
    finish: &Finish,
) -> Result<bool, RequestError> {
    let api = job.api(client, namespace);
    for _attempt in 0..CONFLICTS {
        let mut object = request(|| async { api.get(&job.name).await }).await?;
        if object.metadata.uid.as_ref() != Some(&job.uid) {
            return Ok(false);
        }
        let present = object.data.get("status").cloned().unwrap_or_default();
        if let Some(fields) = object.data.as_object_mut() {
            fields.insert("status".to_owned(), terminal_status(&present, finish, Timestamp::now()));
        }
        let parameters = PostParams::default();
        match request(|| async { api.replace_status(&job.name, &parameters, &object).await }).await {
            Ok(_) => return Ok(true),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
    Err(RequestError::Trouble(format!("{CONFLICTS} conflicting writes in a row")))
}

/// The status of a finished Job by the rules of the API server's validation (Kubernetes 1.31 and later):
/// a start time that is there stays, `Complete` and `Failed` stand beside the condition that led to them,
/// only a completed Job has a completion time, and no pod is left to be counted.
fn terminal_status(present: &Value, finish: &Finish, now: Timestamp) -> Value {
    let ended = now - SignedDuration::try_from(finish.ago).unwrap_or(SignedDuration::ZERO);
    let started = present
        .get("startTime")
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Timestamp>().ok())
        // Without one the Job has not been seen by its controller yet: it ran for a second.
        .unwrap_or(ended - SignedDuration::try_from(Duration::from_secs(1)).unwrap_or(SignedDuration::ZERO));
    // A Job cannot end before it started; the API server compares at the grain of seconds.
    let completion = ended.max(started);
    let (types, reason, message) = match finish.outcome {
        Outcome::Succeeded => (
            ["SuccessCriteriaMet", "Complete"],
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        ),
        Outcome::Failed => (
            ["FailureTarget", "Failed"],
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        ),
    };
    let reason = finish.reason.as_deref().unwrap_or(reason);
    let message = finish.message.as_deref().unwrap_or(message);
    let conditions: Vec<Value> = types
        .iter()
        .map(|kind| {
            json!({
                "type": kind, "status": "True", "reason": reason, "message": message,
                "lastProbeTime": seconds(ended), "lastTransitionTime": seconds(ended),
            })
        })
        .collect();
    let mut status = json!({
        "startTime": seconds(started), "conditions": conditions, "ready": 0, "terminating": 0,
        "uncountedTerminatedPods": {},
    });
    if let Some(fields) = status.as_object_mut() {
        match finish.outcome {
            Outcome::Succeeded => {
                fields.insert("completionTime".to_owned(), seconds(completion));
                fields.insert("succeeded".to_owned(), 1.into());
            }
            Outcome::Failed if finish.counted => {
                fields.insert("failed".to_owned(), 1.into());
            }
            Outcome::Failed => {}
        }
    }
    status
}

/// RFC 3339 with whole seconds, as Kubernetes writes `metav1.Time`.
fn seconds(time: Timestamp) -> Value {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(outcome: Outcome, ago: u64, counted: bool) -> Finish {
        Finish {
            job: Target::Object { alias: "run".to_owned() },
            outcome,
            reason: None,
            message: None,
            ago: Duration::from_secs(ago),
            counted,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("timestamp")
    }

    #[test]
    fn a_start_time_that_is_there_stays_and_the_end_is_not_before_it() {
        let present = json!({"startTime": "2026-01-01T12:00:00Z"});
        let status =
            terminal_status(&present, &finish(Outcome::Succeeded, 3600, true), at("2026-01-01T12:00:05Z"));
        assert_eq!(status["startTime"], "2026-01-01T12:00:00Z");
        assert_eq!(status["completionTime"], "2026-01-01T12:00:00Z");
        assert_eq!(status["conditions"][1]["lastTransitionTime"], "2026-01-01T11:00:05Z");
        assert_eq!(status["succeeded"], 1);
    }

    #[test]
    fn a_failure_has_no_completion_time_and_is_counted_only_if_asked() {
        for counted in [true, false] {
            let status = terminal_status(
                &Value::Null,
                &finish(Outcome::Failed, 0, counted),
                at("2026-01-01T12:00:05Z"),
            );
            assert_eq!(status["conditions"][0]["type"], "FailureTarget");
            assert_eq!(status["conditions"][1]["type"], "Failed");
            assert!(status.get("completionTime").is_none() && status.get("succeeded").is_none());
            assert_eq!(status.get("failed").is_some(), counted);
        }
    }
}
