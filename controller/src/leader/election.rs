//! The loop that wins, keeps and gives back the Lease.

use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::LeaderElection;
use crate::decide::lease::{self, Seen, Step, Terms};

use super::Leadership;

/// Longest time for giving the Lease back at the end.
const RELEASE: Duration = Duration::from_secs(3);
const FIELD_MANAGER: &str = "agents-controller";

/// One replica's part in the election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    me: String,
    terms: Terms,
    leadership: Leadership,
    /// Told about every answer that says how the Lease stands.
    contact: Arc<dyn Fn() + Send + Sync>,
}

/// Why an attempt did not work.
#[derive(Debug, Error)]
enum AttemptError {
    #[error("get an answer about Lease {name} within {deadline:?}")]
    Deadline { name: String, deadline: Duration },
    #[error("use Lease {name}: {source}")]
    Api { name: String, source: Box<kube::Error> },
}

/// The Lease while it is held.
#[derive(Debug, Clone)]
struct Held {
    seen: Seen,
    /// When the last change that worked was sent.
    renewed: Instant,
}

enum Attempt {
    Won(Held),
    Wait(Duration),
}

/// How this replica calls itself: the pod, and a part that no earlier process of the pod had.
pub fn identity(pod: Option<&str>) -> String {
    let random = RandomState::new().hash_one("identity");
    format!("{}_{random:016x}", pod.unwrap_or("agents-controller"))
}

impl Election {
    /// Takes part with a client that no [`super::WriteGate`] closes.
    pub fn new(
        client: Client,
        settings: &LeaderElection,
        me: String,
        leadership: Leadership,
        contact: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let api = Api::namespaced(client, &settings.namespace);
        let (name, terms) = (settings.name.clone(), settings.terms);
        Self { api, name, me, terms, leadership, contact: Arc::new(contact) }
    }

    /// Takes part until `stop` is cancelled, and then gives the Lease back if it is held.
    pub async fn run(self, stop: CancellationToken) {
        let mut seen = None;
        // A Lease that was won by a request whose answer is not awaited any more just runs out.
        while let Some(held) = stop.run_until_cancelled(self.win(seen.take())).await {
            info!(lease = self.name, identity = self.me, "leading");
            let kept = stop.run_until_cancelled(self.keep(held.clone())).await;
            self.leadership.end();
            if let Some(lost) = kept {
                warn!(lease = self.name, holder = lost.holder(), "not leading any more");
                seen = Some(lost);
            } else {
                let released = timeout(RELEASE, self.give_back(held.seen)).await;
                match released.unwrap_or_else(|_| Err(self.late(RELEASE))) {
                    Ok(()) => info!(lease = self.name, "gave the Lease back"),
                    Err(error) => warn!("leader election failed to {error}"),
                }
            }
        }
    }

    /// Returns once the Lease is won.
    async fn win(&self, mut seen: Option<Seen>) -> Held {
        loop {
            match self.try_to_win(&mut seen).await {
                Ok(Attempt::Won(held)) => return held,
                Ok(Attempt::Wait(time)) => sleep(time).await,
                Err(error) => {
                    warn!("leader election failed to {error}");
                    sleep(self.terms.retry.mul_f32(0.8)).await;
                }
            }
        }
    }

    /// One look and, if the Lease is free, one attempt.
    async fn try_to_win(&self, seen: &mut Option<Seen>) -> Result<Attempt, AttemptError> {
        let found = self.read().await?;
        let sent = Instant::now();
        let exists = found.is_some();
        if let Some(found) = found {
            *seen = Some(Seen::new(found, seen.take(), sent));
        }
        let won = match lease::next(exists, seen.as_ref(), &self.me, &self.terms, sent) {
            Step::Wait(time) => return Ok(Attempt::Wait(time)),
            Step::Create => self.create().await?,
            Step::Take(patch) => self.patch(&patch, self.terms.retry).await?,
        };
        // Without an answer that it worked, another replica was faster: look again, then wait for it.
        let Some(won) = won else { return Ok(Attempt::Wait(Duration::ZERO)) };
        // Counted from before the request: nobody else can have seen the change earlier.
        self.leadership.extend(sent + self.terms.renew);
        Ok(Attempt::Won(Held { seen: Seen::new(won, seen.take(), Instant::now()), renewed: sent }))
    }

    /// Renews the Lease until it is lost, and returns what was seen last.
    async fn keep(&self, mut held: Held) -> Seen {
        loop {
            let left = self.left(&held);
            sleep(self.terms.retry.min(left)).await;
            match self.renew(&mut held).await {
                Ok(true) => {}
                Ok(false) => return held.seen,
                Err(error) => warn!(left = ?self.left(&held), "leader election failed to {error}"),
            }
            if self.left(&held).is_zero() {
                return held.seen;
            }
        }
    }

    /// One attempt to renew. Returns whether the Lease is still held.
    async fn renew(&self, held: &mut Held) -> Result<bool, AttemptError> {
        let sent = Instant::now();
        let deadline = self.terms.retry.min(self.left(held));
        if let Some(renewed) = self.patch(&lease::renew(&held.seen), deadline).await? {
            held.seen = Seen::new(renewed, None, Instant::now());
            held.renewed = sent;
            self.leadership.extend(sent + self.terms.renew);
            return Ok(true);
        }
        // It is not what it was: another replica took it, or the answer to our own change was lost. In
        // that case the next attempt has the right version.
        let Some(found) = self.read().await? else { return Ok(false) };
        held.seen = Seen::new(found, None, Instant::now());
        Ok(held.seen.holder() == Some(self.me.as_str()))
    }

    /// Gives the Lease back in the version it has now.
    async fn give_back(&self, seen: Seen) -> Result<(), AttemptError> {
        let found = self.read().await?.map(|found| Seen::new(found, Some(seen), Instant::now()));
        if let Some(seen) = found.filter(|seen| seen.holder() == Some(self.me.as_str())) {
            self.patch(&lease::release(&seen), RELEASE).await?;
        }
        Ok(())
    }

    /// Time until this replica has to stop.
    fn left(&self, held: &Held) -> Duration {
        (held.renewed + self.terms.renew).saturating_duration_since(Instant::now())
    }

    async fn read(&self) -> Result<Option<Lease>, AttemptError> {
        self.answer(self.api.get_opt(&self.name), self.terms.retry).await
    }

    /// Creates the Lease, unless another replica did.
    async fn create(&self) -> Result<Option<Lease>, AttemptError> {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": self.name}, "spec": lease::held(&self.me, &self.terms, 0),
        });
        let lease: Lease =
            serde_json::from_value(lease).map_err(|source| self.failed(kube::Error::SerdeError(source)))?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        changed(self.answer(self.api.create(&params, &lease), self.terms.retry).await)
    }

    /// Changes the Lease, unless it is not what was seen any more.
    async fn patch(&self, patch: &Value, deadline: Duration) -> Result<Option<Lease>, AttemptError> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        changed(self.answer(self.api.patch(&self.name, &params, &Patch::Merge(patch)), deadline).await)
    }

    async fn answer<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
        deadline: Duration,
    ) -> Result<T, AttemptError> {
        let answer = timeout(deadline, request).await.map_err(|_| self.late(deadline))?;
        let says_something = match &answer {
            Ok(_) => true,
            // Not there, or not what it was: both tell how it stands.
            Err(kube::Error::Api(status)) => matches!(status.code, 404 | 409),
            Err(_) => false,
        };
        if says_something {
            (self.contact)();
        }
        answer.map_err(|source| self.failed(source))
    }

    fn late(&self, deadline: Duration) -> AttemptError {
        AttemptError::Deadline { name: self.name.clone(), deadline }
    }

    fn failed(&self, source: kube::Error) -> AttemptError {
        AttemptError::Api { name: self.name.clone(), source: Box::new(source) }
    }
}

/// Nothing, if the Lease is there already, gone, or not in the version that was seen.
fn changed(answer: Result<Lease, AttemptError>) -> Result<Option<Lease>, AttemptError> {
    match answer {
        Ok(lease) => Ok(Some(lease)),
        Err(AttemptError::Api { source, .. }) if matches!(&*source, kube::Error::Api(status) if matches!(status.code, 404 | 409)) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant as Clock;

    use crate::reconcile::mock::{Asked, api_server, refusal};

    use super::*;

    const TERMS: Terms = Terms {
        lease: Duration::from_secs(1),
        renew: Duration::from_millis(600),
        retry: Duration::from_millis(150),
    };

    /// An API server with one Lease, whose changes are conditional as in a real one.
    #[derive(Clone, Default)]
    struct Server {
        lease: Arc<Mutex<Option<Value>>>,
        dead: Arc<Mutex<bool>>,
    }

    impl Server {
        fn client(&self) -> Client {
            let server = self.clone();
            api_server(move |asked| server.answer(asked)).0
        }

        fn answer(&self, asked: &Asked) -> (u16, Value) {
            if *self.dead.lock().unwrap() {
                return refusal(500, "InternalError");
            }
            let mut lease = self.lease.lock().unwrap();
            let version = |lease: &Value| lease["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
            match (asked.line.split(' ').next().unwrap(), lease.as_mut()) {
                ("GET", Some(lease)) => (200, lease.clone()),
                ("POST", None) => {
                    let mut created = asked.body.clone();
                    created["metadata"]["resourceVersion"] = json!("1");
                    *lease = Some(created.clone());
                    (201, created)
                }
                ("PATCH", Some(lease)) => {
                    if asked.body["metadata"]["resourceVersion"] != json!(version(lease)) {
                        return refusal(409, "Conflict");
                    }
                    let next = version(lease).parse::<u64>().unwrap() + 1;
                    json_patch::merge(lease, &asked.body);
                    lease["metadata"]["resourceVersion"] = json!(next.to_string());
                    (200, lease.clone())
                }
                ("POST", Some(_)) => refusal(409, "AlreadyExists"),
                _ => refusal(404, "NotFound"),
            }
        }

        fn join(&self, me: &str) -> (Leadership, CancellationToken, tokio::task::JoinHandle<()>) {
            let (leadership, stop) = (Leadership::contested(), CancellationToken::new());
            let (client, me) = (self.client(), me.to_owned());
            let (name, namespace) = ("lease".to_owned(), "ns".to_owned());
            let settings = LeaderElection { name, namespace, pod: None, terms: TERMS };
            let election = Election::new(client, &settings, me, leadership.clone(), || ());
            let task = tokio::spawn(election.run(stop.clone()));
            (leadership, stop, task)
        }

        fn holder(&self) -> Option<String> {
            let lease = self.lease.lock().unwrap();
            lease.as_ref()?["spec"]["holderIdentity"].as_str().map(str::to_owned)
        }
    }

    async fn until_leading(leadership: &Leadership, leads: bool, within: Duration) {
        let mut term = leadership.subscribe();
        let change = term.wait_for(|term| term.is_some() == leads);
        timeout(within, change).await.expect("no change in time").unwrap();
    }

    const SLACK: Duration = Duration::from_secs(1);

    /// [LC-19]
    #[tokio::test]
    async fn of_two_replicas_one_leads_and_the_other_follows_soon_after_a_release() {
        let server = Server::default();
        let (first, stop_first, first_task) = server.join("first");
        until_leading(&first, true, SLACK).await;
        let (second, stop_second, second_task) = server.join("second");
        // Longer than the Lease: it is kept alive by renewals.
        sleep(TERMS.lease * 2).await;
        assert!(first.leads() && first.may_write() && !second.leads() && !second.may_write());
        stop_first.cancel();
        first_task.await.unwrap();
        assert!(!first.may_write());
        until_leading(&second, true, TERMS.retry + SLACK).await;
        assert_eq!(server.holder().as_deref(), Some("second"));
        stop_second.cancel();
        second_task.await.unwrap();
        assert_eq!(server.holder(), None);
    }

    /// [LC-19]
    #[tokio::test]
    async fn a_crashed_leader_is_replaced_when_its_lease_is_over_and_not_before() {
        let server = Server::default();
        let (first, _stop, task) = server.join("first");
        until_leading(&first, true, SLACK).await;
        let (second, ..) = server.join("second");
        sleep(TERMS.retry).await;
        task.abort();
        let crashed = Clock::now();
        until_leading(&second, true, TERMS.lease + TERMS.retry + SLACK).await;
        // The last renewal was at most one retry period before the crash.
        assert!(crashed.elapsed() + TERMS.retry * 2 >= TERMS.lease, "{:?}", crashed.elapsed());
    }

    /// [LC-19]
    #[tokio::test]
    async fn a_leader_that_cannot_renew_stops_before_its_lease_is_over_and_goes_on_later() {
        let server = Server::default();
        let (leadership, ..) = server.join("me");
        until_leading(&leadership, true, SLACK).await;
        *server.dead.lock().unwrap() = true;
        let died = Clock::now();
        until_leading(&leadership, false, TERMS.lease).await;
        assert!(died.elapsed() < TERMS.lease && !leadership.may_write());
        *server.dead.lock().unwrap() = false;
        until_leading(&leadership, true, SLACK).await;
    }

    /// [LC-19]
    #[tokio::test]
    async fn a_leader_whose_lease_was_taken_stops_at_the_next_renewal() {
        let server = Server::default();
        let (leadership, ..) = server.join("me");
        until_leading(&leadership, true, SLACK).await;
        if let Some(lease) = server.lease.lock().unwrap().as_mut() {
            lease["spec"]["holderIdentity"] = json!("thief");
            lease["metadata"]["resourceVersion"] = json!("100");
        }
        until_leading(&leadership, false, TERMS.retry + SLACK).await;
        assert_eq!(server.holder().as_deref(), Some("thief"));
    }

    /// [HL-02] What readiness of a standby hangs on.
    #[tokio::test]
    async fn only_an_answer_about_the_lease_counts_as_contact() {
        let (server, contacts) = (Server::default(), Arc::new(Mutex::new(0)));
        let (name, namespace) = ("lease".to_owned(), "ns".to_owned());
        let settings = LeaderElection { name, namespace, pod: None, terms: TERMS };
        let count = Arc::clone(&contacts);
        let contact = move || *count.lock().unwrap() += 1;
        let me = "me".to_owned();
        let election = Election::new(server.client(), &settings, me, Leadership::contested(), contact);
        assert!(election.read().await.is_ok_and(|lease| lease.is_none()));
        assert_eq!(*contacts.lock().unwrap(), 1);
        *server.dead.lock().unwrap() = true;
        assert!(election.read().await.is_err());
        assert_eq!(*contacts.lock().unwrap(), 1);
    }

    #[test]
    fn no_two_processes_of_a_pod_have_the_same_identity() {
        assert_ne!(identity(Some("pod")), identity(Some("pod")));
        assert!(identity(Some("pod")).starts_with("pod_"));
    }
}
