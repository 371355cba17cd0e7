//! Playing the end of Jobs in the background, as they appear.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::task::JoinSet;

use super::act::Reference;
use super::case::CaseRun;
use super::cluster_scope::Place;
use super::finish::end;
use crate::check::present;
use crate::record::{ObjectVersion, Record};
use crate::scenario::assertion::Bindings;
use crate::scenario::step::Finish;

/// Pause between two looks at the record: a burst grows it by thousands of entries, and each look reads
/// all of them.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The players of a case; they stop with it.
#[derive(Debug, Default)]
pub(super) struct Players {
    playing: JoinSet<()>,
    pub(super) churning: JoinSet<()>,
    pub(super) trouble: Arc<Mutex<Option<String>>>,
}

impl Players {
    /// The first thing that went wrong, if anything did: nothing is known about the case then.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a player needs to act without its case.
struct Player {
    client: Client,
    namespace: String,
    place: Place,
    record: Record,
    bindings: Bindings,
    finish: Finish,
    after: Duration,
    trouble: Arc<Mutex<Option<String>>>,
}

impl CaseRun<'_> {
    /// Ends every Job of a selection from now on, each `after` it was first seen.
    pub(super) fn play(&mut self, finish: &Finish, after: Duration) {
        let Ok(place) = self.place("batch/v1", "Job") else { return };
        let player = Player {
            client: self.client().clone(),
            namespace: self.namespace.clone(),
            place: place.clone(),
            record: self.record.clone(),
            bindings: self.fresh_bindings(),
            finish: finish.clone(),
            after,
            trouble: Arc::clone(&self.players.trouble),
        };
        self.players.playing.spawn(player.run());
    }
}

impl Player {
    async fn run(self) {
        let player = Arc::new(self);
        let mut length = player.record.length();
        let mut seen = BTreeSet::new();
        let mut ending = JoinSet::new();
        loop {
            length.mark_unchanged();
            for job in present(&player.finish.job, &player.record.snapshot(), &player.bindings) {
                if !is_finished(&job) && seen.insert(job.uid.clone()) {
                    ending.spawn(Arc::clone(&player).end(job));
                }
            }
            if length.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends one Job. That it is gone by then is as good.
    async fn end(self: Arc<Self>, job: ObjectVersion) {
        tokio::time::sleep(self.after).await;
        let reference = Reference { place: self.place.clone(), name: job.name, uid: job.uid };
        match end(&self.client, &self.namespace, &reference, &self.finish).await {
            Ok(_ended_or_replaced) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                trouble.get_or_insert_with(|| format!("play the end of {}: {error}", reference.describe()));
            }
        }
    }
}

/// Whether somebody ended the Job already.
pub(crate) fn is_finished(job: &ObjectVersion) -> bool {
    let conditions = job.object.pointer("/status/conditions").and_then(serde_json::Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let text = |key| condition.get(key).and_then(serde_json::Value::as_str);
        matches!(text("type"), Some("Complete" | "Failed")) && text("status") == Some("True")
    })
}
