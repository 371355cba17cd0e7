//! The proxy: accepts connections of the subject, asks the API server, and does what was armed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderName, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::Client;
use kube::client::Body;
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::api_request::ApiRequest;
use super::armed::Armed;
use super::disturbance::Disturbances;
use super::error::{Cut, FaultError};
use super::gate::Gate;
use super::stream::{AnswerBody, passed, watched, whole};
use super::{certificate, status};
use crate::record::Observation;
use crate::scenario::fault::{Effect, Fault, Moment, Verb, WatchFault};
use crate::subject::{ApiRoute, LogSink};

/// Headers that belong to one connection (RFC 9110, section 7.6.1); each side writes its own.
const OF_ONE_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("keep-alive"),
];

/// Stands between one subject and the API server; everything ends when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    /// Absent where nobody comes over the network.
    route: Option<ApiRoute>,
    shared: Arc<Shared>,
    cancel: CancellationToken,
}

struct Shared {
    upstream: Client,
    armed: Mutex<Armed>,
    /// Writes that arrived so far.
    writes: AtomicU64,
    /// The same with leases and Events.
    changes: AtomicU64,
    disturbances: Disturbances,
    gate: Arc<Gate>,
    kills: mpsc::UnboundedSender<()>,
    log: LogSink,
}

/// The body of a request, over a connection or from within.
trait Asking: hyper::body::Body<Data = Bytes, Error: Into<tower::BoxError>> + Send {}

impl<B> Asking for B where B: hyper::body::Body<Data = Bytes, Error: Into<tower::BoxError>> + Send {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("armed", &self.armed).field("gate", &self.gate).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Starts a proxy to the API server of a kubeconfig.
    ///
    /// Writes of the subject and faults go to `log`. The receiver is told when the subject is to be killed;
    /// whoever kills it says so with [`FaultProxy::killed`], and until then nothing passes.
    pub async fn start(
        kubeconfig: &Path,
        log: LogSink,
    ) -> Result<(Self, mpsc::UnboundedReceiver<()>), FaultError> {
        let (mut proxy, killing) = Self::within(anonymous(kubeconfig).await?, log);
        let (authority, tls) = certificate::make()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(FaultError::Listen)?;
        let address: SocketAddr = listener.local_addr().map_err(FaultError::Listen)?;
        let (shared, cancel) = (Arc::clone(&proxy.shared), proxy.cancel.clone());
        let serving = serve(listener, TlsAcceptor::from(tls), shared, cancel.clone());
        tokio::spawn(cancel.run_until_cancelled_owned(serving));
        proxy.route = Some(ApiRoute { server: format!("https://{address}"), authority });
        Ok((proxy, killing))
    }

    /// A proxy within this process, for clients of its own: see [`FaultProxy::client`]. It adds the rights of
    /// `upstream` to every request.
    pub fn within(upstream: Client, log: LogSink) -> (Self, mpsc::UnboundedReceiver<()>) {
        let (kills, killing) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            upstream,
            armed: Mutex::default(),
            writes: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            disturbances: Disturbances::default(),
            gate: Arc::new(Gate::new()),
            kills,
            log,
        });
        (Self { route: None, shared, cancel: CancellationToken::new() }, killing)
    }

    /// A client whose requests meet the faults, without a connection of its own.
    pub fn client(&self) -> Client {
        let shared = Arc::clone(&self.shared);
        let answer = tower::service_fn(move |request: Request<Body>| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request).await }
        });
        Client::new(answer, "default")
    }

    /// Where a subject of another process finds it.
    pub fn route(&self) -> Option<&ApiRoute> {
        self.route.as_ref()
    }

    /// From now on requests are counted for this fault.
    pub fn arm(&self, fault: Fault) {
        self.shared.armed().add(fault);
    }

    /// Disturbs the watches that run at present.
    pub fn disturb_watches(&self, fault: WatchFault) {
        self.shared.disturbances.disturb(fault);
    }

    /// The subject is dead; whatever it still asked for is forgotten, and the next one may ask.
    pub fn killed(&self) {
        self.shared.gate.open();
    }

    /// Waits until no kill is decided that was not done.
    pub async fn calm(&self) {
        self.shared.gate.opened().await;
    }

    /// Everything is passed on until another fault is armed; returns how many writes have arrived up to now.
    pub fn disarm(&self) -> u64 {
        self.shared.armed().disarm();
        self.shared.writes.load(Ordering::Relaxed)
    }

    /// How many requests arrived that change something, those for leases and Events included.
    pub fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::Relaxed)
    }

    /// The first fault that met no request although the scenario needs it to.
    pub fn unmet(&self) -> Option<Fault> {
        self.shared.armed().unmet().cloned()
    }

    /// The first fault of watches that no watch of its resource met.
    pub fn unmet_of_watches(&self) -> Option<WatchFault> {
        self.shared.disturbances.unmet()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// A client of the API server that brings no rights of its own: each request carries the subject's.
async fn anonymous(path: &Path) -> Result<Client, FaultError> {
    let unusable = |message: String| FaultError::Kubeconfig { path: path.to_owned(), message };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| unusable(error.to_string()))?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(error.to_string()))?;
    config.auth_info = AuthInfo::default();
    config.write_timeout = None;
    Client::try_from(config).map_err(|error| unusable(error.to_string()))
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>, cancel: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                let serving = converse(connection, tls.clone(), Arc::clone(&shared));
                tokio::spawn(cancel.clone().run_until_cancelled_owned(serving));
            }
            Err(error) => tracing::debug!(%error, "fault proxy: connection not accepted"),
        }
    }
}

async fn converse(connection: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    // Small requests must not wait for more; the API server's own connections do not either.
    let _slower = connection.set_nodelay(true);
    let Ok(connection) = tls.accept(connection).await else { return };
    let answer = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { shared.answer(request).await }
    });
    // That connections end in all sorts of ways is what this module is for.
    let _end = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(connection), answer)
        .await;
}

impl Shared {
    fn armed(&self) -> std::sync::MutexGuard<'_, Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, observation: Observation) {
        (self.log)(observation);
    }

    /// Answers a request; an error cuts its connection.
    async fn answer<B>(&self, request: Request<B>) -> Result<Response<AnswerBody>, Cut>
    where
        B: Asking,
    {
        self.gate.pass().await?;
        let Some(asked) = ApiRequest::parse(request.method(), request.uri()) else {
            return self.forward(request, None).await;
        };
        let effect = self.armed().meet(&asked);
        self.changes.fetch_add(u64::from(asked.changes()), Ordering::Relaxed);
        let number = (asked.changes() && !asked.is_bookkeeping())
            .then(|| self.writes.fetch_add(1, Ordering::Relaxed) + 1);
        if let Some(effect) = effect {
            self.tell(Observation::Fault { what: format!("{effect}: {asked}") });
        }
        let outcome = match effect {
            None => self.forward(request, Some(&asked)).await,
            Some(Effect::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                self.gate.pass().await?;
                self.forward(request, Some(&asked)).await
            }
            Some(Effect::Answer(code)) => Ok(refusal(code)),
            Some(Effect::Cut(Moment::Before)) => Err(Cut::Wanted),
            Some(Effect::Cut(Moment::After)) => {
                self.done(request, &asked).await?;
                Err(Cut::Wanted)
            }
            Some(Effect::Kill(moment)) => {
                // From here on the subject can do nothing else, while this request may still be served.
                let first = self.gate.close();
                if moment == Moment::After {
                    self.done(request, &asked).await?;
                }
                if first {
                    let _nobody_kills = self.kills.send(());
                }
                Err(self.gate.death().await.into())
            }
        };
        if let Some(number) = number {
            let answered = outcome.as_ref().ok().map(|response| response.status().as_u16());
            self.tell(Observation::Write { number, request: asked.to_string(), status: answered });
        }
        outcome
    }

    /// Has the API server do what is asked, whatever it answers.
    async fn done<B: Asking>(&self, request: Request<B>, asked: &ApiRequest) -> Result<(), Cut> {
        self.forward(request, Some(asked)).await?.into_body().collect().await?;
        Ok(())
    }

    async fn forward<B: Asking>(
        &self,
        request: Request<B>,
        asked: Option<&ApiRequest>,
    ) -> Result<Response<AnswerBody>, Cut> {
        // Subscribed before the API server answers, so that a fault finds every watch that it shall find.
        let faults = self.disturbances.subscribe();
        let (mut head, body) = request.into_parts();
        for name in OF_ONE_CONNECTION.iter().chain([&header::HOST]) {
            head.headers.remove(name);
        }
        let body = body.collect().await.map_err(|error| Cut::Request(error.into()))?;
        let body = Body::from(body.to_bytes());
        let (mut head, body) = self.upstream.send(Request::from_parts(head, body)).await?.into_parts();
        for name in &OF_ONE_CONNECTION {
            head.headers.remove(name);
        }
        let gate = Arc::clone(&self.gate);
        let body = match asked {
            Some(asked) if asked.verb == Verb::Watch && head.status.is_success() => {
                watched(body, asked.resource.clone(), faults, gate)
            }
            _ => passed(body, gate),
        };
        Ok(Response::from_parts(head, body))
    }
}

/// A refusal in the words of the API server.
fn refusal(code: StatusCode) -> Response<AnswerBody> {
    let body = Bytes::from(status::refusal(code).to_string());
    let mut response = Response::new(whole(body));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if code == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}
