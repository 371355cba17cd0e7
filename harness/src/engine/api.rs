//! Requests of the engine to the API server: one deadline, and trouble told apart from refusal.

use std::sync::atomic::{AtomicBool, Ordering};
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
///
/// An attempt without answer may have been carried out. That an object is there already is then no refusal:
/// nobody knows who made it.
pub(crate) async fn request<T, F>(send: impl Fn() -> F) -> Result<T, RequestError>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    let unanswered = AtomicBool::new(false);
    let attempt = || async {
        match tokio::time::timeout(REQUEST, send()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status)))
                if (400..500).contains(&status.code) && status.code != 429 && status.code != 408 =>
            {
                if status.reason == "AlreadyExists" && unanswered.load(Ordering::Relaxed) {
                    let message = format!("{}, perhaps by an attempt that had no answer", status.message);
                    return Err(RequestError::Trouble(message));
                }
                Err(RequestError::Refused(status))
            }
            Ok(Err(error)) => Err(RequestError::Trouble(error.to_string())),
            Err(_elapsed) => Err(RequestError::Trouble(format!("no answer within {} s", REQUEST.as_secs()))),
        }
    };
    attempt
        .retry(RETRY)
        .when(|error| matches!(error, RequestError::Trouble(_)))
        .notify(|_trouble, _pause| unanswered.store(true, Ordering::Relaxed))
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use kube::core::Status;
    use rstest::rstest;

    use super::*;

    fn there_already() -> kube::Error {
        kube::Error::Api(Box::new(Status { code: 409, ..Status::failure("it is there", "AlreadyExists") }))
    }

    fn cut() -> kube::Error {
        kube::Error::Service("the connection was cut".into())
    }

    #[rstest]
    #[case::by_somebody_else(false)]
    #[case::perhaps_by_an_attempt_without_answer(true)]
    #[tokio::test]
    async fn that_an_object_is_there_already_is_no_refusal_after_an_attempt_without_answer(
        #[case] first_is_cut: bool,
    ) {
        let attempts = AtomicU32::new(0);
        let create = || async {
            let is_first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
            Err::<(), _>(if is_first && first_is_cut { cut() } else { there_already() })
        };
        let error = request(create).await.unwrap_err();
        assert_eq!(matches!(error, RequestError::Trouble(_)), first_is_cut, "{error}");
        assert!(error.to_string().contains("it is there"), "{error}");
    }
}
