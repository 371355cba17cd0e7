//! The recovery: from nothing to a cluster in which every run has settled.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};

use super::claims::RestoreEnd;
use super::error::DrillError;
use super::ledger::{Key, Ledger, Version};
use super::mutant::EngineMutant;
use super::outcome::Restored;
use super::phases::{Site, kinds, start_subject};
use super::timeline::{Moment, Timeline, seconds};
use super::witness::Witness;
use crate::backup::{
    self, Checked, LeaderGuard, Limits, Outcome, RestoreError, RestoreOptions, RestoreReport,
};
use crate::engine::{OwnCluster, Ruin, request};
use crate::event::EventSink;
use crate::scenario::document;
use crate::subject::implementation::Ready;
use crate::subject::{Answer, Subject, SubjectError, crds};

/// How long the watches may lag behind the restore.
const DELIVERED: Duration = Duration::from_secs(10);
/// How long the controller may take to be ready after the release.
const READY: Duration = Duration::from_secs(30);
/// How long the runs may take to settle, however few there are, and in addition for each of them.
const SETTLED: Duration = Duration::from_secs(30);
const PER_RUN: Duration = Duration::from_millis(50);
/// Pause between two questions.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A cluster in which an archive was restored under a hold.
pub(super) struct Recovered {
    pub(super) cluster: OwnCluster,
    pub(super) subject: Subject,
    pub(super) witness: Witness,
    pub(super) timeline: Timeline,
    pub(super) end: RestoreEnd,
    pub(super) restored: Restored,
    /// When the watches had delivered everything.
    pub(super) at: Timestamp,
}

/// What is restored.
pub(super) struct Source<'a> {
    pub(super) archive: &'a Path,
    pub(super) mutant: Option<EngineMutant>,
    /// What has to be there in the end.
    pub(super) expected: &'a BTreeMap<Key, Version>,
}

/// Builds a cluster, installs the controller under a hold and restores the archive.
pub(super) async fn recover(
    ruin: Ruin,
    site: &Site<'_>,
    source: Source<'_>,
    mut timeline: Timeline,
    events: &EventSink,
) -> Result<Recovered, DrillError> {
    let cluster = ruin.rebuild(events).await?;
    timeline.reached(Moment::T1);
    let mut checked = backup::verify(source.archive, Limits::default())?;
    timeline.reached(Moment::T2);
    if let Some(mutant) = source.mutant {
        mutant.plant(&mut checked);
    }
    let served = crds::apply(cluster.subjects()).await;
    served.map_err(DrillError::subject("install the definitions again"))?;
    timeline.reached(Moment::T3);
    cluster.played_namespace(site.namespace).await?;
    // Before the controller: none may see a run without a hold.
    hold(&cluster, site.namespace).await?;
    let kinds = kinds(cluster.client(), site.setting).await?;
    // What waited is executed now, and ends well.
    let player = Arc::new(|_: &str, _: usize| Some(document::Outcome::Succeeded));
    let witness =
        Witness::start(cluster.client(), site.namespace, kinds.watched(), &kinds.run.kind, player).await?;
    let subject = start_subject(&cluster, site, "start the controller under the hold").await?;
    let begin = Instant::now();
    let outcome = restore(&cluster, site, &checked, events).await?;
    let took = begin.elapsed();
    let all = |ledger: &Ledger| {
        source.expected.iter().all(|(key, version)| {
            ledger.versions(key).last().is_some_and(|there| there.digest == version.digest)
        })
    };
    // What is not there then is a broken claim.
    witness.until(DELIVERED, all).await;
    let at = Timestamp::now();
    written(&witness, source.expected, &mut timeline);
    let (end, restored) = summary(outcome, took);
    Ok(Recovered { cluster, subject, witness, timeline, end, restored, at })
}

async fn hold(cluster: &OwnCluster, namespace: &str) -> Result<(), DrillError> {
    let name = LeaderGuard::default().hold;
    let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
    let hold = ConfigMap {
        metadata,
        data: Some(BTreeMap::from(
            [("owner", "hallmark drill"), ("reason", "a restore")]
                .map(|(key, text)| (key.to_owned(), text.to_owned())),
        )),
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().clone(), namespace);
    let parameters = PostParams::default();
    let made = request(|| async { api.create(&parameters, &hold).await }).await;
    made.map(drop)
        .map_err(|error| DrillError::Write { action: format!("create {name}"), reason: error.to_string() })
}

/// The inner error is what the restore itself does wrong.
async fn restore(
    cluster: &OwnCluster,
    site: &Site<'_>,
    checked: &Checked,
    events: &EventSink,
) -> Result<Result<RestoreReport, String>, DrillError> {
    // The controller was started under the hold: there is nothing to be seen yet.
    let namespace = Some(site.namespace.to_owned());
    let mut guard = LeaderGuard { seen: Duration::ZERO, namespace, ..LeaderGuard::default() };
    if let Some(lease) = &cluster.subjects().implementation.settings.leader_lease {
        guard.lease.clone_from(&lease.name);
    }
    let options =
        RestoreOptions { guard, lock_namespace: site.namespace.to_owned(), ..RestoreOptions::default() };
    match backup::restore(cluster.client().clone(), checked, &options, events).await {
        Ok(report) => Ok(Ok(report)),
        Err(RestoreError::Refused(findings)) => {
            let first = findings.first().map(ToString::to_string).unwrap_or_default();
            Ok(Err(format!(
                "refused for {}, the first: {first}",
                crate::count::count(findings.len(), "reason")
            )))
        }
        Err(error) => Err(error.into()),
    }
}

/// When the last object came, and the last status, by the watches.
fn written(witness: &Witness, expected: &BTreeMap<Key, Version>, timeline: &mut Timeline) {
    let ledger = witness.ledger();
    let first = |key: &Key| ledger.versions(key).first().map(|version| version.at);
    let status =
        |key: &Key| ledger.versions(key).iter().find(|version| version.has_status).map(|version| version.at);
    let last = expected.keys().filter_map(first).max();
    let last_status =
        expected.iter().filter(|(_, version)| version.has_status).filter_map(|(key, _)| status(key)).max();
    for (moment, time) in [(Moment::T4, last), (Moment::T5, last_status)] {
        if let Some(time) = time {
            timeline.at(moment, time);
        }
    }
}

fn summary(outcome: Result<RestoreReport, String>, took: Duration) -> (RestoreEnd, Restored) {
    let whole = seconds_of(took);
    let report = match outcome {
        Ok(report) => report,
        Err(said) => {
            let restored = Restored { objects: 0, seconds: whole, per_second: None };
            return (RestoreEnd { complete: false, said }, restored);
        }
    };
    let objects = report.created + report.completed;
    let writing = report.seconds.get("objects").copied().filter(|seconds| *seconds > 0.0);
    let per_second = writing.map(|seconds| (count(objects) / seconds).round());
    let said = match report.failed.first() {
        None => format!("{} created, {} there already", report.created, report.unchanged),
        Some(first) => {
            format!(
                "{} failed, the first: {}: {}",
                crate::count::count(report.failed.len(), "object"),
                first.object,
                first.reason
            )
        }
    };
    let complete = report.outcome == Outcome::Completed;
    (RestoreEnd { complete, said }, Restored { objects, seconds: whole, per_second })
}

impl Recovered {
    /// Releases the hold and waits until every run has settled; returns those that do not.
    pub(super) async fn release(
        &mut self,
        site: &Site<'_>,
        runs: &[&str],
        events: &EventSink,
    ) -> Result<Vec<String>, DrillError> {
        const PHASE: &str = "waiting for the runs to settle";
        let begin = Instant::now();
        let name = LeaderGuard::default().hold;
        let api: Api<ConfigMap> = Api::namespaced(self.cluster.client().clone(), site.namespace);
        let parameters = DeleteParams::default();
        let deleted = request(|| async { api.delete(&name, &parameters).await }).await;
        deleted.map_err(|error| DrillError::Write {
            action: format!("delete {name}"),
            reason: error.to_string(),
        })?;
        self.timeline.reached(Moment::T6);
        self.ready().await?;
        self.timeline.reached(Moment::T7);
        events.progress(PHASE, crate::count::count(runs.len(), "run"));
        let is_over = |ledger: &Ledger, run: &str| ledger.latest(run).is_some_and(Version::is_terminal);
        let within = SETTLED + PER_RUN * u32::try_from(runs.len()).unwrap_or(u32::MAX);
        let settled = self.witness.until(within, |ledger| runs.iter().all(|run| is_over(ledger, run))).await;
        let ledger = self.witness.ledger();
        if settled {
            let end =
                |run: &&str| ledger.run(run).iter().find(|version| version.is_terminal()).map(|it| it.at);
            // All of them may have ended before.
            let last = runs.iter().filter_map(end).max().max(self.timeline.get(Moment::T7));
            if let Some(last) = last {
                self.timeline.at(Moment::T8, last);
            }
            events.progress_done(PHASE, begin.elapsed());
            return Ok(Vec::new());
        }
        let open = runs.iter().filter(|run| !is_over(&ledger, run));
        Ok(open.map(|run| describe(&ledger, run)).collect())
    }

    /// Asks the ready endpoint until it answers as it should.
    async fn ready(&self) -> Result<(), DrillError> {
        let health = &self.cluster.subjects().implementation.health.ready;
        let ready = async {
            loop {
                match self.subject.get(&health.path.value).await {
                    Ok(answer) if is_ready(health, &answer) => return Ok(()),
                    // All runs wake up now, so that a busy machine may leave a question without an answer.
                    Ok(_) | Err(SubjectError::NoAnswer { .. }) => tokio::time::sleep(ASK_EVERY).await,
                    Err(source) => {
                        return Err(DrillError::subject("ask whether the controller is ready")(source));
                    }
                }
            }
        };
        // That it never is shows in runs that do not settle.
        tokio::time::timeout(READY, ready).await.unwrap_or(Ok(()))
    }
}

fn is_ready(health: &Ready, answer: &Answer) -> bool {
    let contains = health.contains.as_ref().is_none_or(|text| answer.body.contains(text));
    answer.status == health.status && contains
}

fn describe(ledger: &Ledger, run: &str) -> String {
    match ledger.latest(run) {
        Some(version) if version.phase.is_empty() => format!("{run} has no phase"),
        Some(version) => format!("{run} is {}", version.phase),
        None => format!("{run} is gone"),
    }
}

fn seconds_of(time: Duration) -> f64 {
    let begin = Timestamp::UNIX_EPOCH;
    seconds(begin, begin.checked_add(time).unwrap_or(begin))
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
