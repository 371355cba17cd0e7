//! What the API server would say: `Status` objects for refusals, and the event that ends an expired watch.

use http::StatusCode;
use serde_json::{Value, json};

/// The body of a refusal, with the reason that the API server gives for this code.
pub(super) fn refusal(code: StatusCode) -> Value {
    let reason = match code.as_u16() {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "",
    };
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("{} (injected by the test harness)", code.canonical_reason().unwrap_or("failure")),
        "reason": reason,
        "code": code.as_u16(),
    })
}

/// The event that tells a watch that it has to list again, with its line break.
pub(super) fn expired() -> String {
    format!("{}\n", json!({"type": "ERROR", "object": refusal(StatusCode::GONE)}))
}
