//! Systematic crash placement: a scenario is run once to count the writes of the subject, and then again for
//! each write with the subject killed right before it, and with the subject killed right after it.
//!
//! Every such life has to end as the undisturbed one, see [`Ending`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::case::RunContext;
use super::plan::{self, PlacedCase, Plan};
use super::prepare;
use super::run::{abilities_at_most, new_run_id};
use super::runner::Runner;
use super::stage::Stage;
use crate::check::Ending;
use crate::cluster::ClusterSpec;
use crate::count::agree;
use crate::event::{CaseId, Event, EventSink, Verdict};
use crate::record::{Entry, Observation};
use crate::scenario::document::SubjectMode;
use crate::scenario::fault::{Effect, Fault, Moment, Party, Selector, VerbSelector};
use crate::scenario::step::{Action, Step};
use crate::scenario::suite::Suite;
use crate::scenario::{Filter, PlannedCase};
use crate::subject::Implementation;

/// How the step that arms the kill is called.
const ARM: &str = "kill: ";

/// What to explore, and where.
#[derive(Debug)]
pub struct ExploreRequest {
    /// The suite.
    pub suite: Suite,
    /// Which of its cases.
    pub filter: Filter,
    /// The implementation.
    pub implementation: Implementation,
    /// The cluster.
    pub cluster: ClusterSpec,
    /// How many lives are lived at the same time.
    pub jobs: usize,
}

/// A scenario and what became of it under every kill.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Life {
    /// The case.
    pub case: String,
    /// Why it could not be explored, if it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The subject's writes in the undisturbed life, in their order.
    pub writes: Vec<WriteOutcome>,
}

/// A write of the undisturbed life, and what became of a life with a kill there.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteOutcome {
    /// What was written: verb, resource and name.
    pub request: String,
    /// With the subject killed before the API server saw the write.
    pub before: Placement,
    /// With the subject killed after the API server had done it.
    pub after: Placement,
}

/// What became of a life with a kill at a certain place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Placement {
    /// It ended as the undisturbed one.
    Same,
    /// It ended in another way.
    Different {
        /// What is different, in words.
        differences: Vec<String>,
    },
    /// The subject did not make so many writes, in two lives, so there was nothing to kill it at.
    NotMade,
    /// A claim of the scenario did not hold.
    Failed {
        /// Which, and why.
        reason: String,
    },
    /// Nothing is known about it.
    Inconclusive {
        /// Why.
        reason: String,
    },
}

/// Explores all selected cases on one cluster; each goes to `lives` when all its placements are known. An
/// error means that nothing could be explored.
pub async fn explore(
    request: ExploreRequest,
    lives: mpsc::UnboundedSender<Life>,
    events: EventSink,
    cancel: CancellationToken,
) -> Result<(), EngineError> {
    let run_id = new_run_id();
    let implementation = Some(&request.implementation);
    let abilities = abilities_at_most(&request.cluster);
    let first = Plan::new(&request.suite, &request.filter, &run_id, abilities, implementation);
    let prepared = tokio::select! {
        prepared = prepare::prepare(&request.cluster, &first, request.implementation.clone(), &events) => prepared?,
        () = cancel.cancelled() => return Ok(()),
    };
    let plan = Plan::new(&request.suite, &request.filter, &run_id, prepared.abilities(), implementation);
    let stage = Stage::open(&prepared, &plan, request.suite.fence(), &run_id).await?;
    let (sink, unheard) = EventSink::channel();
    let (records, recorded) = mpsc::unbounded_channel();
    let context = RunContext {
        run_id: run_id.clone(),
        client: prepared.client.clone(),
        subjects: prepared.context.clone(),
        kinds: stage.kinds.clone(),
        pulse: Arc::clone(&prepared.pulse),
        renderings: Arc::clone(&prepared.renderings),
        fence: request.suite.fence().cloned(),
        events: sink,
        cancel: cancel.clone(),
        bless: false,
        engine_defect: None,
        own_clusters: prepared.own_clusters.clone(),
        first_revision: 0,
        slack: request.implementation.slack,
    };
    let runner = Runner { records: Some(records), ..Runner::unrecorded(context, &stage, request.jobs) };
    let mut explorer = Explorer { runner, recorded, unheard, events: &events, run_id: &run_id, placed: 0 };
    let placed = plan.cases.into_iter();
    let cases: Vec<PlannedCase> =
        placed.map(|placed| PlannedCase { skip: placed.skip, ..placed.case }).collect();
    let exploring = async {
        for life in explorer.explore(&cases).await {
            let _nobody_listens = lives.send(life);
        }
    };
    tokio::select! {
        () = exploring => {}
        lost = prepared.cluster.lost() => events.trouble(format!("the cluster was lost: {lost}")),
    }
    drop(explorer);
    drop(stage);
    Ok(prepared.cluster.stop().await?)
}

struct Explorer<'a> {
    runner: Runner<'a>,
    /// The histories of what the runner has run.
    recorded: mpsc::UnboundedReceiver<(CaseId, Vec<Arc<Entry>>)>,
    /// What the runner says, which no reporter hears.
    unheard: mpsc::UnboundedReceiver<Event>,
    events: &'a EventSink,
    run_id: &'a str,
    /// How many namespaces were named so far.
    placed: usize,
}

/// A life that was lived.
struct Lived {
    verdict: Verdict,
    history: Vec<Arc<Entry>>,
}

impl Lived {
    /// It came to the end of its steps and the subject was not killed: the write was never made.
    fn without_kill(&self) -> bool {
        let any = |is: fn(&Observation) -> bool| self.history.iter().any(|entry| is(&entry.observation));
        any(|observation| matches!(observation, Observation::FaultsOver { .. }))
            && !any(|observation| matches!(observation, Observation::Fault { .. }))
    }
}

/// What the others are compared with.
struct Undisturbed {
    writes: Vec<String>,
    ending: Ending,
}

impl Explorer<'_> {
    async fn explore(&mut self, cases: &[PlannedCase]) -> Vec<Life> {
        let has_fence = self.runner.context.fence.is_some();
        let possible = cases.iter().filter(|case| hindrance(case).is_none());
        let mut lived = self.live(possible.map(|case| undisturbed(case, has_fence)).collect()).await;
        let known: Vec<Result<Undisturbed, String>> =
            cases.iter().map(|case| Undisturbed::of(case, lived.remove(&case.id))).collect();
        let mut planned = Vec::new();
        for (case, known) in cases.iter().zip(&known) {
            let writes = known.as_ref().map_or(0, |known| known.writes.len());
            for number in (1_u32..).take(writes) {
                planned.push(killed_at(case, number, Moment::Before, has_fence));
                planned.push(killed_at(case, number, Moment::After, has_fence));
            }
        }
        let mut lived = self.live(planned.clone()).await;
        // How often a controller tries again differs from life to life, and with it the number of a write.
        planned.retain(|case| lived.get(&case.id).is_some_and(Lived::without_kill));
        lived.extend(self.live(planned).await);
        cases.iter().zip(known).map(|(case, known)| life(case, known, &lived)).collect()
    }

    /// Lives all of them, each with a subject of its own.
    async fn live(&mut self, cases: Vec<PlannedCase>) -> BTreeMap<CaseId, Lived> {
        let all = cases.len();
        let cases = cases.into_iter().map(|case| {
            self.placed += 1;
            let namespace = plan::namespace(&case, self.placed, self.run_id);
            PlacedCase { case, namespace, release: None, skip: None, declined: false }
        });
        let plan = Plan { cases: cases.collect(), releases: Vec::new(), filtered: true };
        let mut lived = BTreeMap::new();
        let mut histories = BTreeMap::new();
        let mut finished = |event, histories: &mut BTreeMap<CaseId, Vec<Arc<Entry>>>| {
            let Event::CaseFinished(result) = event else { return };
            let history = histories.remove(&result.id).unwrap_or_default();
            lived.insert(result.id, Lived { verdict: result.verdict, history });
            self.events
                .progress("exploring", format!("{} of {all} {}", lived.len(), agree(&all, "life", "lives")));
        };
        {
            let mut running = std::pin::pin!(self.runner.all(&plan));
            loop {
                tokio::select! {
                    biased;
                    Some((id, history)) = self.recorded.recv() => { histories.insert(id, history); }
                    Some(event) = self.unheard.recv() => finished(event, &mut histories),
                    () = &mut running => break,
                }
            }
        }
        while let Ok((id, history)) = self.recorded.try_recv() {
            histories.insert(id, history);
        }
        while let Ok(event) = self.unheard.try_recv() {
            finished(event, &mut histories);
        }
        lived
    }
}

impl Undisturbed {
    /// What the undisturbed life was, or why nothing can be compared with it.
    fn of(case: &PlannedCase, lived: Option<Lived>) -> Result<Self, String> {
        if let Some(reason) = hindrance(case) {
            return Err(reason.to_owned());
        }
        let Lived { verdict, history } = lived.ok_or("it was interrupted")?;
        match verdict {
            Verdict::Passed => Ok(Self { writes: writes(&history), ending: Ending::of(&history) }),
            Verdict::Failed(failure) => {
                Err(format!("it fails undisturbed: {}: {}", failure.claim, failure.nearest))
            }
            Verdict::Inconclusive { reason } | Verdict::Skipped { reason } => Err(reason),
        }
    }
}

/// Why a case cannot be explored.
fn hindrance(case: &PlannedCase) -> Option<&str> {
    if case.skip.is_some() {
        return case.skip.as_deref();
    }
    if case.subject == SubjectMode::None {
        return Some("it has no subject");
    }
    case.actions().any(Action::needs_dedicated_subject).then_some("it disturbs its subject itself")
}

/// The writes of the subject while the kill is armed, in the order in which they arrived.
fn writes(history: &[Arc<Entry>]) -> Vec<String> {
    let is_armed = |entry: &&Arc<Entry>| match &entry.observation {
        Observation::StepStarted { summary, .. } => summary.starts_with(ARM),
        _ => false,
    };
    let armed_at = history.iter().find(is_armed).map_or(0, |entry| entry.sequence);
    let last = history.iter().find_map(|entry| match entry.observation {
        Observation::FaultsOver { writes } => Some(writes),
        _ => None,
    });
    let mut writes: Vec<(u64, String)> = history
        .iter()
        .filter(|entry| entry.sequence > armed_at)
        .filter_map(|entry| match &entry.observation {
            Observation::Write { number, request, .. } => Some((*number, request.clone())),
            _ => None,
        })
        .filter(|(number, _)| last.is_some_and(|last| *number <= last))
        .collect();
    writes.sort_unstable();
    writes.into_iter().map(|(_, request)| request).collect()
}

/// The case as it is, with a proxy that counts and never acts.
fn undisturbed(case: &PlannedCase, has_fence: bool) -> PlannedCase {
    with_kill(case, case.id.clone(), u32::MAX, Moment::Before, true, has_fence)
}

/// The case with a kill at one of the subject's writes.
fn killed_at(case: &PlannedCase, number: u32, moment: Moment, has_fence: bool) -> PlannedCase {
    with_kill(case, placement_id(case, number, moment), number, moment, false, has_fence)
}

fn placement_id(case: &PlannedCase, number: u32, moment: Moment) -> CaseId {
    let CaseId { scenario, case } = &case.id;
    let separator = if case.is_empty() { "" } else { "-" };
    CaseId { scenario: scenario.clone(), case: format!("{case}{separator}{moment}-write-{number}") }
}

/// The case with a subject of its own and a kill.
///
/// It is armed when what is given is there and dealt with: how a controller takes in several objects at once
/// is no part of the life, and would make the numbers of writes differ from life to life.
fn with_kill(
    case: &PlannedCase,
    id: CaseId,
    nth: u32,
    moment: Moment,
    optional: bool,
    has_fence: bool,
) -> PlannedCase {
    let mut case = PlannedCase { id, subject: SubjectMode::Dedicated, ..case.clone() };
    let mut steps = Vec::new();
    for manifest in std::mem::take(&mut case.objects) {
        let location = manifest.object.location.clone();
        let summary = format!("create {} {}", manifest.kind, manifest.alias);
        let action = Action::Create { manifests: vec![manifest], refused: None };
        steps.push(Step { action, location: location.clone(), summary, digest: String::new() });
        if has_fence {
            let summary = "fence".to_owned();
            steps.push(Step { action: Action::Fence, location, summary, digest: String::new() });
        }
    }
    if let Some(location) = case.steps.first().map(|step| step.location.clone()) {
        let on = Selector { verb: VerbSelector::Write, resource: None, name: None };
        let fault = Fault { on, nth, times: 1, effect: Effect::Kill(moment), optional };
        let summary = format!("{ARM}{fault}");
        let action = Action::Fault { of: Party::Subject, fault };
        steps.push(Step { action, location, summary, digest: String::new() });
    }
    steps.append(&mut case.steps);
    case.steps = steps;
    case
}

/// Puts together what became of a case.
fn life(case: &PlannedCase, known: Result<Undisturbed, String>, lived: &BTreeMap<CaseId, Lived>) -> Life {
    let name = case.id.to_string();
    let Undisturbed { writes, ending } = match known {
        Ok(known) => known,
        Err(trouble) => return Life { case: name, trouble: Some(trouble), writes: Vec::new() },
    };
    let placement = |number, moment| Placement::of(lived.get(&placement_id(case, number, moment)), &ending);
    let writes = (1_u32..).zip(writes).map(|(number, request)| WriteOutcome {
        request,
        before: placement(number, Moment::Before),
        after: placement(number, Moment::After),
    });
    Life { case: name, trouble: None, writes: writes.collect() }
}

impl Placement {
    fn of(lived: Option<&Lived>, undisturbed: &Ending) -> Self {
        let Some(lived) = lived else {
            return Self::Inconclusive { reason: "it was interrupted".to_owned() };
        };
        let Lived { verdict, history } = lived;
        match verdict {
            Verdict::Passed => {
                let differences = undisturbed.differences(&Ending::of(history));
                if differences.is_empty() { Self::Same } else { Self::Different { differences } }
            }
            Verdict::Failed(failure) => {
                Self::Failed { reason: format!("{}: {}", failure.claim, failure.nearest) }
            }
            Verdict::Inconclusive { .. } if lived.without_kill() => Self::NotMade,
            Verdict::Inconclusive { reason } | Verdict::Skipped { reason } => {
                Self::Inconclusive { reason: reason.clone() }
            }
        }
    }
}

#[cfg(test)]
mod tests;
