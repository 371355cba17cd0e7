//! Proof that the suite notices defects: each is planted, and the cases of its requirements run until each of
//! these is noticed to be broken. What noticed it then has to pass without the defect.

mod control;
mod proof;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures::stream::{self, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::control::Control;
pub use self::proof::{BrokenClaim, Missed, Noticed, Outcome, Proof};
use self::verdicts::Verdicts;
use super::EngineError;
use super::case::RunContext;
use super::plan::Plan;
use super::prepare::{self, Prepared};
use super::run::{abilities_at_most, new_run_id};
use super::runner::Runner;
use super::stage::Stage;
use crate::backup;
use crate::cluster::ClusterSpec;
use crate::event::{CaseId, Event, EventSink};
use crate::scenario::suite::Suite;
use crate::scenario::{Filter, PlannedCase};
use crate::subject::{Defect, Implementation, SubjectContext};

/// What to prove, and where.
#[derive(Debug)]
pub struct ProveRequest {
    /// The suite.
    pub suite: Suite,
    /// The implementation, with its programs that can be given a defect if it is given them, see
    /// [`Implementation::defective`].
    pub implementation: Implementation,
    /// Who has the defects.
    pub culprit: Culprit,
    /// The defects to plant.
    pub defects: Vec<Defect>,
    /// The cluster; all defects share it.
    pub cluster: ClusterSpec,
    /// How many defects are tried at the same time.
    pub parallel: usize,
    /// How many cases of one defect run at the same time.
    pub jobs: usize,
}

/// Who has a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Culprit {
    /// The implementation under test.
    Implementation,
    /// The backup engine of this program, which must be able to have one.
    Engine,
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
    let attempt = Attempt {
        request: &request,
        prepared: &prepared,
        stage: &stage,
        run_id: &run_id,
        control: Control::default(),
        tried_without: AtomicUsize::new(0),
    };
    let tried = stream::iter(request.defects.iter().enumerate())
        .map(|(number, defect)| attempt.of(number, defect, &cancel))
        .buffer_unordered(request.parallel.max(1))
        .take_until(cancel.cancelled())
        .for_each(|proof| {
            let _nobody_listens = proofs.send(proof);
            futures::future::ready(())
        });
    tokio::select! {
        () = tried => {}
        lost = prepared.cluster.lost() => events.trouble(format!("the cluster was lost: {lost}")),
    }
    drop(stage);
    Ok(prepared.cluster.stop().await?)
}

struct Attempt<'a> {
    request: &'a ProveRequest,
    prepared: &'a Prepared,
    stage: &'a Stage,
    run_id: &'a str,
    control: Control,
    /// How many cases were tried without a defect.
    tried_without: AtomicUsize,
}

impl Attempt<'_> {
    /// Runs the cases of the defect's requirements against it, until each of these is noticed to be broken.
    async fn of(&self, number: usize, defect: &Defect, end: &CancellationToken) -> Proof {
        let begin = Instant::now();
        let cancel = end.child_token();
        let suite = &self.request.suite;
        let is_standing = |id: &str| is_standing(id, suite.cases());
        let filter = Filter { requirements: tried_on(defect, is_standing), ..Filter::default() };
        // Names of namespaces end with it.
        let own_id = format!("{}-{number}", self.run_id);
        let implementation = Some(&self.request.implementation);
        let mut plan = Plan::new(suite, &filter, &own_id, self.prepared.abilities(), implementation);
        // A run starts with what takes longest; here a failure saves the rest, so what is quick goes first.
        plan.cases.reverse();
        let (sink, mut events) = EventSink::channel();
        let cases: Vec<&PlannedCase> = plan.cases.iter().map(|placed| &placed.case).collect();
        let needless: BTreeMap<CaseId, CancellationToken> =
            cases.iter().map(|case| (case.id.clone(), CancellationToken::new())).collect();
        let mut verdicts = Verdicts::of(&defect.requirements, &cases, is_standing);
        let runner = Runner {
            needless: needless.clone(),
            ..Runner::unrecorded(
                self.context(Some(defect), sink, cancel.clone()),
                self.stage,
                self.request.jobs,
            )
        };
        {
            let mut running = std::pin::pin!(runner.all(&plan));
            loop {
                tokio::select! {
                    () = &mut running => break,
                    Some(event) = events.recv() => {
                        let Event::CaseFinished(result) = event else { continue };
                        verdicts.add(&result);
                        for (_, token) in needless.iter().filter(|(case, _)| !verdicts.need(case)) {
                            token.cancel();
                        }
                        if needless.values().all(CancellationToken::is_cancelled) {
                            // Nobody waits for controllers that are still starting, either.
                            cancel.cancel();
                        }
                    }
                }
            }
        }
        while let Ok(event) = events.try_recv() {
            if let Event::CaseFinished(result) = event {
                verdicts.add(&result);
            }
        }
        let (mut noticed, mut missed) = verdicts.into_parts();
        let witnesses: BTreeSet<String> = noticed.iter().map(|noticed| noticed.broken.by.clone()).collect();
        for case in witnesses {
            let about = self.control.about(&case);
            let objection = about.get_or_init(|| self.without_defect(&case, end.child_token())).await;
            if let Some(objection) = objection {
                control::apply(&mut noticed, &mut missed, &case, objection);
            }
        }
        Proof::new(defect.clone(), noticed, missed, begin.elapsed())
    }

    /// Runs a case with the same programs and no defect; returns why it says nothing about one.
    async fn without_defect(&self, case: &str, cancel: CancellationToken) -> Option<String> {
        let filter = Filter { exact: vec![case.to_owned()], ..Filter::default() };
        let number = self.tried_without.fetch_add(1, Ordering::Relaxed);
        let own_id = format!("{}-c{number}", self.run_id);
        let implementation = Some(&self.request.implementation);
        let plan =
            Plan::new(&self.request.suite, &filter, &own_id, self.prepared.abilities(), implementation);
        let (sink, mut events) = EventSink::channel();
        let runner = Runner::unrecorded(self.context(None, sink, cancel), self.stage, self.request.jobs);
        runner.all(&plan).await;
        drop(runner);
        let mut verdict = None;
        while let Some(event) = events.recv().await {
            if let Event::CaseFinished(result) = event {
                verdict = Some(result.verdict);
            }
        }
        control::objection(case, verdict.as_ref())
    }

    /// What the cases of a defect have in common: whoever is to have it has it.
    fn context(&self, defect: Option<&Defect>, sink: EventSink, cancel: CancellationToken) -> RunContext {
        let sound = &self.request.implementation;
        let (implementation, engine_defect) = match (self.request.culprit, defect) {
            (_, None) => (sound.clone(), None),
            (Culprit::Implementation, Some(defect)) => (sound.with_defect(&defect.name), None),
            (Culprit::Engine, Some(defect)) => (sound.clone(), backup::defects::Defect::named(&defect.name)),
        };
        RunContext {
            run_id: self.run_id.to_owned(),
            client: self.prepared.client.clone(),
            subjects: self.prepared.context.clone().map(|context| SubjectContext {
                implementation: Arc::new(implementation),
                events: sink.clone(),
                ..context
            }),
            kinds: self.stage.kinds.clone(),
            pulse: Arc::clone(&self.prepared.pulse),
            renderings: Arc::clone(&self.prepared.renderings),
            fence: self.request.suite.fence().cloned(),
            events: sink,
            cancel,
            slack: sound.slack,
            bless: false,
            engine_defect,
            own_clusters: self.prepared.own_clusters.clone(),
            first_revision: 0,
        }
    }
}

/// The requirements whose cases the defect is tried on. Every case is judged on the standing invariants, so where
/// a defect breaks another requirement, too, the cases of that one are those in which it shows.
fn tried_on(defect: &Defect, is_standing: impl Fn(&str) -> bool) -> Vec<String> {
    let (standing, others): (Vec<String>, Vec<String>) =
        defect.requirements.iter().cloned().partition(|id| is_standing(id));
    if others.is_empty() { standing } else { others }
}

/// Whether the requirement is an invariant of the suite.
fn is_standing(id: &str, cases: &[PlannedCase]) -> bool {
    cases.iter().any(|case| case.standing().iter().any(|standing| standing == id))
}
