//! Refusing writes while this replica does not lead, as a layer of the Kubernetes client.

use std::task::{Context, Poll};

use futures::future::{self, Either, Ready};
use http::{Method, Request};
use thiserror::Error;
use tower::{BoxError, Layer, Service};

use super::Leadership;

/// A write was refused, because another replica may lead.
#[derive(Debug, Error)]
#[error("write while this replica leads")]
struct NotLeading;

/// Layer that lets writes pass only while this replica leads.
#[derive(Debug, Clone)]
pub struct WriteGate {
    leadership: Leadership,
}

impl WriteGate {
    /// A gate that is open while this replica leads.
    pub fn new(leadership: Leadership) -> Self {
        Self { leadership }
    }
}

impl<S> Layer<S> for WriteGate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, leadership: self.leadership.clone() }
    }
}

/// A service behind a [`WriteGate`].
#[derive(Debug, Clone)]
pub struct Gated<S> {
    inner: S,
    leadership: Leadership,
}

impl<S, B> Service<Request<B>> for Gated<S>
where
    S: Service<Request<B>, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<S::Future, Ready<Result<S::Response, BoxError>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if reads || self.leadership.may_write() {
            Either::Left(self.inner.call(request))
        } else {
            Either::Right(future::ready(Err(NotLeading.into())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rstest::rstest;
    use tower::ServiceExt as _;

    use super::*;

    /// [LC-19] The end comes by time alone, without anybody noticing it first.
    #[rstest]
    #[case::before_the_election("PATCH", None, false)]
    #[case::while_leading("PATCH", Some(60), true)]
    #[case::after_the_deadline("PATCH", Some(0), false)]
    #[case::after_the_deadline("POST", Some(0), false)]
    #[case::after_the_deadline("DELETE", Some(0), false)]
    #[case::reads_harm_nobody("GET", Some(0), true)]
    #[tokio::test]
    async fn writes_pass_only_while_the_lease_was_renewed_in_time(
        #[case] method: &str,
        #[case] leads_for: Option<u64>,
        #[case] passes: bool,
    ) {
        let leadership = Leadership::contested();
        if let Some(seconds) = leads_for {
            leadership.extend(Instant::now() + Duration::from_secs(seconds));
        }
        let inner = tower::service_fn(async |_: Request<()>| Ok::<_, BoxError>("answer"));
        let service = WriteGate::new(leadership).layer(inner);
        let request = Request::builder().method(method).uri("/x").body(()).unwrap();
        assert_eq!(service.oneshot(request).await.is_ok(), passes);
    }

    #[tokio::test]
    async fn the_only_replica_always_writes() {
        let inner = tower::service_fn(async |_: Request<()>| Ok::<_, BoxError>("answer"));
        let service = WriteGate::new(Leadership::sole()).layer(inner);
        let request = Request::builder().method("POST").uri("/x").body(()).unwrap();
        assert!(service.oneshot(request).await.is_ok());
    }
}
