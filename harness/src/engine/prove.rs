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
use super::run::{abilities_at_most, new_run_id};
use super::runner::Runner;
use super::stage::Stage;
use crate::backup;
use crate::check::Failure;
use crate::cluster::ClusterSpec;
use crate::event::{CaseId, Event, EventSink, Verdict};
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
        /// The standing invariants that the case broke.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        broken: Vec<String>,
    },
    /// Cases failed, and none of them broke the standing invariants that the defect breaks.
    Otherwise {
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
        let filter = Filter { requirements: tried_on(defect, suite.cases()), ..Filter::default() };
        // Names of namespaces end with it.
        let own_id = format!("{}-{number}", self.run_id);
        let implementation = Some(&self.request.implementation);
        let mut plan = Plan::new(suite, &filter, &own_id, self.prepared.abilities(), implementation);
        // A run starts with what takes longest; here one failure ends it, so what is quick goes first.
        plan.cases.reverse();
        let (sink, mut events) = EventSink::channel();
        let sound = &self.request.implementation;
        let (implementation, engine_defect) = match self.request.culprit {
            Culprit::Implementation => (sound.with_defect(&defect.name), None),
            Culprit::Engine => (sound.clone(), backup::defects::Defect::named(&defect.name)),
        };
        let context = RunContext {
            run_id: self.run_id.to_owned(),
            client: self.prepared.client.clone(),
            subjects: self.prepared.context.clone().map(|context| SubjectContext {
                implementation: Arc::new(implementation),
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
            engine_defect,
            own_clusters: self.prepared.own_clusters.clone(),
            first_revision: 0,
        };
        let runner = Runner::unrecorded(context, self.stage, self.request.jobs);
        let mut verdicts = Verdicts::of(defect, suite.cases());
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

/// The requirements whose cases the defect is tried on. Every case is judged on the standing invariants, so where
/// a defect breaks another requirement, too, the cases of that one are those in which it shows.
fn tried_on(defect: &Defect, cases: &[PlannedCase]) -> Vec<String> {
    let is_standing = |id: &String| cases.iter().any(|case| case.standing().contains(id));
    let (standing, others): (Vec<String>, Vec<String>) =
        defect.requirements.iter().cloned().partition(is_standing);
    if others.is_empty() { standing } else { others }
}

/// What the cases said so far.
#[derive(Debug, Default)]
struct Verdicts {
    /// The standing invariants that the defect breaks: one of them has to notice it.
    standing: Vec<String>,
    killed: Option<(CaseId, Box<Failure>)>,
    otherwise: Option<(CaseId, String)>,
    passed: usize,
    trouble: Option<String>,
}

impl Verdicts {
    fn of(defect: &Defect, cases: &[PlannedCase]) -> Self {
        let is_standing = |id: &&String| cases.iter().any(|case| case.standing().contains(id));
        let standing = defect.requirements.iter().filter(is_standing).cloned().collect();
        Self { standing, ..Self::default() }
    }

    fn add(&mut self, event: Event) {
        let Event::CaseFinished(result) = event else { return };
        match result.verdict {
            // After the first failure the others are interrupted.
            _ if self.killed.is_some() => {}
            Verdict::Failed(failure) if self.is_meant(&failure) => self.killed = Some((result.id, failure)),
            Verdict::Failed(failure) => {
                self.otherwise.get_or_insert((result.id, failure.claim));
            }
            Verdict::Passed => self.passed += 1,
            Verdict::Inconclusive { reason } => self.trouble = Some(format!("{}: {reason}", result.id)),
            Verdict::Skipped { .. } => {}
        }
    }

    /// Whether the failure is what notices the defect. Of a defect that breaks an invariant it is not enough
    /// that some scenario fails: the invariant itself is what is proved.
    fn is_meant(&self, failure: &Failure) -> bool {
        self.standing.is_empty() || failure.broken.iter().any(|broken| self.standing.contains(&broken.id))
    }

    fn outcome(self) -> Outcome {
        match (self.killed, self.otherwise, self.trouble) {
            (Some((case, failure)), _, _) => {
                let meant = failure.broken.iter().find(|broken| self.standing.contains(&broken.id));
                Outcome::Killed {
                    by: case.to_string(),
                    claim: meant.map_or_else(|| failure.claim.clone(), |broken| broken.claim.clone()),
                    broken: failure.broken.iter().map(|broken| broken.id.clone()).collect(),
                }
            }
            (None, Some((case, claim)), _) => Outcome::Otherwise { by: case.to_string(), claim },
            (None, None, Some(reason)) => Outcome::Inconclusive { reason },
            (None, None, None) => Outcome::Survived { cases: self.passed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Broken;
    use crate::report::fixture::failed;

    fn failure(broken: &[&str]) -> Box<Failure> {
        let Verdict::Failed(mut failure) = failed() else { unreachable!() };
        failure.broken = broken
            .iter()
            .map(|id| Broken {
                id: (*id).to_owned(),
                claim: format!("{id}: never"),
                object: String::new(),
                nearest: String::new(),
            })
            .collect();
        failure
    }

    fn outcome(standing: &[&str], failures: &[&[&str]]) -> Outcome {
        let standing = standing.iter().map(|id| (*id).to_owned()).collect();
        let mut verdicts = Verdicts { standing, ..Verdicts::default() };
        for (number, broken) in failures.iter().enumerate() {
            verdicts.add(Event::CaseFinished(Box::new(crate::event::CaseResult {
                id: CaseId { scenario: format!("s{number}"), case: String::new() },
                verdict: Verdict::Failed(failure(broken)),
                elapsed: Duration::ZERO,
                namespace: String::new(),
                timeline: Vec::new(),
                history: None,
            })));
        }
        verdicts.outcome()
    }

    #[test]
    fn a_defect_of_an_invariant_is_noticed_by_that_invariant_alone() {
        let noticed = outcome(&["INV-01"], &[&[], &["INV-02"], &["INV-02", "INV-01"]]);
        let Outcome::Killed { by, claim, broken } = noticed else { panic!("{noticed:?}") };
        assert_eq!((by.as_str(), claim.as_str()), ("s2", "INV-01: never"));
        assert_eq!(broken, ["INV-02", "INV-01"]);
        let missed = outcome(&["INV-01"], &[&[], &["INV-02"]]);
        assert!(matches!(&missed, Outcome::Otherwise { by, .. } if by == "s0"), "{missed:?}");
    }

    #[test]
    fn any_other_defect_is_noticed_by_the_first_failure() {
        let noticed = outcome(&[], &[&[], &["INV-01"]]);
        assert!(matches!(&noticed, Outcome::Killed { by, .. } if by == "s0"), "{noticed:?}");
    }
}
