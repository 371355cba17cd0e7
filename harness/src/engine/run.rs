//! A whole run: prepare, judge all cases in parallel, clean up whatever happens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use kube::Client;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::case::{CaseRun, RunContext, chain};
use super::cleanup;
use super::halt::Halt;
use super::kinds::Kinds;
use super::load::{Load, LoadKind};
use super::place::OwnPlace;
use super::plan::{Abilities, PlacedCase, Plan};
use super::played::PlayedJobs;
use super::prepare::{self, Prepared};
use super::pulse::Pulse;
use super::scope;
use super::settle;
use super::slots::Slots;
use super::subjects::Shared;
use crate::check::{History, timeline};
use crate::cluster::local::audit::MARK;
use crate::cluster::process::Supervisor;
use crate::cluster::{Backend, BackendChoice, Cluster, ClusterInfo, ClusterSpec};
use crate::event::{CaseId, CaseResult, Event, EventSink, ImplementationInfo, RunEnd, RunInfo, Verdict};
use crate::record::{Entry, RECORD_FILE, Record, RecordWriter, RequestHub, WatchHub};
use crate::scenario::Filter;
use crate::scenario::suite::{Fence, Suite};
use crate::subject::Implementation;

/// What to run, where, and how.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Request {
    /// The suite.
    pub suite: Suite,
    /// Which of its cases.
    pub filter: Filter,
    /// The implementation; only a run in which nothing is to be done does without.
    pub implementation: Option<Implementation>,
    /// The cluster.
    pub cluster: ClusterSpec,
    /// How many cases run at the same time.
    pub jobs: usize,
    /// Where `events.ndjson` is written; `None` writes no record.
    pub report_dir: Option<PathBuf>,
    /// How long the run may take before what has no verdict ends as inconclusive; `None` lets it take its time.
    pub deadline: Option<Duration>,
    /// Start no further case after the first failure.
    pub fail_fast: bool,
    /// Rewrite golden files instead of failing on them.
    pub bless: bool,
    /// Leave the namespaces of cases that did not pass.
    pub keep: bool,
    /// Let every case that passed come to rest, so that its history is whole and can be compared.
    pub settle: bool,
    /// What keeps the machine busy meanwhile.
    pub load: Vec<LoadKind>,
    /// The program that watches over child processes.
    pub supervisor: Supervisor,
}

/// Runs a suite; verdicts go to `events`. An error means that nothing could be judged.
pub async fn run(request: Request, events: EventSink, cancel: CancellationToken) -> Result<(), EngineError> {
    let begin = Instant::now();
    let halt = Halt::new(&cancel, request.deadline);
    let outcome = tokio::select! {
        // Boxed, so that the callers stay small.
        outcome = Box::pin(judge(&request, &events, &halt)) => outcome,
        never = halt.watch(&events) => match never {},
    };
    events.send(Event::RunFinished { elapsed: begin.elapsed(), interrupted: halt.is_interrupted() });
    outcome
}

async fn judge(request: &Request, events: &EventSink, halt: &Halt) -> Result<(), EngineError> {
    let begin = Instant::now();
    let run_id = new_run_id();
    let implementation = request.implementation.as_ref();
    let abilities = abilities_at_most(&request.cluster);
    let first = Plan::new(&request.suite, &request.filter, &run_id, abilities, implementation);
    if first.runnable() == 0 {
        run_nothing(&first, events);
        return Ok(());
    }
    let preparing = async {
        match request.implementation.clone() {
            Some(implementation) => prepare::prepare(&request.cluster, &first, implementation, events).await,
            None if first.needs_implementation() => Err(EngineError::NoImplementation),
            None => prepare::prepare_cluster(&request.cluster, events).await,
        }
    };
    let prepared = tokio::select! {
        prepared = preparing => prepared?,
        () = halt.token.cancelled() => return Ok(()),
    };
    let abilities = prepared.abilities();
    let plan = Plan::new(&request.suite, &request.filter, &run_id, abilities, implementation);
    let info = about(&request.suite, &prepared, &plan, &run_id)?;
    events.send(Event::RunStarted(Box::new(info.clone())));
    let outcome = tokio::select! {
        outcome = on_cluster(request, events, halt, (&prepared, &plan, &info), begin) => outcome,
        lost = prepared.cluster.lost() => {
            events.note(format!("the cluster was lost: {lost}"));
            halt.token.cancel();
            Ok(())
        }
    };
    prepared.cluster.stop().await?;
    outcome
}

/// What the cluster can do at most, as far as that is known before it is there.
pub(super) fn abilities_at_most(cluster: &ClusterSpec) -> Abilities {
    let backend = cluster.backend;
    let local = !matches!(backend, BackendChoice::K3s | BackendChoice::Kubeconfig);
    Abilities { node: backend != BackendChoice::Local, audit: local, own: local }
}

/// Tells of a run in which there is nothing to be done, for which no cluster is started.
pub(super) fn run_nothing(plan: &Plan, events: &EventSink) {
    events.send(Event::NothingToRun {
        cases: plan.cases.iter().map(PlacedCase::info).collect(),
        filtered: plan.filtered,
    });
    for placed in &plan.cases {
        events.send(Event::CaseFinished(Box::new(CaseResult {
            id: placed.case.id.clone(),
            verdict: Verdict::Skipped { reason: placed.skip.clone().unwrap_or_default() },
            elapsed: Duration::ZERO,
            namespace: String::new(),
            timeline: Vec::new(),
            history: None,
        })));
    }
}

/// All that is known before the first case.
pub(super) fn about(
    suite: &Suite,
    prepared: &Prepared,
    plan: &Plan,
    run_id: &str,
) -> Result<RunInfo, EngineError> {
    let info = prepared.cluster.info();
    let implementation = prepared.context.as_ref().map(|context| &context.implementation);
    let chart = implementation.and_then(|implementation| implementation.chart());
    let chart_digest = chart.map_or(Ok(String::new()), |chart| prepare::digest(&chart))?;
    Ok(RunInfo {
        run_id: run_id.to_owned(),
        cluster: info.clone(),
        cluster_start: prepared.cluster.start_time(),
        helm_version: prepared.helm_version.clone(),
        implementation: implementation
            .map_or_else(|| kubernetes(info), |implementation| implementation.info()),
        claims: implementation.map(|implementation| scope::claims(implementation)).unwrap_or_default(),
        suite: suite.name().to_owned(),
        suite_digest: suite.digest().to_owned(),
        chart_digest,
        requirements: suite.requirements().to_vec(),
        cases: plan.cases.iter().map(PlacedCase::info).collect(),
        filtered: plan.filtered,
        replayed: false,
    })
}

/// What is tested where nothing is installed.
fn kubernetes(cluster: &ClusterInfo) -> ImplementationInfo {
    ImplementationInfo {
        name: "kubernetes".to_owned(),
        version: cluster.kubernetes_version.clone(),
        url: "https://kubernetes.io".to_owned(),
        organization: cluster.distribution.clone(),
    }
}

/// Whether the cluster is gone after the run and needs no tidying.
pub(super) fn is_thrown_away(prepared: &Prepared, cluster: &ClusterSpec) -> bool {
    prepared.cluster.info().backend != Backend::Kubeconfig && cluster.backend != BackendChoice::Kept
}

async fn on_cluster(
    request: &Request,
    events: &EventSink,
    halt: &Halt,
    (prepared, plan, info): (&Prepared, &Plan, &RunInfo),
    begin: Instant,
) -> Result<(), EngineError> {
    let client = &prepared.client;
    let run_id = &info.run_id;
    let stage = Stage::open(prepared, plan, request.suite.fence(), run_id).await?;
    let record_path = request.report_dir.as_ref().map(|folder| folder.join(RECORD_FILE));
    let writer = match &record_path {
        Some(path) => RecordWriter::create(path, info)
            .map_err(|source| EngineError::Record { path: path.clone(), source })?,
        None => RecordWriter::none(),
    };
    let context = RunContext {
        run_id: run_id.clone(),
        client: client.clone(),
        subjects: prepared.context.clone(),
        kinds: stage.kinds.clone(),
        pulse: Arc::clone(&stage.pulse),
        renderings: Arc::clone(&prepared.renderings),
        fence: request.suite.fence().cloned(),
        events: events.clone(),
        cancel: halt.token.clone(),
        slack: request.implementation.as_ref().map_or(Duration::ZERO, |implementation| implementation.slack),
        bless: request.bless,
        engine_defect: None,
        own_clusters: prepared.own_clusters.clone(),
        first_revision: 0,
    };
    let tidy = !is_thrown_away(prepared, &request.cluster);
    let runner = Runner {
        context,
        stage: &stage,
        writer: writer.clone(),
        halt: halt.clone(),
        jobs: request.jobs,
        keep: request.keep,
        settle: request.settle,
        repeated: request.suite.is_repeated(),
        tidy,
        enough: request.fail_fast.then(CancellationToken::new),
        records: None,
    };
    let load = Load::start(&request.load, client, run_id).await?;
    runner.all(plan).await;
    for done in load.stop(tidy).await {
        events.note(format!("beside the cases: {done}"));
    }
    if tidy {
        stage.tidy(client, run_id, events).await;
    }
    let end = RunEnd { elapsed: begin.elapsed(), interrupted: halt.is_interrupted() };
    match record_path {
        Some(path) => writer.finish(end).map_err(|source| EngineError::Record { path, source }),
        None => Ok(()),
    }
}

/// What watches the cluster while cases run.
pub(super) struct Stage {
    played: PlayedJobs,
    pub(super) kinds: Kinds,
    pub(super) pulse: Arc<Pulse>,
    hub: WatchHub,
    /// Where requests are recorded, if they can be.
    requests: Option<RequestHub>,
}

impl Stage {
    /// Begins to watch everything that the cases of a plan touch.
    pub(super) async fn open(
        prepared: &Prepared,
        plan: &Plan,
        fence: Option<&Fence>,
        run_id: &str,
    ) -> Result<Self, EngineError> {
        let client = &prepared.client;
        let kinds = Kinds::discover(client, plan, fence).await?;
        Self::on(&prepared.cluster, client, kinds, run_id, 0).await
    }

    /// Begins to watch objects of these kinds; `after` is added to their revisions.
    pub(super) async fn on(
        cluster: &Cluster,
        client: &Client,
        kinds: Kinds,
        run_id: &str,
        after: u64,
    ) -> Result<Self, EngineError> {
        let played = PlayedJobs::install(client, run_id).await?;
        let hub = WatchHub::start_after(client, kinds.resources(), after).await?;
        let requests = match cluster.audit_log() {
            Some(path) => Some(
                RequestHub::start(path.clone(), MARK)
                    .await
                    .map_err(|source| EngineError::AuditLog { path, source })?,
            ),
            None => None,
        };
        let pulse = Arc::new(Pulse::start(client.clone()));
        Ok(Self { played, kinds, pulse, hub, requests })
    }

    /// Watches what another plan touches as well; no case may run meanwhile.
    pub(super) async fn extend(
        &mut self,
        client: &Client,
        plan: &Plan,
        fence: Option<&Fence>,
    ) -> Result<(), EngineError> {
        if let Some(kinds) = self.kinds.extended(client, plan, fence).await? {
            self.hub = WatchHub::start(client, kinds.resources()).await?;
            self.kinds = kinds;
        }
        Ok(())
    }

    /// Removes what a run made outside of namespaces, and waits for the end of these.
    pub(super) async fn tidy(&self, client: &Client, run_id: &str, events: &EventSink) {
        self.played.remove().await;
        for namespace in cleanup::wait_until_gone(client, run_id).await {
            events.note(format!("the namespace {namespace} is still being deleted"));
        }
    }

    /// From now on the record gets what happens in the namespace of a case, and what the subject asks for whose
    /// release is in the namespace `subject`, if the case is about that.
    pub(super) fn route(&self, placed: &PlacedCase, subject: &str, record: &Record) {
        if !placed.namespace.is_empty() {
            self.hub.route(&placed.namespace, record);
        }
        if let Some(requests) = self.requests.as_ref().filter(|_| placed.case.reads_requests()) {
            requests.route(&placed.namespace, subject, placed.case.requires_audit(), record);
        }
    }

    /// The watches end while the harness keeps the API server down.
    pub(super) async fn pause(&self) {
        self.hub.pause().await;
    }

    /// The watches begin anew, with `after` added to every revision.
    pub(super) fn resume(&self, after: u64) {
        self.hub.resume(after);
    }

    /// Waits until the watches have listed everything.
    pub(super) async fn caught_up(&self) -> Result<(), EngineError> {
        Ok(self.hub.caught_up().await?)
    }

    /// Ends the watches: nothing that happens now is of anybody's concern.
    pub(super) fn silence(&self) {
        self.hub.stop();
    }
}

/// Runs the cases of a plan.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(super) struct Runner<'a> {
    pub(super) context: RunContext,
    pub(super) stage: &'a Stage,
    pub(super) writer: RecordWriter,
    /// Whose token is that of the context.
    pub(super) halt: Halt,
    /// How many cases run at the same time.
    pub(super) jobs: usize,
    /// Whether the namespaces of cases that did not pass stay.
    pub(super) keep: bool,
    /// Whether cases that passed come to rest before they end.
    pub(super) settle: bool,
    /// Whether the histories of several runs of a case are compared.
    pub(super) repeated: bool,
    /// Whether what was made has to be removed.
    pub(super) tidy: bool,
    /// Cancelled by the first failure, if that is enough; cases that run then come to their end.
    pub(super) enough: Option<CancellationToken>,
    /// Who gets the history of each case, before the news of its end.
    pub(super) records: Option<mpsc::UnboundedSender<(CaseId, Vec<Arc<Entry>>)>>,
}

impl<'a> Runner<'a> {
    /// A runner for a cluster that is thrown away, whose cases are written to no file.
    pub(super) fn unrecorded(context: RunContext, stage: &'a Stage, jobs: usize) -> Self {
        let writer = RecordWriter::none();
        let halt = Halt::new(&context.cancel, None);
        Self {
            context,
            stage,
            writer,
            halt,
            jobs,
            keep: false,
            settle: false,
            repeated: false,
            tidy: false,
            enough: None,
            records: None,
        }
    }

    /// Runs all of them and stops what was started for them.
    pub(super) async fn all(&self, plan: &Plan) {
        let shared: Vec<Arc<Shared>> =
            plan.releases.iter().map(|release| Shared::new(release.clone(), &self.context.run_id)).collect();
        self.with(plan, &shared).await;
        for release in &shared {
            release.stop().await;
            if self.tidy {
                cleanup::delete_namespace(&self.context.client, release.namespace()).await;
            }
        }
    }

    /// Runs all of them with releases that go on afterwards.
    pub(super) async fn with(&self, plan: &Plan, shared: &[Arc<Shared>]) {
        if let Some(requests) = &self.stage.requests {
            requests.expect(plan.cases.iter().map(|placed| placed.namespace.as_str()));
        }
        let slots = Slots::new(self.jobs);
        let starts = Shared::starts();
        let cases = plan.cases.iter().enumerate();
        let mut running: FuturesUnordered<_> =
            cases.map(|(position, placed)| self.one(position, placed, shared, &slots, &starts)).collect();
        while running.next().await.is_some() {}
    }

    async fn one(
        &self,
        position: usize,
        placed: &PlacedCase,
        shared: &[Arc<Shared>],
        slots: &Slots,
        starts: &Semaphore,
    ) {
        let id = placed.case.id.clone();
        let finished = |verdict, elapsed, history: &[Arc<Entry>]| {
            let result = CaseResult {
                id: id.clone(),
                verdict,
                elapsed,
                namespace: placed.namespace.clone(),
                timeline: timeline(history),
                history: (self.repeated && !history.is_empty()).then(|| Arc::new(History::of(history))),
            };
            self.writer.result(&result);
            self.context.events.send(Event::CaseFinished(Box::new(result)));
        };
        if let Some(reason) = &placed.skip {
            finished(Verdict::Skipped { reason: reason.clone() }, Duration::ZERO, &[]);
            return;
        }
        let release = placed.release.and_then(|index| shared.get(index));
        let subject = match (release, &self.context.subjects) {
            (Some(release), Some(subjects)) => tokio::select! {
                subject = release.subject(subjects, starts) => Some(subject),
                () = self.context.cancel.cancelled() => Some(Err((false, self.halt.reason(false)))),
            },
            _ => None,
        };
        let _slot = slots.acquire(position).await;
        if self.context.cancel.is_cancelled() {
            let reason = self.halt.reason(false);
            finished(Verdict::Inconclusive { reason }, Duration::ZERO, &[]);
            return;
        }
        if self.enough.as_ref().is_some_and(CancellationToken::is_cancelled) {
            let reason = "not started after the first failure (--fail-fast)".to_owned();
            finished(Verdict::Skipped { reason }, Duration::ZERO, &[]);
            return;
        }
        let begin = Instant::now();
        self.context.events.send(Event::CaseStarted { case: id.clone() });
        let record = Record::new(id.clone(), self.writer.clone());
        let place = match self.place(placed).await {
            Ok(place) => place,
            Err(error) => {
                finished(Verdict::Inconclusive { reason: chain(&error) }, begin.elapsed(), &[]);
                return;
            }
        };
        if let Some(place) = &place {
            place.route(placed, &record);
        } else {
            let subject = release.map_or(placed.namespace.as_str(), |release| release.namespace());
            self.stage.route(placed, subject, &record);
        }
        if let Some(release) = release {
            release.join(&placed.namespace, &record);
        }
        let log = record.clone();
        let verdict = match subject {
            Some(Err((is_subject_fault, reason))) => {
                CaseRun::new(&self.context, placed, record, None).never_started(is_subject_fault, reason)
            }
            Some(Ok(subject)) => self.judge(placed, record, Some(subject), None).await,
            None => self.judge(placed, record, None, place.as_ref()).await,
        };
        if let (Verdict::Failed(_), Some(enough)) = (&verdict, &self.enough) {
            enough.cancel();
        }
        let keep = self.keep && !matches!(verdict, Verdict::Passed);
        let history = log.snapshot();
        if let Some(records) = &self.records {
            let _nobody_listens = records.send((id.clone(), history.clone()));
        }
        finished(verdict, begin.elapsed(), &history);
        if let Some(place) = place {
            place.stop().await;
            return;
        }
        self.stage.hub.forget(&placed.namespace);
        if let Some(requests) = &self.stage.requests {
            requests.forget(&placed.namespace);
        }
        if self.tidy && !keep && !placed.namespace.is_empty() {
            cleanup::delete_namespace(&self.context.client, &placed.namespace).await;
        }
        if let Some(release) = release {
            release.leave(&placed.namespace).await;
        }
    }

    /// The cluster that only this case uses, if it needs one.
    async fn place(&self, placed: &PlacedCase) -> Result<Option<OwnPlace>, EngineError> {
        if !placed.case.has_own_cluster() {
            return Ok(None);
        }
        tokio::select! {
            place = OwnPlace::start(&self.context, 0) => place.map(Some),
            // The case is told to be interrupted when it begins.
            () = self.context.cancel.cancelled() => Ok(None),
        }
    }

    /// Judges a case; a panic of the harness is trouble of the harness and leaves the others running.
    async fn judge(
        &self,
        placed: &PlacedCase,
        record: Record,
        subject: Option<Arc<crate::subject::Subject>>,
        place: Option<&OwnPlace>,
    ) -> Verdict {
        let context = place.map_or(&self.context, OwnPlace::context);
        let mut case = CaseRun::new(context, placed, record, subject);
        case.place = place;
        let judged = tokio::select! {
            judged = std::panic::AssertUnwindSafe(case.judge()).catch_unwind() => judged,
            () = self.context.cancel.cancelled() => Ok(Verdict::Inconclusive { reason: self.halt.reason(true) }),
        };
        let panicked =
            || Verdict::Inconclusive { reason: "the harness panicked; see the message above".to_owned() };
        // A wait notices the order by itself and does not know who gave it.
        let judged = judged.map(|verdict| match verdict {
            Verdict::Inconclusive { .. } if self.context.cancel.is_cancelled() => {
                Verdict::Inconclusive { reason: self.halt.reason(true) }
            }
            decided => decided,
        });
        let verdict = judged.unwrap_or_else(|_panic| panicked());
        if self.settle && matches!(verdict, Verdict::Passed) {
            settle::until_quiet(&case.record, &self.context.cancel).await;
        }
        case.conclude(&verdict);
        if self.tidy && place.is_none() && !placed.namespace.is_empty() {
            cleanup::drain(&self.context.client, &self.context.kinds, &placed.namespace).await;
        }
        let stopped = std::panic::AssertUnwindSafe(case.dismiss()).catch_unwind().await;
        stopped.map_or_else(|_panic| panicked(), |()| verdict)
    }
}

/// Eight hexadecimal digits that no other run has: from the process, the clock and an address.
pub(super) fn new_run_id() -> String {
    let mut hash = Sha256::new();
    hash.update(std::process::id().to_le_bytes());
    hash.update(jiff::Timestamp::now().as_nanosecond().to_le_bytes());
    hex::encode(hash.finalize()).chars().take(8).collect()
}
