//! A whole run: prepare, judge all cases in parallel, clean up whatever happens.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::case::RunContext;
use super::halt::Halt;
use super::load::{Load, LoadKind};
use super::plan::{Abilities, PlacedCase, Plan};
use super::prepare::{self, Prepared};
use super::runner::Runner;
use super::scope;
use super::stage::Stage;
use crate::cluster::process::Supervisor;
use crate::cluster::{Backend, BackendChoice, ClusterInfo, ClusterSpec};
use crate::database;
use crate::event::{CaseResult, Event, EventSink, HostInfo, ImplementationInfo, RunEnd, RunInfo, Verdict};
use crate::record::{RECORD_FILE, RecordWriter};
use crate::scenario::Filter;
use crate::scenario::golden;
use crate::scenario::suite::Suite;
use crate::subject::Implementation;
use crate::subject::digest::digest;

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
    let (interrupted, outcome) = match outcome {
        Ok(interrupted) => (interrupted, Ok(())),
        Err(error) => (halt.is_given(), Err(error)),
    };
    events.send(Event::RunFinished { elapsed: begin.elapsed(), interrupted });
    outcome
}

/// Whether it was ended before all its cases had.
async fn judge(request: &Request, events: &EventSink, halt: &Halt) -> Result<bool, EngineError> {
    let begin = Instant::now();
    let run_id = new_run_id();
    let implementation = request.implementation.as_ref();
    let abilities = abilities_at_most(&request.cluster);
    let first = Plan::new(&request.suite, &request.filter, &run_id, abilities, implementation);
    if first.runnable() == 0 {
        run_nothing(&first, events);
        return Ok(false);
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
        () = halt.token.cancelled() => return Ok(true),
    };
    let abilities = prepared.abilities();
    let plan = Plan::new(&request.suite, &request.filter, &run_id, abilities, implementation);
    let info = about(&request.suite, &prepared, &plan, &run_id)?;
    events.send(Event::RunStarted(Box::new(info.clone())));
    let outcome = tokio::select! {
        outcome = on_cluster(request, events, halt, (&prepared, &plan, &info), begin) => outcome,
        lost = prepared.cluster.lost() => {
            events.trouble(format!("the cluster was lost: {lost}"));
            halt.token.cancel();
            Ok(true)
        }
    };
    prepared.cluster.stop().await?;
    outcome
}

/// What the cluster can do at most, as far as that is known before it is there.
pub(super) fn abilities_at_most(cluster: &ClusterSpec) -> Abilities {
    let backend = cluster.backend;
    let local = !matches!(backend, BackendChoice::K3s | BackendChoice::Kubeconfig);
    let database = local && database::programs().is_some();
    let audit = backend != BackendChoice::Kubeconfig;
    Abilities { node: backend != BackendChoice::Local, audit, own: local, database }
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
    let chart_digest = chart.map_or(Ok(String::new()), |chart| {
        digest(&chart).map_err(|(path, source)| EngineError::Chart { path, source })
    })?;
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
        artifacts: prepared.artifacts.clone(),
        host: Some(HostInfo::here()),
        goldens: golden::texts(plan.cases.iter().map(|placed| &placed.case)),
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
) -> Result<bool, EngineError> {
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
        pulse: Arc::clone(&prepared.pulse),
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
        needless: BTreeMap::new(),
        records: None,
    };
    let load = Load::start(&request.load, client, run_id).await?;
    runner.all(plan).await;
    // What is ordered from here on keeps no case from its end.
    let interrupted = halt.is_given();
    for done in load.stop(tidy).await {
        events.note(format!("beside the cases: {done}"));
    }
    if tidy {
        stage.tidy(client, run_id, events).await;
    }
    if let Some(path) = record_path {
        let end = RunEnd { elapsed: begin.elapsed(), interrupted };
        writer.finish(end).map_err(|source| EngineError::Record { path, source })?;
    }
    Ok(interrupted)
}

/// Eight hexadecimal digits that no other run has: from the process, the clock and an address.
pub(super) fn new_run_id() -> String {
    let mut hash = Sha256::new();
    hash.update(std::process::id().to_le_bytes());
    hash.update(jiff::Timestamp::now().as_nanosecond().to_le_bytes());
    hex::encode(hash.finalize()).chars().take(8).collect()
}
