//! An API server for tests: answers from a function, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// A request as tests look at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// Method and path, for example `GET /api/v1/namespaces/ns/secrets/s`.
    pub line: String,
    /// JSON body, null without one.
    pub body: Value,
}

/// What the API server was asked so far.
pub(crate) type Log = Arc<Mutex<Vec<Asked>>>;

/// A client of an API server that answers with code and body.
pub(crate) fn api_server(answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> (Client, Log) {
    let log = Log::default();
    let asked = Arc::clone(&log);
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
        async move {
            let line = format!("{} {}", request.method(), request.uri().path());
            let bytes = request.into_body().collect_bytes().await?;
            let request = Asked { line, body: serde_json::from_slice(&bytes).unwrap_or_default() };
            let (code, body) = answer(&request);
            asked.lock().unwrap().push(request);
            let response = Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
            Ok::<_, kube::Error>(response.unwrap())
        }
    });
    (Client::new(service, "ns"), log)
}

/// The body of a refusal.
pub(crate) fn refusal(code: u16, reason: &str) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "no",
    });
    (code, status)
}
