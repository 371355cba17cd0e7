//! Counting what goes to the API server, as a layer of the Kubernetes client.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use tower::{Layer, Service};

use super::Metrics;

/// Layer that counts requests by verb and code.
#[derive(Debug, Clone)]
pub struct CountRequests {
    metrics: Arc<Metrics>,
}

impl CountRequests {
    /// Counts into these metrics.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for CountRequests {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting { inner, metrics: Arc::clone(&self.metrics) }
    }
}

/// A service whose requests are counted.
#[derive(Debug, Clone)]
pub struct Counting<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, B, R> Service<Request<B>> for Counting<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verb = verb(request.method(), request.uri().path(), request.uri().query());
        let metrics = Arc::clone(&self.metrics);
        let writing = (!matches!(verb, "get" | "list" | "watch")).then(|| metrics.writing());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(writing);
            metrics.requested(verb, answer.as_ref().map_or(0, |answer| answer.status().as_u16()));
            answer
        })
    }
}

/// The verb as RBAC and audit logs name it.
fn verb(method: &Method, path: &str, query: Option<&str>) -> &'static str {
    match *method {
        Method::GET if is_watch(query) => "watch",
        Method::GET if is_collection(path) => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

fn is_watch(query: Option<&str>) -> bool {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.any(|pair| matches!(pair, "watch" | "watch=true" | "watch=1"))
}

/// Whether this is a list of objects: `/api/v1` or `/apis/<group>/<version>`, perhaps a namespace, and a
/// plural.
fn is_collection(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let skipped = match parts.next() {
        Some("api") => parts.next(),
        Some("apis") => parts.nth(1),
        _ => None,
    };
    let rest: Vec<&str> = parts.collect();
    skipped.is_some() && matches!(rest.as_slice(), [_] | ["namespaces", _, _])
}

#[cfg(test)]
mod tests {
    use kube::client::Body;
    use rstest::rstest;
    use tower::ServiceExt as _;

    use super::*;

    #[rstest]
    #[case("GET", "/api/v1/namespaces/ns/configmaps/c", "get")]
    #[case("GET", "/api/v1/namespaces/ns/configmaps", "list")]
    #[case("GET", "/apis/batch/v1/jobs?labelSelector=x&watch=true&resourceVersion=7", "watch")]
    #[case("GET", "/apis/batch/v1/jobs?limit=500", "list")]
    #[case("GET", "/apis/batch/v1/namespaces/ns/jobs/j", "get")]
    #[case("GET", "/apis/agents.proompteng.ai/v1alpha1", "get")]
    #[case("GET", "/version", "get")]
    #[case("POST", "/apis/batch/v1/namespaces/ns/jobs", "create")]
    #[case("PATCH", "/apis/batch/v1/namespaces/ns/jobs/j/status", "patch")]
    #[case("DELETE", "/apis/batch/v1/namespaces/ns/jobs/j", "delete")]
    fn verbs_are_those_of_rbac(#[case] method: &str, #[case] uri: &str, #[case] expected: &str) {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        assert_eq!(verb(request.method(), request.uri().path(), request.uri().query()), expected);
    }

    #[tokio::test]
    async fn each_request_is_counted_with_its_answer_or_the_lack_of_one() {
        let metrics = Arc::new(Metrics::default());
        let inner = tower::service_fn(async |request: Request<Body>| match request.uri().path() {
            "/dead" => Err("no answer"),
            _ => Ok(Response::builder().status(404).body(()).unwrap()),
        });
        let service = CountRequests::new(Arc::clone(&metrics)).layer(inner);
        for path in ["/version", "/dead"] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let _ = service.clone().oneshot(request).await;
        }
        let text = metrics.render().unwrap();
        assert!(text.contains("agents_api_requests_total{verb=\"get\",code=\"404\"} 1"), "{text}");
        assert!(text.contains("agents_api_requests_total{verb=\"get\",code=\"0\"} 1"), "{text}");
    }
}
