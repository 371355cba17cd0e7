//! One watch per kind, shared by all cases, every version kept.
//!
//! A watch delivers versions of all namespaces; [`WatchHub`] hands each to the record of the case that
//! owns the namespace. After an interruption the watch lists anew: versions in between may be missing, so
//! every record gets a [`Observation::Gap`], and objects that are gone are recorded as deleted. An outage that
//! the harness itself brings about is no interruption: see [`WatchHub::pause`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::watcher::{self, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::entry::{Change, ObjectVersion, Observation};
use super::log::Record;

/// How long the first list of every kind may take.
const FIRST_LIST: Duration = Duration::from_secs(30);
/// The label of objects of the cluster; its value is the namespace of the case that made them.
pub const OWNER_LABEL: &str = "hallmark.dev/namespace";
/// How long after a pause a watch may be told to list once more: an API server that has just started may list from the
/// datastore and then watch from a cache that begins a revision later.
const SETTLING: Duration = Duration::from_secs(3);
/// Pause after an interruption.
const PAUSE: Duration = Duration::from_millis(50);

/// A kind to be watched.
pub type Watched = ApiResource;

/// The field selector of what is recorded of a kind, where that is not all of it.
///
/// Helm keeps each revision of a release in a Secret of some 100 KiB, the whole chart included. No rule is about
/// them, and with them half of a record would be charts.
pub fn field_selector(kind: &Watched) -> Option<&'static str> {
    (kind.group.is_empty() && kind.kind == "Secret").then_some("type!=helm.sh/release.v1")
}

/// A watch that did not come up.
#[derive(Debug, thiserror::Error)]
#[error("the watch of {kind} did not list within {} s", FIRST_LIST.as_secs())]
pub struct WatchError {
    kind: String,
}

/// The watches of a run.
#[derive(Debug)]
pub struct WatchHub {
    routes: Routes,
    cancel: CancellationToken,
    /// What is added to every revision; nothing is watched while it is not known.
    course: watch::Sender<Option<u64>>,
    /// By kind, whether its list is complete.
    listed: Vec<(String, watch::Receiver<bool>)>,
}

/// Records by namespace.
type Routes = Arc<Mutex<BTreeMap<String, Record>>>;

impl WatchHub {
    /// Starts one watch per kind and waits until each has its first list.
    pub async fn start(client: &Client, kinds: Vec<Watched>) -> Result<Self, WatchError> {
        Self::start_after(client, kinds, 0).await
    }

    /// The same, with `after` added to every revision: that of a cluster that was there before this one.
    pub async fn start_after(client: &Client, kinds: Vec<Watched>, after: u64) -> Result<Self, WatchError> {
        let (course, following) = watch::channel(Some(after));
        let mut hub =
            Self { routes: Routes::default(), cancel: CancellationToken::new(), course, listed: Vec::new() };
        for kind in kinds {
            let (sender, receiver) = watch::channel(false);
            hub.listed.push((kind.kind.clone(), receiver));
            let follower = Follower {
                routes: Arc::clone(&hub.routes),
                kind,
                course: following.clone(),
                after,
                known: BTreeMap::new(),
                relisted: None,
                listed: sender,
                resumed: None,
            };
            let following = follower.run(client.clone());
            tokio::spawn(hub.cancel.child_token().run_until_cancelled_owned(following));
        }
        hub.caught_up().await?;
        Ok(hub)
    }

    /// Ends all watches until [`WatchHub::resume`], because nothing can be changed meanwhile: the API server is about
    /// to be stopped by the harness. What is there afterwards is compared with what was there before, so that the
    /// record has no gap but for objects that come and go while the watches list.
    pub async fn pause(&self) {
        self.course.send_replace(None);
        for (_kind, listed) in &self.listed {
            // A follower that has ended follows nothing.
            let mut listed = listed.clone();
            let _ended = listed.wait_for(|listed| !listed).await;
        }
    }

    /// Begins all watches anew, with `after` added to every revision; [`WatchHub::caught_up`] waits for them. The API
    /// server need not answer yet.
    pub fn resume(&self, after: u64) {
        self.course.send_replace(Some(after));
    }

    /// Waits until every kind is listed.
    pub async fn caught_up(&self) -> Result<(), WatchError> {
        for (kind, listed) in &self.listed {
            let mut listed = listed.clone();
            let ready = tokio::time::timeout(FIRST_LIST, listed.wait_for(|listed| *listed)).await;
            if !matches!(ready, Ok(Ok(_))) {
                return Err(WatchError { kind: kind.clone() });
            }
        }
        Ok(())
    }

    /// From now on, versions of objects in `namespace` go to `record`.
    pub fn route(&self, namespace: &str, record: &Record) {
        lock(&self.routes).insert(namespace.to_owned(), record.clone());
    }

    /// Ends the watches.
    pub fn stop(&self) {
        self.cancel.cancel();
    }

    /// Versions of objects in `namespace` are no longer kept.
    pub fn forget(&self, namespace: &str) {
        lock(&self.routes).remove(namespace);
    }
}

impl Drop for WatchHub {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn lock(routes: &Routes) -> std::sync::MutexGuard<'_, BTreeMap<String, Record>> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The namespace of the case that an object belongs to. Objects of the cluster name it in a label, and a
/// namespace is its own.
fn owner(version: &ObjectVersion) -> &str {
    if !version.namespace.is_empty() {
        return &version.namespace;
    }
    let labels = version.object.pointer("/metadata/labels");
    let named = labels.and_then(|labels| labels.get(OWNER_LABEL)?.as_str());
    named.unwrap_or(&version.name)
}

/// The watch of one kind.
struct Follower {
    routes: Routes,
    kind: ApiResource,
    course: watch::Receiver<Option<u64>>,
    /// What is added to every revision.
    after: u64,
    /// The last version of every object that is there, by uid.
    known: BTreeMap<String, ObjectVersion>,
    /// While a list after an interruption arrives: the uids that it held so far.
    relisted: Option<Vec<String>>,
    listed: watch::Sender<bool>,
    /// When the first list after a pause was complete.
    resumed: Option<Instant>,
}

impl Follower {
    /// Follows for ever, but for pauses.
    async fn run(mut self, client: Client) {
        let mut course = self.course.clone();
        // The sender goes with the hub, which ends this.
        while let Ok(after) = course.wait_for(Option::is_some).await.map(|after| after.unwrap_or_default()) {
            self.after = after;
            tokio::select! {
                () = self.follow(client.clone()) => return,
                _paused = course.changed() => {}
            }
            self.relisted = Some(Vec::new());
            self.listed.send_replace(false);
        }
    }

    async fn follow(&mut self, client: Client) {
        let api: Api<DynamicObject> = Api::all_with(client, &self.kind);
        let all = watcher::Config::default();
        let config = field_selector(&self.kind).into_iter().fold(all, watcher::Config::fields);
        let mut versions = watcher(api, config).boxed();
        while let Some(event) = versions.next().await {
            match event {
                Ok(event) => self.handle(event),
                Err(error) => {
                    tracing::debug!(kind = %self.kind.kind, %error, "watch interrupted");
                    // A watch that is refused begins at the same revision the next time. If that is gone by then,
                    // it lists anew, which is told.
                    let refused = matches!(error, watcher::Error::WatchStartFailed(_));
                    if self.is_following() && !refused {
                        self.gap(&error.to_string());
                    }
                    // The watch begins anew when it is polled again, also while nothing answers.
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Whether something may be missed: everything is listed, and the watch has not been told to end.
    fn is_following(&self) -> bool {
        let settling = self.resumed.is_some_and(|resumed| resumed.elapsed() < SETTLING);
        *self.listed.borrow() && self.course.borrow().is_some() && !settling
    }

    fn handle(&mut self, event: watcher::Event<DynamicObject>) {
        match event {
            watcher::Event::Apply(object) => self.seen(&object),
            watcher::Event::InitApply(object) => {
                if let Some(uids) = &mut self.relisted {
                    uids.extend(object.uid());
                }
                self.seen(&object);
            }
            watcher::Event::Delete(object) => {
                if let Some(version) = self.version(&object, Change::Deleted) {
                    self.known.remove(&version.uid);
                    self.deliver(version);
                }
            }
            watcher::Event::Init => {
                if self.is_following() {
                    self.gap("the watch began anew");
                }
                if *self.listed.borrow() {
                    self.relisted = Some(Vec::new());
                }
                // A list that was cut off is begun anew.
                if let Some(uids) = &mut self.relisted {
                    uids.clear();
                }
            }
            watcher::Event::InitDone => {
                if let Some(uids) = self.relisted.take() {
                    self.drop_missing(&uids);
                    if !*self.listed.borrow() {
                        self.resumed = Some(Instant::now());
                    }
                }
                self.listed.send_replace(true);
            }
        }
    }

    fn seen(&mut self, object: &DynamicObject) {
        let uid = object.uid().unwrap_or_default();
        let change = if self.known.contains_key(&uid) { Change::Modified } else { Change::Added };
        let Some(version) = self.version(object, change) else { return };
        let repeated =
            self.known.get(&uid).is_some_and(|known| known.resource_version == version.resource_version);
        if !repeated {
            self.known.insert(uid, version.clone());
            self.deliver(version);
        }
    }

    /// What was there before an interruption and is not in the list after it is gone.
    fn drop_missing(&mut self, uids: &[String]) {
        let missing: Vec<String> = self.known.keys().filter(|uid| !uids.contains(uid)).cloned().collect();
        for uid in missing {
            if let Some(mut version) = self.known.remove(&uid) {
                version.change = Change::Deleted;
                self.deliver(version);
            }
        }
    }

    fn version(&self, object: &DynamicObject, change: Change) -> Option<ObjectVersion> {
        let mut value = serde_json::to_value(object).ok()?;
        // Items of a list carry no type of their own.
        if let Some(fields) = value.as_object_mut() {
            fields.insert("apiVersion".to_owned(), self.kind.api_version.clone().into());
            fields.insert("kind".to_owned(), self.kind.kind.clone().into());
        }
        Some(ObjectVersion {
            change,
            api_version: self.kind.api_version.clone(),
            kind: self.kind.kind.clone(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            resource_version: object
                .resource_version()
                .and_then(|text| text.parse::<u64>().ok())
                .map_or(0, |revision| revision + self.after),
            object: Arc::new(value),
        })
    }

    fn deliver(&self, version: ObjectVersion) {
        let record = lock(&self.routes).get(owner(&version)).cloned();
        if let Some(record) = record {
            record.append(Observation::Object(version));
        }
    }

    fn gap(&self, reason: &str) {
        let records: Vec<Record> = lock(&self.routes).values().cloned().collect();
        for record in records {
            record.append(Observation::Gap {
                kind: format!("{}/{}", self.kind.api_version, self.kind.kind),
                reason: reason.to_owned(),
            });
        }
    }
}
