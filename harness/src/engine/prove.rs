//! Proof that the suite notices defects: each is planted, and the cases of its requirements run until one
//! of them fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::case::RunContext;
use super::plan::Plan;
use super::prepare::{self, Prepared};
use super::run::{Runner, Stage, abilities_at_most, new_run_id};
use crate::cluster::ClusterSpec;
use crate::event::{CaseId, Event, EventSink, Verdict};
use crate::scenario::Filter;
use crate::scenario::suite::Suite;
use crate::subject::{Defect, Implementation, SubjectContext};

/// What to prove, and where.
#[derive(Debug)]
pub struct ProveRequest {
    /// The suite.
    pub suite: Suite,
    /// The implementation with its programs that can be given a defect, see [`Implementation::defective`].
    pub implementation: Implementation,
    /// The defects to plant.
    pub defects: Vec<Defect>,
    /// The cluster; all defects share it.
    pub cluster: ClusterSpec,
    /// How many defects are tried at the same time.
    pub parallel: usize,
    /// How many cases of one defect run at the same time.
    pub jobs: usize,
}

/// A defect, and whether the suite noticed it.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The defect.
    #[serde(flatten)]
    pub defect: Defect,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// From its first start to the outcome, in seconds.
    #[serde(serialize_with = "seconds")]
    pub elapsed: Duration,
}

/// What became of a defect.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// A case failed.
    Killed {
        /// The first one.
        by: String,
        /// The claim that did not hold.
        claim: String,
    },
    /// Every case passed.
    Survived {
        /// How many cases that were.
        cases: usize,
    },
    /// No case failed, and not all of them could be judged.
    Inconclusive {
        /// Why.
        reason: String,
    },
}

fn seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((elapsed.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Tries all defects on one cluster; each goes to `proofs` when it is decided. An error means that nothing
/// could be tried.
pub async fn prove(
    request: ProveRequest,
    proofs: mpsc::UnboundedSender<Proof>,
    events: EventSink,
    cancel: CancellationToken,
) -> Result<(), EngineError> {
    let run_id = new_run_id();
    let all = Filter {
        requirements: request.defects.iter().flat_map(|defect| defect.requirements.clone()).collect(),
        ..Filter::default()
    };
    let implementation = request.implementation.clone();
    let first =
        Plan::new(&request.suite, &all, &run_id, abilities_at_most(&request.cluster), Some(&implementation));
    let prepared = tokio::select! {
        prepared = prepare::prepare(&request.cluster, &first, implementation.clone(), &events) => prepared?,
        () = cancel.cancelled() => return Ok(()),
    };
    let plan = Plan::new(&request.suite, &all, &run_id, prepared.abilities(), Some(&implementation));
    let stage = Stage::open(&prepared, &plan, request.suite.fence(), &run_id).await?;
    let attempt = Attempt { request: &request, prepared: &prepared, stage: &stage, run_id: &run_id };
    let tried = stream::iter(request.defects.iter().enumerate())
        .map(|(number, defect)| attempt.of(number, defect, cancel.child_token()))
        .buffer_unordered(request.parallel.max(1))
        .take_until(cancel.cancelled())
        .for_each(|proof| {
            let _nobody_listens = proofs.send(proof);
            futures::future::ready(())
        });
    tokio::select! {
        () = tried => {}
        lost = prepared.cluster.lost() => events.note(format!("the cluster was lost: {lost}")),
    }
    drop(stage);
    Ok(prepared.cluster.stop().await?)
}

struct Attempt<'a> {
    request: &'a ProveRequest,
    prepared: &'a Prepared,
    stage: &'a Stage,
    run_id: &'a str,
}

impl Attempt<'_> {
    /// Runs the cases of the defect's requirements against it, until the first one fails.
    async fn of(&self, number: usize, defect: &Defect, cancel: CancellationToken) -> Proof {
        let begin = Instant::now();
        let suite = &self.request.suite;
        let filter = Filter { requirements: defect.requirements.clone(), ..Filter::default() };
        // Names of namespaces end with it.
        let own_id = format!("{}-{number}", self.run_id);
        let implementation = Some(&self.request.implementation);
        let plan = Plan::new(suite, &filter, &own_id, self.prepared.abilities(), implementation);
        let (sink, mut events) = EventSink::channel();
        let context = RunContext {
            run_id: self.run_id.to_owned(),
            client: self.prepared.client.clone(),
            subjects: self.prepared.context.clone().map(|context| SubjectContext {
                implementation: Arc::new(self.request.implementation.with_defect(&defect.name)),
                events: sink.clone(),
                ..context
            }),
            kinds: self.stage.kinds.clone(),
            pulse: Arc::clone(&self.stage.pulse),
            renderings: Arc::clone(&self.prepared.renderings),
            fence: suite.fence().cloned(),
            events: sink,
            cancel: cancel.clone(),
            slack: self.request.implementation.slack,
            bless: false,
            own_clusters: self.prepared.own_clusters.clone(),
            first_revision: 0,
        };
        let runner = Runner::unrecorded(context, self.stage, self.request.jobs);
        let mut verdicts = Verdicts::default();
        {
            let mut running = std::pin::pin!(runner.all(&plan));
            loop {
                tokio::select! {
                    () = &mut running => break,
                    Some(event) = events.recv() => {
                        verdicts.add(event);
                        if verdicts.killed.is_some() {
                            cancel.cancel();
                        }
                    }
                }
            }
        }
        while let Ok(event) = events.try_recv() {
            verdicts.add(event);
        }
        Proof { defect: defect.clone(), outcome: verdicts.outcome(), elapsed: begin.elapsed() }
    }
}

/// What the cases said so far.
#[derive(Debug, Default)]
struct Verdicts {
    killed: Option<(CaseId, String)>,
    passed: usize,
    trouble: Option<String>,
}

impl Verdicts {
    fn add(&mut self, event: Event) {
        let Event::CaseFinished(result) = event else { return };
        match result.verdict {
            // After the first failure the others are interrupted.
            _ if self.killed.is_some() => {}
            Verdict::Failed(failure) => self.killed = Some((result.id, failure.claim)),
            Verdict::Passed => self.passed += 1,
            Verdict::Inconclusive { reason } => self.trouble = Some(format!("{}: {reason}", result.id)),
            Verdict::Skipped { .. } => {}
        }
    }

    fn outcome(self) -> Outcome {
        match (self.killed, self.trouble) {
            (Some((case, claim)), _) => Outcome::Killed { by: case.to_string(), claim },
            (None, Some(reason)) => Outcome::Inconclusive { reason },
            (None, None) => Outcome::Survived { cases: self.passed },
        }
    }
}
