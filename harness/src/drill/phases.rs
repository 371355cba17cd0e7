//! The phases of a drill, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Client;
use kube::api::ApiResource;

use super::claims::{Evidence, RestoreEnd, Write, promise};
use super::error::DrillError;
use super::fill::Filler;
use super::ledger::Ledger;
use super::machine::Machine;
use super::memory::{Memory, peak};
use super::mutant::EngineMutant;
use super::outcome::{Drill, Lost, Restored, States};
use super::plan::{Fate, RunPlan};
use super::recover::{Recovered, Source, recover};
use super::requests::{Asked, Requests};
use super::timeline::{Moment, Timeline, seconds};
use super::witness::{Player, Witness};
use crate::backup::{self, BackupOptions, BackupReport};
use crate::cluster::ClusterSpec;
use crate::engine::{OwnCluster, resource};
use crate::event::EventSink;
use crate::scenario::document::Outcome;
use crate::scenario::suite::DrillSetting;
use crate::scratch::{self, Scratch};
use crate::subject::values::{at_path, merge};
use crate::subject::{Implementation, LogSink, ReleaseSpec, Subject};

/// Where everything is: the release and the runs.
const NAMESPACE: &str = "drill";
/// After all have settled the controller still writes what belongs to their end, for example to Jobs.
const SILENCE: Duration = Duration::from_secs(1);
const SILENT: Duration = Duration::from_secs(30);

/// What to drill.
#[derive(Debug)]
pub struct DrillRequest {
    /// The runs and what they need.
    pub setting: DrillSetting,
    /// How many.
    pub runs: usize,
    /// Who is tested, with the defect if there is one.
    pub implementation: Implementation,
    /// What the restore does wrong.
    pub mutant: Option<EngineMutant>,
    /// The name of what was planted, for the report.
    pub defect: Option<String>,
    /// Version of the cluster, and who watches over its processes; the backend is always local.
    pub cluster: ClusterSpec,
    /// How long nobody may write after all have settled.
    pub quiet: Duration,
    /// The longest recovery; what is promised for so many runs unless told.
    pub promised: Option<Duration>,
}

/// What is the same in both clusters.
pub(super) struct Site<'a> {
    pub(super) namespace: &'a str,
    pub(super) setting: &'a DrillSetting,
    pub(super) values: serde_json::Value,
}

/// The kinds of a drill.
pub(super) struct Kinds {
    pub(super) run: ApiResource,
    /// Of the objects that runs refer to, one for each.
    pub(super) objects: Vec<ApiResource>,
    job: ApiResource,
}

impl Kinds {
    /// All of them, each once.
    pub(super) fn watched(&self) -> Vec<ApiResource> {
        let mut kinds = vec![self.job.clone(), self.run.clone()];
        for resource in &self.objects {
            if !kinds.contains(resource) {
                kinds.push(resource.clone());
            }
        }
        kinds
    }
}

/// Asks the API server for the kinds of a drill.
pub(super) async fn kinds(client: &Client, setting: &DrillSetting) -> Result<Kinds, DrillError> {
    let mut objects = Vec::new();
    for manifest in &setting.objects {
        objects.push(resource(client, &manifest.api_version, &manifest.kind).await?);
    }
    Ok(Kinds {
        run: resource(client, &setting.run.api_version, &setting.run.kind).await?,
        objects,
        job: resource(client, "batch/v1", "Job").await?,
    })
}

/// Installs and starts the controller.
pub(super) async fn start_subject(
    cluster: &OwnCluster,
    site: &Site<'_>,
    phase: &'static str,
) -> Result<Subject, DrillError> {
    let release = ReleaseSpec {
        namespace: site.namespace.to_owned(),
        watched: Vec::new(),
        values: site.values.clone(),
        shared: false,
        upgraded: false,
    };
    let log: LogSink = Arc::new(|_observation| {});
    let started = Subject::start(cluster.subjects(), release, log).await;
    started.map_err(DrillError::subject(phase))
}

/// A cluster that was lost, and all that is known of it.
struct Loss {
    ledger: Ledger,
    writes: Vec<Write>,
    backup: BackupReport,
    taken: Timestamp,
    /// The most memory that the controller took.
    controller_peak: Option<u64>,
}

/// Does all of it. An error means that there is no verdict; what goes wrong in the recovery is in the report.
pub async fn drill(request: DrillRequest, events: EventSink) -> Result<Drill, DrillError> {
    let DrillRequest { setting, runs, implementation, mutant, defect, cluster, quiet, promised } = request;
    let plan = RunPlan::new(runs);
    let mut values = setting.values.clone();
    if values.is_null() {
        values = serde_json::json!({});
    }
    merge(&mut values, &at_path(&setting.limit, plan.active().into()));
    let site = Site { namespace: NAMESPACE, setting: &setting, values };
    let folder = scratch::folder(Scratch::Drill).map_err(DrillError::Folder)?;
    let archive = folder.path().join("drill.tar.zst");
    let identity = implementation.info();

    let first = Box::pin(OwnCluster::start(cluster, implementation, &events)).await?;
    let machine = Machine::here(&first.subjects().info.kubernetes_version);
    let kinds = kinds(first.client(), &setting).await?;
    first.played_namespace(site.namespace).await?;
    let witness = Witness::start(
        first.client(),
        site.namespace,
        kinds.watched(),
        &kinds.run.kind,
        player(plan.clone()),
    )
    .await?;
    let subject = start_subject(&first, &site, "start the controller").await?;
    let filling = async {
        let filler = Filler {
            client: first.client(),
            namespace: site.namespace,
            setting: &setting,
            resource: &kinds.run,
            events: &events,
        };
        filler.objects(&kinds.objects).await?;
        let mut writes = filler.runs(&plan, &witness).await?;
        let options = BackupOptions {
            groups: vec![kinds.run.group.clone()],
            last: vec![kinds.run.plural.clone()],
            ..BackupOptions::default()
        };
        let backup = backup::take(first.client().clone(), &options, &archive, &events).await?;
        let taken = Timestamp::now();
        writes.extend(filler.late(&plan, &witness).await?);
        Ok::<_, DrillError>((writes, backup, taken))
    };
    let (writes, backup, taken) = tokio::select! {
        filled = filling => filled?,
        lost = first.lost() => return Err(DrillError::Lost(lost)),
    };

    let mut timeline = Timeline::default();
    let ledger = witness.finish()?;
    let controller_peak = controller_peak(&subject).await;
    timeline.reached(Moment::T0);
    events.progress("destroying the cluster", "");
    let begin = Instant::now();
    let (killed, ruin) = tokio::join!(subject.kill(), first.destroy());
    killed.map_err(DrillError::subject("kill the controller"))?;
    // Its ports are those of the cluster that is gone.
    drop(subject);
    let ruin = ruin?;
    events.progress_done("destroying the cluster", begin.elapsed());
    let loss = Loss { ledger, writes, backup, taken, controller_peak };

    let snapshot = snapshot(&loss.backup);
    let expected = loss.ledger.at_revision(|kind| snapshot.get(kind).copied());
    let source = Source { archive: &archive, mutant, expected: &expected };
    let recovered = recover(ruin, &site, source, timeline, &events).await?;
    let promised = promise(promised, plan.runs().len());
    let facts = Facts { loss: &loss, snapshot: &snapshot, run: &kinds.run, quiet, promised };
    let end = Box::pin(settle(recovered, &site, &facts, &events)).await?;
    let evidence = facts.evidence(&end);
    let cost = Lost {
        writes: evidence.lost().len(),
        of: loss.writes.len(),
        seconds: end.timeline.get(Moment::T0).map_or(0.0, |loss| seconds(taken, loss)),
    };
    Ok(Drill {
        implementation: identity,
        defect,
        machine,
        runs: plan.runs().len(),
        states: states(&plan),
        archive: loss.backup.sha256.clone(),
        archive_bytes: loss.backup.size,
        timeline: end.timeline.marks(),
        recovery_seconds: end.timeline.between(Moment::T1, Moment::T8),
        lost: cost,
        restored: end.restored.clone(),
        memory: end.memory,
        claims: evidence.judge(),
    })
}

/// Ends what shall end before the loss.
fn player(plan: RunPlan) -> Player {
    Arc::new(move |run, number| {
        let planned = plan.named(run)?;
        match planned.fate {
            Fate::Succeeds => Some(Outcome::Succeeded),
            Fate::Fails => Some(Outcome::Failed),
            Fate::Runs if planned.workflow && number == 1 => Some(Outcome::Succeeded),
            Fate::Runs | Fate::Waits => None,
        }
    })
}

/// The revision of the snapshot, by kind.
fn snapshot(backup: &BackupReport) -> BTreeMap<String, u64> {
    let revision = |versions: &[String]| versions.iter().filter_map(|text| text.parse().ok()).max();
    let kinds = backup.manifest.kinds.iter();
    kinds
        .filter_map(|record| Some((record.kind.kind.clone(), revision(&record.resource_versions)?)))
        .collect()
}

fn states(plan: &RunPlan) -> States {
    States {
        ended: plan.runs().iter().filter(|run| run.fate.ends()).count(),
        active: plan.active(),
        waiting: plan.of(Fate::Waits).count(),
        workflows: plan.runs().iter().filter(|run| run.workflow).count(),
    }
}

/// What is known when the second cluster is up.
struct Facts<'a> {
    loss: &'a Loss,
    snapshot: &'a BTreeMap<String, u64>,
    run: &'a ApiResource,
    quiet: Duration,
    promised: Option<Duration>,
}

/// What the second cluster came to.
struct Ending {
    ledger: Ledger,
    timeline: Timeline,
    end: RestoreEnd,
    restored: Restored,
    at: Timestamp,
    unsettled: Option<Vec<String>>,
    asked: Option<Vec<Asked>>,
    before_rest: Option<usize>,
    crash: Option<String>,
    memory: Memory,
}

impl Facts<'_> {
    fn evidence<'a>(&'a self, end: &'a Ending) -> Evidence<'a> {
        Evidence {
            run_kind: &self.run.kind,
            run_resource: &self.run.plural,
            before: &self.loss.ledger,
            after: &end.ledger,
            snapshot: self.snapshot,
            taken: self.loss.taken,
            writes: &self.loss.writes,
            restore: &end.end,
            restored: end.at,
            timeline: &end.timeline,
            unsettled: end.unsettled.as_deref(),
            asked: end.asked.as_deref(),
            before_rest: end.before_rest,
            quiet: self.quiet,
            crash: end.crash.as_deref(),
            promised: self.promised,
            memory: end.memory,
        }
    }

    /// The names of all runs of the snapshot.
    fn runs(&self) -> Vec<String> {
        let expected = self.loss.ledger.at_revision(|kind| self.snapshot.get(kind).copied());
        expected.into_keys().filter(|(kind, _)| *kind == self.run.kind).map(|(_, name)| name).collect()
    }
}

/// Releases the hold if all is as it was, waits until all have settled, and looks whether it stays so.
async fn settle(
    mut recovered: Recovered,
    site: &Site<'_>,
    facts: &Facts<'_>,
    events: &EventSink,
) -> Result<Ending, DrillError> {
    let provisional = Ending {
        ledger: recovered.witness.ledger().clone(),
        timeline: recovered.timeline.clone(),
        end: recovered.end.clone(),
        restored: recovered.restored.clone(),
        at: recovered.at,
        unsettled: None,
        asked: None,
        before_rest: None,
        crash: None,
        memory: Memory::default(),
    };
    let (mut unsettled, mut asked, mut before_rest) = (None, None, None);
    if facts.evidence(&provisional).is_whole() {
        let runs = facts.runs();
        let names: Vec<&str> = runs.iter().map(String::as_str).collect();
        let requests = Requests::follow(&recovered.cluster, site.namespace).await?;
        let open = recovered.release(site, &names, events).await?;
        if open.is_empty() {
            before_rest = Some(rest(&recovered.witness, &requests, facts.quiet, events).await?);
        }
        unsettled = Some(open);
        asked = Some(requests.writes().await?);
    }
    let Recovered { cluster, subject, witness, timeline, end, restored, at } = recovered;
    let crash = subject.crashed().map(|exit| exit.what);
    let controller = facts.loss.controller_peak.max(controller_peak(&subject).await);
    let ledger = witness.finish()?;
    let (killed, destroyed) = tokio::join!(subject.kill(), cluster.destroy());
    killed.map_err(DrillError::subject("stop the controller"))?;
    destroyed?;
    let memory = Memory { hallmark: peak("self"), controller };
    Ok(Ending { ledger, timeline, end, restored, at, unsettled, asked, before_rest, crash, memory })
}

/// Waits for as long as nobody is to write; returns how many writes there were before.
async fn rest(
    witness: &Witness,
    requests: &Requests,
    window: Duration,
    events: &EventSink,
) -> Result<usize, DrillError> {
    const PHASE: &str = "looking whether it stays quiet";
    let begin = Instant::now();
    events.progress(PHASE, "");
    // Whoever is never silent is told by what is written then.
    witness.silent(SILENCE, SILENT).await;
    let before = requests.writes().await?.len();
    tokio::time::sleep(window).await;
    events.progress_done(PHASE, begin.elapsed());
    Ok(before)
}

/// The most memory that a process of the controller took, as long as it runs.
async fn controller_peak(subject: &Subject) -> Option<u64> {
    subject.processes().await.iter().filter_map(|process| peak(&process.id.to_string())).max()
}
