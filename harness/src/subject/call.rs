//! Deadlines round calls to the API server, which its client does not have.

use std::future::Future;
use std::time::Duration;

use super::error::SubjectError;

/// Deadline of a single request; an API server under the load of a whole suite stays far below it.
const REQUEST: Duration = Duration::from_secs(30);

/// Awaits one request; `action` names the object and completes "could not …".
pub(super) async fn request<T>(
    action: &str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, SubjectError> {
    match tokio::time::timeout(REQUEST, call).await {
        Ok(result) => result.map_err(SubjectError::api(action)),
        Err(_elapsed) => Err(SubjectError::Deadline {
            action: action.to_owned(),
            within: REQUEST,
            last_seen: "the API server gave no answer".to_owned(),
        }),
    }
}
