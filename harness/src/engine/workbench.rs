//! A cluster and controllers that go on, for whoever writes scenarios: cases are run again and again, each
//! time as the suite says by then.
//!
//! A round is an ordinary run of the [`Runner`], but for two things: the cluster and its watches are there
//! already, and so is the subject of a case whose values were seen before (see [`Keep`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::case::RunContext;
use super::cleanup;
use super::halt::Halt;
use super::keep::Keep;
use super::plan::Plan;
use super::prepare::{self, Prepared};
use super::renderings::Renderings;
use super::run::{abilities_at_most, about, is_thrown_away, new_run_id, run_nothing};
use super::runner::Runner;
use super::stage::Stage;
use super::subjects::Shared;
use crate::cluster::ClusterSpec;
use crate::event::{CaseId, Event, EventSink, RunEnd, Verdict};
use crate::record::{RECORD_FILE, RecordWriter};
use crate::scenario::Filter;
use crate::scenario::suite::Suite;
use crate::subject::{Implementation, SubjectContext};

/// What all rounds have in common.
#[derive(Debug)]
pub struct WorkbenchRequest {
    /// The cluster.
    pub cluster: ClusterSpec,
    /// How many cases run at the same time.
    pub jobs: usize,
    /// Leave the namespaces of cases that did not pass.
    pub keep: bool,
}

/// What is run in one round.
#[derive(Debug)]
pub struct Round<'a> {
    /// The suite as it is now.
    pub suite: &'a Suite,
    /// Which of its cases.
    pub filter: &'a Filter,
    /// The implementation, completed by this suite.
    pub implementation: Option<&'a Implementation>,
    /// Where the record is written; `None` writes none.
    pub report_dir: Option<PathBuf>,
}

/// A cluster, its watches, and the controllers that run on it.
pub struct Workbench {
    request: WorkbenchRequest,
    prepared: Prepared,
    stage: Stage,
    run_id: String,
    keep: Keep,
    rounds: usize,
}

impl Workbench {
    /// Starts the cluster and builds the implementation, for rounds like this one. `None` if that was
    /// cancelled. An error means that nothing is there.
    pub async fn open(
        request: WorkbenchRequest,
        round: &Round<'_>,
        events: &EventSink,
        cancel: &CancellationToken,
    ) -> Result<Option<Self>, EngineError> {
        let run_id = new_run_id();
        let Round { suite, filter, implementation, .. } = round;
        let abilities = abilities_at_most(&request.cluster);
        let first = Plan::new(suite, filter, &run_id, abilities, *implementation);
        let preparing = async {
            match implementation {
                Some(implementation) => {
                    let implementation = (*implementation).clone();
                    prepare::prepare(&request.cluster, &first, implementation, events).await
                }
                None if first.needs_implementation() => Err(EngineError::NoImplementation),
                None => prepare::prepare_cluster(&request.cluster, events).await,
            }
        };
        let prepared = tokio::select! {
            prepared = preparing => prepared?,
            () = cancel.cancelled() => return Ok(None),
        };
        let plan = Plan::new(suite, filter, &run_id, prepared.abilities(), *implementation);
        let stage = Stage::open(&prepared, &plan, suite.fence(), &run_id).await?;
        Ok(Some(Self { request, prepared, stage, run_id, keep: Keep::default(), rounds: 0 }))
    }

    /// Runs the selected cases; verdicts go to `events`. An error means that nothing could be judged in this
    /// round; the next one may do better.
    pub async fn round(
        &mut self,
        round: Round<'_>,
        events: &EventSink,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        let begin = Instant::now();
        let outcome = Box::pin(self.judge(round, events, cancel)).await;
        events.send(Event::RunFinished { elapsed: begin.elapsed(), interrupted: cancel.is_cancelled() });
        outcome
    }

    async fn judge(
        &mut self,
        round: Round<'_>,
        events: &EventSink,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        let Round { suite, filter, implementation, report_dir } = round;
        let begin = Instant::now();
        self.rounds += 1;
        let id = format!("{}-{}", self.run_id, self.rounds);
        let mut plan = Plan::new(suite, filter, &id, self.prepared.abilities(), implementation);
        if plan.runnable() == 0 {
            run_nothing(&plan, events);
            return Ok(());
        }
        if plan.needs_implementation() && implementation.is_none() {
            return Err(EngineError::NoImplementation);
        }
        self.stage.extend(&self.prepared.client, &plan, suite.fence()).await?;
        let run_id = &self.run_id;
        let (shared, retired) = self.keep.host(&mut plan, |release| Shared::new(release, run_id));
        self.retire(retired).await;
        let info = about(suite, &self.prepared, &plan, &id)?;
        events.send(Event::RunStarted(Box::new(info.clone())));
        let path = report_dir.map(|folder| folder.join(RECORD_FILE));
        let failed = |source| EngineError::Record { path: path.clone().unwrap_or_default(), source };
        let writer = match &path {
            Some(path) => RecordWriter::create(path, &info).map_err(failed)?,
            None => RecordWriter::none(),
        };
        let (heard, mut told) = EventSink::channel();
        let running = async {
            let runner = Runner {
                context: self.context(suite, implementation, heard, cancel),
                stage: &self.stage,
                writer: writer.clone(),
                halt: Halt::new(cancel, None),
                jobs: self.request.jobs,
                keep: self.request.keep,
                settle: false,
                repeated: suite.is_repeated(),
                // Objects of this round must not be there in the next one.
                tidy: true,
                enough: None,
                needless: BTreeMap::new(),
                records: None,
            };
            tokio::select! {
                () = runner.with(&plan, &shared) => {}
                () = self.lost(events) => cancel.cancel(),
            }
        };
        let mut unknown: BTreeSet<CaseId> = BTreeSet::new();
        let telling = async {
            while let Some(event) = told.recv().await {
                if let Event::CaseFinished(result) = &event
                    && matches!(result.verdict, Verdict::Inconclusive { .. })
                {
                    unknown.insert(result.id.clone());
                }
                events.send(event);
            }
        };
        tokio::join!(running, telling);
        // Who did not answer once may be stuck, and would let everything pass that claims that nothing
        // happens.
        let suspects = plan.cases.iter().filter(|placed| unknown.contains(&placed.case.id));
        let suspects: Vec<_> = suspects.filter_map(|placed| shared.get(placed.release?)).collect();
        let given_up = self.keep.retain(|release| {
            release.is_sound() && !suspects.iter().any(|suspect| Arc::ptr_eq(suspect, release))
        });
        self.retire(given_up).await;
        let end = RunEnd { elapsed: begin.elapsed(), interrupted: cancel.is_cancelled() };
        writer.finish(end).map_err(failed)
    }

    fn context(
        &self,
        suite: &Suite,
        implementation: Option<&Implementation>,
        events: EventSink,
        cancel: &CancellationToken,
    ) -> RunContext {
        let subjects = self.prepared.context.as_ref().zip(implementation);
        RunContext {
            run_id: self.run_id.clone(),
            client: self.prepared.client.clone(),
            subjects: subjects.map(|(context, implementation)| SubjectContext {
                implementation: Arc::new(implementation.clone()),
                ..context.clone()
            }),
            kinds: self.stage.kinds.clone(),
            pulse: Arc::clone(&self.prepared.pulse),
            // The chart may have changed since the last round.
            renderings: Arc::<Renderings>::default(),
            fence: suite.fence().cloned(),
            events,
            cancel: cancel.clone(),
            slack: implementation.map_or(Duration::ZERO, |implementation| implementation.slack),
            bless: false,
            engine_defect: None,
            own_clusters: self.prepared.own_clusters.clone(),
            first_revision: 0,
        }
    }

    /// Resolves, with a note, when the cluster is gone.
    pub async fn lost(&self, events: &EventSink) {
        let lost = self.prepared.cluster.lost().await;
        events.trouble(format!("the cluster was lost: {lost}"));
    }

    async fn retire(&self, releases: Vec<Arc<Shared>>) {
        for release in releases {
            release.stop().await;
            cleanup::delete_namespace(&self.prepared.client, release.namespace()).await;
        }
    }

    /// Stops the controllers, removes what the rounds made, and stops the cluster unless it lives on.
    pub async fn close(mut self, events: &EventSink) -> Result<(), EngineError> {
        let releases = self.keep.retain(|_| false);
        self.retire(releases).await;
        if !is_thrown_away(&self.prepared, &self.request.cluster) {
            self.stage.tidy(&self.prepared.client, &self.run_id, events).await;
        }
        drop(self.stage);
        Ok(self.prepared.cluster.stop().await?)
    }
}
