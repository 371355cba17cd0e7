//! A client whose requests can be counted, refused, lost or stopped on their way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::bytes::Bytes;
use tower::{BoxError, Layer, Service};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is sent.
    Pass,
    /// It is answered with this status without having been sent.
    Refuse(u16),
    /// The connection breaks before it is sent.
    Reset,
    /// It is sent, but nobody gets the answer.
    LoseAnswer,
    /// It is sent, and the client never learns anything again.
    Stop,
    /// It is sent when [`Disturbance::resume`] was called.
    Wait,
}

/// A request as the rule sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Of the writes that change something, beginning with 1; 0 for other requests.
    pub(crate) write: usize,
    pub(crate) method: Method,
    pub(crate) uri: String,
}

type Rule = Arc<dyn Fn(&Seen) -> Fate + Send + Sync>;
type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

/// Applies a rule to every request and counts the writes.
#[derive(Clone)]
pub(crate) struct Disturbance {
    rule: Rule,
    writes: Arc<AtomicUsize>,
    resumed: Arc<watch::Sender<bool>>,
}

impl Disturbance {
    pub(crate) fn new(rule: impl Fn(&Seen) -> Fate + Send + Sync + 'static) -> Self {
        Self { rule: Arc::new(rule), writes: Arc::default(), resumed: Arc::new(watch::Sender::new(false)) }
    }

    /// A client with this disturbance.
    pub(crate) fn client(&self, config: Config) -> Client {
        ClientBuilder::try_from(config).unwrap().with_layer(self).build()
    }

    /// What waits is sent now.
    pub(crate) fn resume(&self) {
        self.resumed.send_replace(true);
    }

    /// Writes so far.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    fn see(&self, request: &Request<Body>) -> Seen {
        let uri = request.uri().to_string();
        // The lock is no part of what is restored.
        let changes =
            request.method() != Method::GET && !uri.contains("dryRun=All") && !uri.contains("/leases");
        let write = if changes { self.writes.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
        Seen { write, method: request.method().clone(), uri }
    }
}

impl<S> Layer<S> for Disturbance {
    type Service = Disturbed<S>;

    fn layer(&self, inner: S) -> Disturbed<S> {
        Disturbed { inner, disturbance: self.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct Disturbed<S> {
    inner: S,
    disturbance: Disturbance,
}

impl<S, B> Service<Request<Body>> for Disturbed<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: http_body_util::BodyExt<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnyBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fate = (self.disturbance.rule)(&self.disturbance.see(&request));
        match fate {
            Fate::Refuse(code) => return Box::pin(async move { Ok(refusal(code)) }),
            Fate::Reset => return Box::pin(async { Err(BoxError::from("connection reset")) }),
            Fate::Pass | Fate::LoseAnswer | Fate::Stop | Fate::Wait => {}
        }
        let mut resumed = self.disturbance.resumed.subscribe();
        let answer = self.inner.call(request);
        Box::pin(async move {
            if fate == Fate::Wait {
                // The sender lives as long as the disturbance, which outlives its requests.
                let _open = resumed.wait_for(|resumed| *resumed).await;
            }
            let answer = answer.await?;
            match fate {
                Fate::LoseAnswer => Err(BoxError::from("connection reset by peer")),
                Fate::Stop => std::future::pending().await,
                _ => Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync())),
            }
        })
    }
}

fn refusal(code: u16) -> Response<AnyBody> {
    let reason = match code {
        403 => "Forbidden",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": "injected by the test",
    });
    let body = Full::new(Bytes::from(status.to_string())).map_err(|never| match never {});
    Response::builder().status(code).body(body.boxed_unsync()).unwrap()
}
