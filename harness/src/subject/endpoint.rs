//! HTTP endpoints of the subject: of a process on this host, or of a pod through the API server.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::client::Body;

use super::error::SubjectError;
use super::implementation::Ready;
use crate::pulse::Pulse;

/// Deadline of one question.
const ANSWER: Duration = Duration::from_secs(5);
/// Largest body that is read, in bytes; metrics of a busy controller stay far below.
const BODY: usize = 16 << 20;

/// A place that answers HTTP; cloning is cheap.
#[derive(Clone)]
pub struct Endpoint {
    way: Way,
    /// What stands before the path: scheme and authority, or the path of the proxy.
    base: String,
}

#[derive(Clone)]
enum Way {
    Plain(Box<legacy::Client<HttpConnector, Body>>),
    ApiServer(Client),
}

/// What an endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// Body, invalid UTF-8 replaced.
    pub body: String,
}

impl Endpoint {
    /// A port of this host.
    pub(super) fn local(port: u16) -> Self {
        // No connection is kept: an idle one could delay the subject's orderly end.
        let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { way: Way::Plain(Box::new(client)), base: format!("http://127.0.0.1:{port}") }
    }

    /// A port of a pod.
    pub(super) fn pod(client: Client, namespace: &str, pod: &str, port: u16) -> Self {
        let base = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy");
        Self { way: Way::ApiServer(client), base }
    }

    /// Asks with GET; any status code is an answer. `path` begins with a slash and may have a query.
    pub async fn get(&self, path: &str) -> Result<Answer, SubjectError> {
        let url = format!("{}{path}", self.base);
        match tokio::time::timeout(ANSWER, self.ask(&url)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(message)) => Err(SubjectError::NoAnswer { url, message }),
            Err(_elapsed) => {
                Err(SubjectError::NoAnswer { url, message: format!("nothing within {} s", ANSWER.as_secs()) })
            }
        }
    }

    async fn ask(&self, url: &str) -> Result<Answer, String> {
        let request = http::Request::get(url).body(Body::empty()).map_err(|error| error.to_string())?;
        let (status, body) = match &self.way {
            Way::Plain(client) => {
                let answer = client.request(request).await.map_err(|error| chain(&error))?;
                (answer.status(), Limited::new(answer.into_body(), BODY).collect().await)
            }
            Way::ApiServer(client) => {
                let answer = client.send(request).await.map_err(|error| chain(&error))?;
                (answer.status(), Limited::new(answer.into_body(), BODY).collect().await)
            }
        };
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.base).finish()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl Answer {
    /// Whether this answer means "ready".
    pub(super) fn is_ready(&self, ready: &Ready) -> bool {
        self.status == ready.status && ready.contains.as_ref().is_none_or(|text| self.body.contains(text))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = self.body.trim().chars().take(300).collect();
        write!(f, "status {}, body `{body}`", self.status)
    }
}

/// An error with its causes: the outermost one of a connection only says that there was one.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Asks until the answer means "ready"; gives up only with `within` and what is lost meanwhile because the cluster
/// is late. `every` is the pause between answers.
pub(super) async fn until_ready(
    endpoint: &Endpoint,
    ready: &Ready,
    every: Duration,
    pulse: &Pulse,
) -> Result<(), (Duration, String)> {
    let mut last_answer = "it was never asked".to_owned();
    let asking = async {
        let mut pause = tokio::time::interval(every);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            match endpoint.get(&ready.path).await {
                Ok(answer) if answer.is_ready(ready) => return,
                Ok(answer) => last_answer = format!("{}{} answered {answer}", endpoint, *ready.path),
                Err(error) => last_answer = error.to_string(),
            }
        }
    };
    let outcome = pulse.wait(ready.within, asking).await;
    outcome.map_err(|waited| (waited, last_answer))
}
