//! Why a pass did not finish, one variant per call that can fail.

use crate::defects::Defect;

use std::time::Duration;

use thiserror::Error;

/// A pass was given up; it is repeated later.
#[derive(Debug, Error)]
pub enum Error {
    /// The finalizer could not be added or removed.
    #[error("change the finalizer of AgentRun {run}")]
    Finalizer {
        /// Name of the run.
        run: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// An object a run refers to could not be read.
    #[error("read {kind} {name}")]
    ReadReference {
        /// Kind of the object.
        kind: &'static str,
        /// Name of the object.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// A generated object could not be read.
    #[error("read {kind} {name}")]
    ReadGenerated {
        /// Kind of the object.
        kind: &'static str,
        /// Name of the object.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// A generated object could not be created or brought up to date.
    #[error("submit {kind} {name}")]
    Submit {
        /// Kind of the object.
        kind: &'static str,
        /// Name of the object.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// A Job could not be deleted.
    #[error("delete Job {name}")]
    DeleteJob {
        /// Name of the Job.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// A finished Job could not be given its TTL.
    #[error("set the TTL of Job {name}")]
    SetTtl {
        /// Name of the Job.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// The status of a run could not be written.
    #[error("write the status of AgentRun {run}")]
    WriteStatus {
        /// Name of the run.
        run: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// The verdict over an object could not be written.
    #[error("write the verdict over {kind} {name}")]
    WriteVerdict {
        /// Kind of the object.
        kind: &'static str,
        /// Name of the object.
        name: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// The idempotency key of a run changed hands with every attempt to take it.
    #[error("claim the idempotency key of AgentRun {run}")]
    Claim {
        /// Name of the run.
        run: String,
    },
    /// The cluster did not answer in time to judge an object.
    #[error("judge {kind} {name} within {deadline:?}")]
    JudgeDeadline {
        /// Kind of the object.
        kind: &'static str,
        /// Name of the object.
        name: String,
        /// The time a verdict may take.
        deadline: Duration,
    },
    /// The cluster did not answer in time.
    #[error("finish the pass over AgentRun {run} within {deadline:?}")]
    Deadline {
        /// Name of the run.
        run: String,
        /// The time a pass may take.
        deadline: Duration,
    },
    /// The cache of Jobs was dropped, because the controller is being stopped.
    #[error("use the cache of Jobs while the controller stops")]
    Stopping,
}

impl Error {
    /// Whether the run itself does not exist any more.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Finalizer { source, .. } if api_code(source) == Some(404))
    }

    /// Whether the pass only acted on an outdated copy, so that the next one will do better.
    pub fn is_outdated(&self) -> bool {
        match self {
            // The finalizer is removed by a JSON patch whose failed tests are reported as 422.
            Self::Finalizer { source, .. } => {
                api_code(source).is_some_and(|code| matches!(code, 404 | 409 | 422))
            }
            Self::WriteStatus { source, .. }
            | Self::WriteVerdict { source, .. }
            | Self::SetTtl { source, .. }
            | Self::DeleteJob { source, .. } => api_code(source) == Some(409),
            Self::Claim { .. } => true,
            _ => false,
        }
    }

    /// One word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Finalizer { .. } => "Finalizer",
            Self::ReadReference { .. } => "ReadReference",
            Self::ReadGenerated { .. } => "ReadGenerated",
            Self::Submit { .. } => "Submit",
            Self::DeleteJob { .. } => "DeleteJob",
            Self::SetTtl { .. } => "SetTtl",
            Self::WriteStatus { .. } => "WriteStatus",
            Self::WriteVerdict { .. } => "WriteVerdict",
            Self::Claim { .. } => "Claim",
            Self::Deadline { .. } | Self::JudgeDeadline { .. } => "Deadline",
            Self::Stopping => "Stopping",
        }
    }

    /// The answer of the API server, or what kept it from coming.
    pub fn cause(&self) -> Option<String> {
        let source = std::error::Error::source(self)?;
        Some(match source.downcast_ref::<kube::Error>() {
            Some(kube::Error::Api(status)) => {
                format!("{} {}: {}", status.code, status.reason, status.message)
            }
            _ => source.to_string(),
        })
    }

    /// Name of the object whose submission failed and the answer of the API server, if this is about one.
    pub fn rejected_submission(&self) -> Option<Rejection> {
        let Self::Submit { kind, name, source } = self else { return None };
        let answer = match source {
            kube::Error::Api(status) => {
                let reason = if status.reason.is_empty() { "no reason" } else { &status.reason };
                format!("{kind} {name}: {} {reason}", status.code)
            }
            _ => format!("{kind} {name}: no answer from the API server"),
        };
        let details = match source {
            kube::Error::Api(status) => status.message.clone(),
            _ => String::new(),
        };
        let is_final = api_code(source).is_some_and(|code| matches!(code, 400 | 413 | 422))
            || Defect::FirstRefusalIsFinal.is_planted();
        let is_refusal =
            api_code(source).is_some_and(|code| (400..500).contains(&code) && !matches!(code, 409 | 429));
        Some(Rejection { is_final, is_refusal, answer, details })
    }
}

/// An answer to a submission.
#[derive(Debug)]
pub struct Rejection {
    /// Whether repeating the same request is useless.
    pub is_final: bool,
    /// Whether somebody has decided against the request. Otherwise it may have been carried out after all, or
    /// will be in a moment.
    pub is_refusal: bool,
    /// Object and answer, the same text for the same answer.
    pub answer: String,
    /// Explanation of the API server, may differ from answer to answer.
    pub details: String,
}

/// The HTTP code, if the API server answered.
pub(super) fn api_code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}
