//! An API server for tests: answers from a function, and remembers what it was asked. With it come a run and
//! a Job, and what a pass over them needs.

use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use kube::runtime::reflector::{self, Store};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::api::{AgentRun, JobView};
use crate::config::Settings;
use crate::decide::hold::Grace;
use crate::metrics::Metrics;

use super::admission::Admission;
use super::caches::Caches;
use super::context::{Context, Shared};
use super::events::events;

/// A request as tests look at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// Method and path, for example `GET /api/v1/namespaces/ns/secrets/s`.
    pub line: String,
    /// Parameters, for example `watch=true`; empty without any.
    pub query: String,
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
            let query = request.uri().query().unwrap_or_default().to_owned();
            let bytes = request.into_body().collect_bytes().await?;
            let request = Asked { line, query, body: serde_json::from_slice(&bytes).unwrap_or_default() };
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

/// A run in the namespace `ns`, its spec completed by this one.
pub(super) fn run(spec: &Value, status: &Value) -> AgentRun {
    let mut run = json!({
        "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun",
        "metadata": {
            "name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "7", "generation": 1,
            "finalizers": [crate::decide::metadata::FINALIZER],
        },
        "spec": {"agentRef": {"name": "a"}, "runtime": {"type": "job"}},
        "status": status,
    });
    json_patch::merge(&mut run["spec"], spec);
    serde_json::from_value(run).unwrap()
}

/// A Job of that run.
pub(super) fn job(name: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": name, "namespace": "ns", "uid": "j", "resourceVersion": "9",
            "ownerReferences": [{
                "apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "AgentRun", "name": "r", "uid": "u",
                "controller": true,
            }],
        },
        "spec": {}, "status": status,
    })
}

/// The status of a Job that did its work.
pub(super) fn complete() -> Value {
    json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]})
}

/// What passes share, with these Jobs in the cache and nothing else.
pub(super) fn context(client: Client, jobs: Store<JobView>, settings: Settings) -> Arc<Context> {
    let metrics = Arc::new(Metrics::default());
    let settings = Arc::new(settings);
    let (events, _) = events(client.clone(), &metrics);
    let admission = Admission::new(settings.limits.clone(), Vec::new(), &metrics);
    admission.open();
    let shared = Shared {
        client,
        settings,
        metrics,
        events,
        permits: Arc::new(Semaphore::new(1)),
        admission: Arc::new(admission),
        keys: None,
        grace: Grace::default(),
        stop: CancellationToken::new(),
    };
    let filled = || watch::Sender::new(true).subscribe();
    let references = Caches {
        agents: reflector::store().0,
        providers: reflector::store().0,
        implementations: reflector::store().0,
        memories: reflector::store().0,
        filled: [(); 4].map(|()| filled()),
    };
    Arc::new(Context::new(shared, jobs, filled(), Arc::default(), references))
}

/// The phases that were written.
pub(super) fn phases(asked: &[Asked]) -> Vec<&str> {
    let writes = asked.iter().filter(|asked| asked.line.starts_with("PUT "));
    writes.filter_map(|write| write.body["status"]["phase"].as_str()).collect()
}
