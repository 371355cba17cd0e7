//! Requests of the engine to the API server: one deadline, and trouble told apart from refusal.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

/// Deadline of one request.
const REQUEST: Duration = Duration::from_secs(10);

/// Trouble is retried this often; a refusal is an answer and never retried.
const RETRY: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(Duration::from_secs(1))
    .with_max_times(4)
    .with_jitter();

/// Why a request did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The API server understood and said no: 4xx other than 429 and 408.
    #[error("{}", .0.message)]
    Refused(Box<kube::core::Status>),
    /// The API server or the way to it is in trouble.
    #[error("{0}")]
    Trouble(String),
}

impl RequestError {
    /// Whether the object was changed by somebody else in between.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 409 && status.reason == "Conflict")
    }

    /// Whether the object does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 404)
    }
}

/// Sends a request that may be sent again: trouble is retried a few times.
pub(crate) async fn request<T, F>(send: impl Fn() -> F) -> Result<T, RequestError>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    let attempt = || async {
        match tokio::time::timeout(REQUEST, send()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status)))
                if (400..500).contains(&status.code) && status.code != 429 && status.code != 408 =>
            {
                Err(RequestError::Refused(status))
            }
            Ok(Err(error)) => Err(RequestError::Trouble(error.to_string())),
            Err(_elapsed) => Err(RequestError::Trouble(format!("no answer within {} s", REQUEST.as_secs()))),
        }
    };
    attempt.retry(RETRY).when(|error| matches!(error, RequestError::Trouble(_))).await
}
