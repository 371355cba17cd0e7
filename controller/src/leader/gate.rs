//! Refusing writes while this replica does not lead, or a restore forbids them, as a layer of the
//! Kubernetes client.

use std::task::{Context, Poll};

use futures::future::{self, Either, Ready};
use http::{Method, Request};
use thiserror::Error;
use tokio::sync::watch;
use tower::{BoxError, Layer, Service};

use crate::decide::hold::Hold;

use super::Leadership;

/// A write was refused.
#[derive(Debug, Error)]
enum Refused {
    /// Another replica may lead.
    #[error("write while this replica leads")]
    NotLeading,
    /// A restore forbids it.
    #[error("write without a restore hold")]
    Held,
}

/// Layer that lets writes pass only while this replica leads and no restore forbids them.
#[derive(Debug, Clone)]
pub struct WriteGate {
    leadership: Leadership,
    hold: watch::Receiver<Hold>,
}

impl WriteGate {
    /// A gate that is open while this replica leads and nothing holds it.
    pub fn new(leadership: Leadership, hold: watch::Receiver<Hold>) -> Self {
        Self { leadership, hold }
    }
}

impl<S> Layer<S> for WriteGate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, leadership: self.leadership.clone(), hold: self.hold.clone() }
    }
}

/// A service behind a [`WriteGate`].
#[derive(Debug, Clone)]
pub struct Gated<S> {
    inner: S,
    leadership: Leadership,
    hold: watch::Receiver<Hold>,
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
        let refused = if reads {
            None
        } else if self.hold.borrow().is_active() {
            Some(Refused::Held)
        } else {
            (!self.leadership.may_write()).then_some(Refused::NotLeading)
        };
        match refused {
            None => Either::Left(self.inner.call(request)),
            Some(refused) => Either::Right(future::ready(Err(refused.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rstest::rstest;
    use tower::ServiceExt as _;

    use crate::decide::hold::Notice;

    use super::*;

    fn hold(hold: Hold) -> watch::Receiver<Hold> {
        watch::channel(hold).1
    }

    /// [DR-H03]
    #[rstest]
    #[case::held("POST", Hold::Announced(Notice::default()), false)]
    #[case::not_known("PATCH", Hold::Unknown, false)]
    #[case::reads_harm_nobody("GET", Hold::Switched, true)]
    #[case::released("DELETE", Hold::Released, true)]
    #[tokio::test]
    async fn writes_pass_only_without_a_hold(#[case] method: &str, #[case] held: Hold, #[case] passes: bool) {
        let inner = tower::service_fn(async |_: Request<()>| Ok::<_, BoxError>("answer"));
        let service = WriteGate::new(Leadership::sole(), hold(held)).layer(inner);
        let request = Request::builder().method(method).uri("/x").body(()).unwrap();
        assert_eq!(service.oneshot(request).await.is_ok(), passes);
    }

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
        let service = WriteGate::new(leadership, hold(Hold::Released)).layer(inner);
        let request = Request::builder().method(method).uri("/x").body(()).unwrap();
        assert_eq!(service.oneshot(request).await.is_ok(), passes);
    }

    #[tokio::test]
    async fn the_only_replica_always_writes() {
        let inner = tower::service_fn(async |_: Request<()>| Ok::<_, BoxError>("answer"));
        let service = WriteGate::new(Leadership::sole(), hold(Hold::Released)).layer(inner);
        let request = Request::builder().method("POST").uri("/x").body(()).unwrap();
        assert!(service.oneshot(request).await.is_ok());
    }
}
