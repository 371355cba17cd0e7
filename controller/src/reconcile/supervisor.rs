//! Runs the controllers while the CRDs are served and this replica leads, and tells [`Health`] how it stands.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::api::Memory;
use crate::config::{Namespaces, Settings};
use crate::decide::heartbeat::{Heartbeat, News};
use crate::decide::hold::{Grace, Hold, Notice, Releases};
use crate::defects::Defect;
use crate::leader::{Election, Leadership, Term};
use crate::metrics::Metrics;
use crate::serve::{Census, Health};
use crate::store::StoreState;

use super::admission::Admission;
use super::context::Shared;
use super::events::{Events, events};
use super::keys::Keys;
use super::wakes::Wakes;
use super::{controller, crds, heartbeat, hold};

/// How often missing CRDs are looked for.
const POLL_MISSING: Duration = Duration::from_secs(1);
/// How often present CRDs are looked for.
const POLL_PRESENT: Duration = Duration::from_secs(5);
/// How often a kind is tried that the API server is still preparing.
const POLL_WARM_UP: Duration = Duration::from_millis(200);
/// Passes in the whole process at the same time.
pub(super) const PASSES: u32 = 64;
/// Longest time that passes get to end by themselves.
const GRACE: Duration = Duration::from_secs(10);

/// Everything that outlives a session of work.
pub struct Supervisor {
    /// Talks to the API server, and writes only while this replica leads.
    pub client: Client,
    /// Settings of the process.
    pub settings: Arc<Settings>,
    /// What the world is told about the process.
    pub health: Arc<Health>,
    /// What the world is told about the caches.
    pub census: Arc<Census>,
    /// Numbers for Prometheus.
    pub metrics: Arc<Metrics>,
    /// Whether this replica leads.
    pub leadership: Leadership,
    /// Whether a restore forbids all work; the client writes nothing while it does.
    pub hold: watch::Sender<Hold>,
}

impl Supervisor {
    /// Works until `stop` is cancelled; returns after the passes that are under way, and after the Lease
    /// was given back.
    pub async fn run(self, election: Option<Election>, stop: CancellationToken) {
        self.rest_store();
        let served = watch::Sender::new(false);
        let releases = Mutex::new(Releases::default());
        let worked = CancellationToken::new();
        let (events, publisher) = events(self.client.clone(), &self.metrics);
        let work = async {
            self.sessions(served.subscribe(), &releases, &events, &stop).await;
            // Nobody else may act before the last pass has ended.
            worked.cancel();
        };
        let elect = async {
            if let Some(election) = election {
                election.run(worked.clone()).await;
            }
        };
        let look = worked.run_until_cancelled(self.follow_crds(&served));
        let tell = worked.run_until_cancelled(self.follow_leadership());
        let hold = worked.run_until_cancelled(self.follow_hold(&releases));
        let heartbeat = worked.run_until_cancelled(self.follow_heartbeat());
        let publish = worked.run_until_cancelled(publisher.run());
        tokio::join!(work, elect, look, tell, hold, heartbeat, publish);
    }

    /// Looks for the CRDs again and again. Trouble with discovery says nothing about them.
    async fn follow_crds(&self, served: &watch::Sender<bool>) {
        loop {
            match crds::missing(&self.client, self.settings.vcs_providers()).await {
                Ok(missing) => {
                    let complete = missing.is_empty();
                    self.health.crds(missing);
                    self.metrics.crds_ready(complete);
                    served.send_if_modified(|served| std::mem::replace(served, complete) != complete);
                }
                Err(error) => warn!("discovery failed to {error}"),
            }
            let complete = *served.borrow();
            sleep(if complete { POLL_PRESENT } else { POLL_MISSING }).await;
        }
    }

    /// Looks for the object that announces a restore.
    async fn follow_hold(&self, releases: &Mutex<Releases>) {
        let restore = &self.settings.restore;
        hold::follow(&self.client, restore, |announcement| {
            let now = Hold::of(restore.hold, &announcement);
            let before = self.hold.send_replace(now.clone());
            let mut releases = releases.lock().unwrap_or_else(PoisonError::into_inner);
            releases.note(&before, &now, Timestamp::now());
            self.health.hold(now.clone());
            match now {
                same if same == before => {}
                Hold::Announced(Notice { owner, reason, since, expires }) => {
                    warn!(owner, reason, ?since, ?expires, "a restore was announced, nothing is written");
                }
                Hold::Released => info!("there is no restore hold"),
                other => warn!("{}, nothing is written", other.description(Timestamp::now())),
            }
        })
        .await;
    }

    /// Looks at the Lease of the backup system, if there is one.
    async fn follow_heartbeat(&self) {
        let Some(objectives) = &self.settings.backup else { return };
        let namespace = &self.settings.restore.hold_namespace;
        heartbeat::follow(&self.client, namespace, &objectives.lease, |heartbeat| {
            if let Heartbeat::Read(News { backup_at: Some(at), .. }) = &heartbeat {
                self.metrics.last_backup(*at);
            }
            self.health.heartbeat(heartbeat);
        })
        .await;
    }

    async fn follow_leadership(&self) {
        let mut term = self.leadership.subscribe();
        loop {
            let leads = term.borrow_and_update().is_some();
            self.metrics.leading(leads);
            if term.changed().await.is_err() {
                return;
            }
        }
    }

    async fn sessions(
        &self,
        served: watch::Receiver<bool>,
        releases: &Mutex<Releases>,
        events: &Events,
        stop: &CancellationToken,
    ) {
        let mut conditions =
            Conditions { served, term: self.leadership.subscribe(), hold: self.hold.subscribe() };
        // No session is under way while this waits, so whoever reads that there is a hold may rely on it.
        let tell = |is_held| self.metrics.restore_hold(is_held);
        while let Some(began) = stop.run_until_cancelled(conditions.allow(tell)).await {
            info!("all CRDs are served and this replica leads, starting");
            let grace = self.grace_of_retention(releases);
            self.session(conditions.forbid(began), grace, events, stop).await;
        }
    }

    /// When retention may delete what, in a session that begins now.
    fn grace_of_retention(&self, releases: &Mutex<Releases>) -> Grace {
        let length = self.settings.restore.retention_grace;
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        let grace = releases.lock().unwrap_or_else(PoisonError::into_inner).grace(length);
        if grace.all > Timestamp::now() {
            info!(until = %grace.all, "a restore hold has ended, retention deletes nothing for a while");
        }
        grace
    }

    /// Works until that is over or `stop` is cancelled.
    async fn session(
        &self,
        over: impl Future<Output = &'static str>,
        grace: Grace,
        events: &Events,
        stop: &CancellationToken,
    ) {
        let session = stop.child_token();
        let end = async {
            tokio::select! {
                why = over => warn!("{why}, pausing"),
                () = session.cancelled() => {}
            }
            session.cancel();
            self.health.stopped();
            sleep(self.grace()).await;
        };
        tokio::select! {
            // The work ends by itself once the session is cancelled, and is cut off only when it does not.
            biased;
            () = self.work(grace, events, &session) => {}
            () = end => warn!("passes did not end in time and are cut off"),
        }
        self.health.stopped();
        self.census.close();
        self.rest_store();
    }

    /// Nobody asks the database now, if there is one.
    fn rest_store(&self) {
        if self.settings.database.is_some() {
            self.health.store(StoreState::Idle);
            self.metrics.store_up(false);
        }
    }

    /// After losing the Lease, less than what is left of it.
    fn grace(&self) -> Duration {
        let terms = self.settings.leader_election.as_ref().map(|election| election.terms);
        terms.map_or(GRACE, |terms| GRACE.min(terms.lease.saturating_sub(terms.renew) / 2))
    }

    /// Runs one controller per namespace until the session is cancelled.
    async fn work(&self, grace: Grace, events: &Events, session: &CancellationToken) {
        let namespaces: Vec<Option<String>> = match &self.settings.namespaces {
            Namespaces::All => vec![None],
            Namespaces::Named(names) => names.iter().cloned().map(Some).collect(),
        };
        let first = namespaces.first().cloned().flatten();
        let wakes: Vec<(_, Arc<Wakes>)> =
            namespaces.into_iter().map(|namespace| (namespace, Arc::default())).collect();
        let shared = self.shared(grace, events, &wakes, session);
        let (admission, keys) = (&shared.admission, shared.keys.as_ref());
        let mut views = Vec::new();
        // Tasks of their own let the runtime spread namespaces over its threads; dropping them ends them.
        let mut controllers = JoinSet::new();
        for (namespace, wakes) in wakes {
            let prepared = controller::prepare(&shared, namespace.as_deref(), wakes);
            views.push(prepared.view);
            controllers.spawn(prepared.run);
        }
        let mut caches: Vec<_> = views.iter().flat_map(|view| view.filled.clone()).collect();
        let stocks: Vec<_> = views.iter().map(|view| (view.runs.clone(), view.jobs.clone())).collect();
        self.census.open(views);
        let filled = try_join_all(caches.iter_mut().map(|cache| cache.wait_for(|filled| *filled)));
        let announce = async {
            let (filled, ()) = tokio::join!(filled, warm_up(&self.client, first.as_deref()));
            if filled.is_ok() {
                for (runs, jobs) in &stocks {
                    admission.take_stock(runs, jobs);
                    if let Some(keys) = keys {
                        keys.take_stock(runs, jobs);
                    }
                }
                admission.open();
                if let Some(keys) = keys {
                    keys.open();
                }
                self.health.started();
                info!("caches are filled, ready");
            }
        };
        let keep = async {
            if let Some(keys) = keys {
                keys.keep().await;
            }
        };
        tokio::join!(
            session.run_until_cancelled(announce),
            session.run_until_cancelled(admission.run()),
            session.run_until_cancelled(keep),
            controllers.join_all()
        );
    }

    fn shared(
        &self,
        grace: Grace,
        events: &Events,
        wakes: &[(Option<String>, Arc<Wakes>)],
        session: &CancellationToken,
    ) -> Shared {
        let limits = self.settings.limits.clone();
        let admission = Admission::new(limits, wakes.to_vec(), &self.metrics);
        Shared {
            client: self.client.clone(),
            settings: Arc::clone(&self.settings),
            metrics: Arc::clone(&self.metrics),
            events: events.clone(),
            permits: Arc::new(Semaphore::new(PASSES as usize)),
            admission: Arc::new(admission),
            keys: self.keys(wakes),
            grace,
            stop: session.clone(),
        }
    }

    fn keys(&self, wakes: &[(Option<String>, Arc<Wakes>)]) -> Option<Arc<Keys>> {
        let database = self.settings.database.clone()?;
        self.health.store(StoreState::Opening);
        let namespaces = self.settings.namespaces.clone();
        let (leadership, health) = (self.leadership.clone(), Arc::clone(&self.health));
        let metrics = Arc::clone(&self.metrics);
        Some(Arc::new(Keys::new(database, namespaces, wakes.to_vec(), leadership, health, metrics)))
    }
}

/// What has to hold while there is a session.
struct Conditions {
    served: watch::Receiver<bool>,
    term: watch::Receiver<Option<Term>>,
    hold: watch::Receiver<Hold>,
}

impl Conditions {
    /// Waits until a session can begin, and returns its term. Until then `held` is told whether a restore
    /// forbids the work.
    async fn allow(&mut self, held: impl Fn(bool)) -> Term {
        loop {
            let (complete, leads) = (*self.served.borrow_and_update(), *self.term.borrow_and_update());
            let is_held = self.hold.borrow_and_update().is_active();
            held(is_held);
            if let Some(began) = leads.filter(|_| complete && !is_held) {
                return began;
            }
            self.changed().await;
        }
    }

    /// Waits until a session of this term has to end, and returns why.
    async fn forbid(&mut self, began: Term) -> &'static str {
        loop {
            if *self.term.borrow_and_update() != Some(began) {
                return "this replica does not lead any more";
            }
            if !*self.served.borrow_and_update() {
                return "a CRD is not served any more";
            }
            if self.hold.borrow_and_update().is_active() && !Defect::HeldRunsAreJudged.is_planted() {
                return "there is a restore hold";
            }
            self.changed().await;
        }
    }

    async fn changed(&mut self) {
        let known = tokio::select! {
            changed = self.served.changed() => changed,
            changed = self.term.changed() => changed,
            changed = self.hold.changed() => changed,
        };
        if known.is_err() {
            // Nobody can change anything any more; the caller is cancelled from outside.
            std::future::pending::<()>().await;
        }
    }
}

/// Lists the kind that passes list, until that works: the API server answers the first such requests
/// for a new CRD with 429, which would delay the first runs.
async fn warm_up(client: &Client, namespace: Option<&str>) {
    let memories: Api<Memory> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    while let Err(error) = memories.list(&ListParams::default().limit(1)).await {
        debug!("list Memories: {error}");
        sleep(POLL_WARM_UP).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    /// [HL-01] [LC-19] [DR-H03]
    #[tokio::test]
    async fn work_needs_the_crds_the_lead_of_one_term_and_no_hold() {
        let (serve, lead) = (watch::Sender::new(false), watch::Sender::new(None));
        let hold = watch::Sender::new(Hold::default());
        let mut conditions =
            Conditions { served: serve.subscribe(), term: lead.subscribe(), hold: hold.subscribe() };
        let told = Mutex::new(None);
        let tell = |held| *told.lock().unwrap() = Some(held);
        lead.send_replace(Some(1));
        hold.send_replace(Hold::Released);
        assert!(timeout(SOON, conditions.allow(tell)).await.is_err());
        hold.send_replace(Hold::Unreadable);
        serve.send_replace(true);
        assert!(timeout(SOON, conditions.allow(tell)).await.is_err());
        assert_eq!(*told.lock().unwrap(), Some(true));
        hold.send_replace(Hold::Released);
        assert_eq!(timeout(SOON, conditions.allow(tell)).await, Ok(1));
        assert_eq!(*told.lock().unwrap(), Some(false));
        assert!(timeout(SOON, conditions.forbid(1)).await.is_err());
        hold.send_replace(Hold::Announced(Notice::default()));
        assert_eq!(timeout(SOON, conditions.forbid(1)).await, Ok("there is a restore hold"));
        hold.send_replace(Hold::Released);
        // The lead was lost and won again before anybody looked.
        lead.send_replace(None);
        lead.send_replace(Some(2));
        let why = timeout(SOON, conditions.forbid(1)).await;
        assert_eq!(why, Ok("this replica does not lead any more"));
        serve.send_replace(false);
        let why = timeout(SOON, conditions.forbid(2)).await;
        assert_eq!(why, Ok("a CRD is not served any more"));
    }
}
