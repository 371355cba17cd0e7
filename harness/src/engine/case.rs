//! One case: its namespace, its steps, its verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ApiResource, PostParams};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::api::{RequestError, request};
use super::cleanup::RUN_LABEL;
use super::cluster_scope::{Made, Place};
use super::faults::Faults;
use super::kinds::Kinds;
use super::place::OwnPlace;
use super::plan::PlacedCase;
use super::play::Players;
use super::played;
use super::recovery::Recovery;
use super::renderings::Renderings;
use crate::backup::defects::Defect;
use crate::check::{Failure, bindings, broken, trail};
use crate::cluster::ClusterSpec;
use crate::database::Server;
use crate::event::{EventSink, Verdict};
use crate::pulse::Pulse;
use crate::record::{End, Entry, Observation, Record};
use crate::scenario::PlannedCase;
use crate::scenario::assertion::{Bindings, BoundObject};
use crate::scenario::document::SubjectMode;
use crate::scenario::step::Step;
use crate::scenario::suite::Fence;
use crate::subject::{LogSink, ReleaseSpec, Subject, SubjectContext, SubjectError};
use crate::yaml::{Location, Node};

/// What fails where the subject never started: nothing that its case is about was tried.
pub(super) const STARTS: &str = "the subject installs, starts and becomes ready";

/// What all cases of a run have in common.
#[derive(Clone)]
pub(super) struct RunContext {
    pub(super) run_id: String,
    pub(super) client: Client,
    /// Absent where the cluster itself is tested.
    pub(super) subjects: Option<SubjectContext>,
    pub(super) kinds: Kinds,
    pub(super) renderings: Arc<Renderings>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) fence: Option<Fence>,
    pub(super) events: EventSink,
    pub(super) cancel: CancellationToken,
    /// What the implementation needs beyond what scenarios give it.
    pub(super) slack: Duration,
    pub(super) bless: bool,
    /// What is wrong with the backup engine of this run.
    pub(super) engine_defect: Option<Defect>,
    /// How a cluster for one case alone is started, if it can be.
    pub(super) own_clusters: Option<ClusterSpec>,
    /// What is added to the revisions of this cluster: those of the clusters that were lost before it.
    pub(super) first_revision: u64,
}

/// Why a case ends before its last step.
#[derive(Debug)]
pub(super) enum Stop {
    /// A claim does not hold.
    Failed(Box<Failure>),
    /// The cluster or the harness is in trouble.
    Inconclusive(String),
}

/// A case while it runs.
pub(super) struct CaseRun<'a> {
    pub(super) run: &'a RunContext,
    pub(super) placed: &'a PlacedCase,
    pub(super) namespace: String,
    pub(super) record: Record,
    pub(super) subject: Option<Arc<Subject>>,
    /// What stands between the subject and the API server, if the case has faults.
    pub(super) faults: Option<Faults>,
    pub(super) bindings: Bindings,
    /// Where the window of `eventually` begins: the entry that tells of the last action.
    pub(super) window: u64,
    /// The entry that tells of the current step: names stand for what was known then.
    started: u64,
    /// How many entries the current step was judged on, if it is a claim.
    pub(super) judged: Option<u64>,
    /// Whether claims alone decided the verdict.
    pub(super) by_claims: bool,
    pub(super) fences: usize,
    pub(super) sentinel: Option<BoundObject>,
    /// Whoever plays Jobs in the background.
    pub(super) players: Players,
    /// What the case has backed up.
    pub(super) recovery: Recovery,
    /// Kinds that the case itself has defined.
    pub(super) defined: Vec<Place>,
    /// Objects of the cluster that the case has made.
    pub(super) made: Vec<Made>,
    /// The cluster that only this case uses, if it has one.
    pub(super) place: Option<&'a OwnPlace>,
    /// What is added to revisions besides that of the run, since the datastore was put back.
    pub(super) ahead: u64,
    /// The server of the database that only this case uses, if it has one.
    pub(super) database: Option<Server>,
}

impl<'a> CaseRun<'a> {
    /// A case that has not begun; `shared` is the subject of its release, if it shares one.
    pub(super) fn new(
        run: &'a RunContext,
        placed: &'a PlacedCase,
        record: Record,
        shared: Option<Arc<Subject>>,
    ) -> Self {
        let bindings = Bindings {
            namespace: placed.namespace.clone(),
            case: placed.case.case.clone(),
            objects: BTreeMap::new(),
            rendered: BTreeMap::new(),
        };
        Self {
            run,
            placed,
            namespace: placed.namespace.clone(),
            record,
            subject: shared,
            faults: None,
            bindings,
            window: 0,
            started: 0,
            judged: None,
            by_claims: false,
            fences: 0,
            sentinel: None,
            players: Players::default(),
            recovery: Recovery::default(),
            defined: Vec::new(),
            made: Vec::new(),
            place: None,
            ahead: 0,
            database: None,
        }
    }

    /// Performs all steps and judges the whole history; never longer than the case's deadline.
    pub(super) async fn judge(&mut self) -> Verdict {
        self.record.append(Observation::CaseStarted { namespace: self.namespace.clone() });
        let limit = limit(&self.placed.case, self.run.slack);
        let pulse = Arc::clone(&self.run.pulse);
        let outcome = in_time(&pulse, limit, Box::pin(self.perform())).await;
        let crash = self.crash();
        self.by_claims &= crash.is_none();
        match (outcome, crash) {
            // A crash explains everything else that went wrong.
            (_, Some(failure)) | (Err(Stop::Failed(failure)), None) => {
                Verdict::Failed(self.with_broken_invariants(failure))
            }
            (Ok(()), None) => Verdict::Passed,
            (Err(Stop::Inconclusive(reason)), None) => Verdict::Inconclusive { reason },
        }
    }

    /// Whatever else went wrong, the invariants that the history breaks are told.
    fn with_broken_invariants(&self, mut failure: Box<Failure>) -> Box<Failure> {
        let bindings = self.fresh_bindings();
        let mut others = broken(self.placed.case.invariants(), &self.record.snapshot(), &bindings);
        others.retain(|other| failure.broken.iter().all(|known| known.id != other.id));
        failure.broken.extend(others);
        failure
    }

    async fn perform(&mut self) -> Result<(), Stop> {
        let case = &self.placed.case;
        if case.needs_namespace() {
            self.create_namespace().await?;
        }
        if case.database.is_some() {
            self.start_database().await?;
        }
        if case.subject == SubjectMode::Dedicated {
            self.install().await?;
        }
        for manifest in &case.objects {
            let at = &manifest.object.location;
            if let Err(message) = self.create(manifest).await? {
                return Err(self.refused(
                    &format!("create {}", manifest.alias),
                    &manifest.alias,
                    &message,
                    at,
                ));
            }
        }
        for (index, step) in case.steps.iter().enumerate() {
            self.step(index, step).await?;
        }
        self.faults_are_done(&self.beginning()).await?;
        if let Some(first) = case.expect.first() {
            self.fence(&first.location).await?;
        }
        for (index, step) in case.expect.iter().enumerate() {
            self.step(case.steps.len() + index, step).await?;
        }
        if let Some(reason) = self.players.trouble() {
            return Err(Stop::Inconclusive(reason));
        }
        self.by_claims = true;
        Ok(())
    }

    async fn step(&mut self, index: usize, step: &Step) -> Result<(), Stop> {
        let assertion = step.action.is_assertion();
        let (summary, digest) = (step.summary.clone(), step.digest.clone());
        self.started = self.record.append(Observation::StepStarted { index, summary, assertion, digest });
        if !assertion {
            self.window = self.started;
        }
        self.judged = None;
        let outcome = self.act(step).await;
        self.record.append(Observation::StepFinished { index, ok: outcome.is_ok(), judged: self.judged });
        self.by_claims = outcome.is_err() && self.judged.is_some();
        outcome
    }

    pub(super) async fn create_namespace(&self) -> Result<(), Stop> {
        let api: Api<Namespace> = Api::all(self.client().clone());
        let mut labels = json!({RUN_LABEL: self.run.run_id});
        if self.placed.case.plays_jobs()
            && let Some(labels) = labels.as_object_mut()
        {
            labels.insert(played::LABEL.to_owned(), played::PLAYED.into());
        }
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"name": self.namespace, "labels": labels}}))
                .unwrap_or_default();
        let parameters = PostParams::default();
        request(|| async { api.create(&parameters, &namespace).await })
            .await
            .map(drop)
            .map_err(|error: RequestError| Stop::Inconclusive(format!("create the namespace: {error}")))
    }

    /// Installs the subject that only this case uses, in its own namespace with the rights of one.
    pub(super) async fn install(&mut self) -> Result<(), Stop> {
        let record = self.record.clone();
        let release = ReleaseSpec {
            namespace: self.namespace.clone(),
            watched: Vec::new(),
            values: self.values(),
            shared: false,
            upgraded: self.placed.case.is_upgraded(),
        };
        let log: LogSink = Arc::new(move |observation: Observation| {
            record.append(observation);
        });
        let at = self.beginning();
        let context = self.subjects()?;
        let mut faults = if self.placed.case.has_faults() {
            Some(Faults::start(context, LogSink::clone(&log)).await?)
        } else {
            None
        };
        let started = match &faults {
            Some(faults) => Subject::start(&faults.between(context), release, log).await,
            None => Subject::start(context, release, log).await,
        };
        let subject = Arc::new(started.map_err(|error| self.trouble(STARTS, &error, &at))?);
        if let Some(faults) = &mut faults {
            faults.kill_on_demand(&subject);
        }
        self.faults = faults;
        self.subject = Some(subject);
        Ok(())
    }

    /// A verdict from an error of the subject in a step: its own faults are failures.
    pub(super) fn subject_trouble(&self, error: &SubjectError, at: &Location) -> Stop {
        self.trouble("the subject starts, becomes ready and ends when it is asked to", error, at)
    }

    fn trouble(&self, claim: &str, error: &SubjectError, at: &Location) -> Stop {
        if error.is_subject_fault() {
            self.refused(claim, "the subject", &error.to_string(), at)
        } else {
            Stop::Inconclusive(chain(error))
        }
    }

    /// A failure that is no judgement on the record.
    pub(super) fn refused(&self, claim: &str, object: &str, reason: &str, at: &Location) -> Stop {
        Stop::Failed(self.failure(claim, object, reason, at))
    }

    fn failure(&self, claim: &str, object: &str, reason: &str, at: &Location) -> Box<Failure> {
        let history = self.record.snapshot();
        let (claim, object, reason) = (claim.to_owned(), object.to_owned(), reason.to_owned());
        Box::new(Failure::refused(claim, object, reason, at, trail(&history)))
    }

    /// The verdict of a case whose shared subject could not be started.
    pub(super) fn never_started(&self, is_subject_fault: bool, reason: String) -> Verdict {
        let verdict = if is_subject_fault {
            Verdict::Failed(self.failure(STARTS, "the subject", &reason, &self.beginning()))
        } else {
            Verdict::Inconclusive { reason }
        };
        self.conclude(&verdict);
        verdict
    }

    /// Records how the case ended.
    pub(super) fn conclude(&self, verdict: &Verdict) {
        let end = match verdict {
            Verdict::Passed => End::Passed,
            Verdict::Failed(failure) => End::Failed {
                claim: failure.claim.clone(),
                object: failure.object.clone(),
                reason: failure.nearest.clone(),
            },
            Verdict::Inconclusive { reason } | Verdict::Skipped { reason } => {
                End::Inconclusive { reason: reason.clone() }
            }
        };
        self.record.append(Observation::CaseFinished { end, by_claims: self.by_claims });
    }

    /// Stops the subject that only this case used.
    pub(super) async fn dismiss(&mut self) {
        // First, so that nobody starts the subject again; its last requests find nobody.
        drop(self.faults.take());
        if self.placed.case.subject == SubjectMode::Dedicated
            && let Some(subject) = self.subject.take()
            && let Err(error) = subject.retire().await
        {
            tracing::debug!(namespace = %self.namespace, error = %chain(&error), "subject not stopped");
        }
        if let Some(database) = self.database.take() {
            database.stop().await;
        }
        self.players.churning.shutdown().await;
        self.unmake().await;
    }

    /// The subject ended although nobody asked for it, be it that it was started again since.
    fn crash(&self) -> Option<Box<Failure>> {
        let since_its_start = self.subject.as_ref().and_then(|subject| subject.crashed());
        let what = match since_its_start {
            Some(exit) => exit.what,
            None => first_crash(&self.record.snapshot())?,
        };
        Some(self.failure("the subject keeps running", "the subject", &what, &self.beginning()))
    }

    /// What the record adds to the revisions of the cluster that the case has by now.
    pub(super) fn first_revision(&self) -> u64 {
        self.run.first_revision + self.ahead
    }

    /// Where the case is written.
    fn beginning(&self) -> Location {
        let case = &self.placed.case;
        let first = case.steps.first().or(case.expect.first());
        first.map_or_else(
            || Location::start_of(&crate::yaml::Source::new(&case.file, String::new())),
            |step| step.location.clone(),
        )
    }

    /// The bindings as they were when the current step began.
    pub(super) fn fresh_bindings(&self) -> Bindings {
        let mut history = self.record.snapshot();
        history.truncate(usize::try_from(self.started).unwrap_or(usize::MAX));
        bindings::refreshed(&self.bindings, &history)
    }

    /// Puts the names of the running scenario into a tree.
    pub(super) fn expand(&self, node: &Node) -> Result<Node, Stop> {
        let mut problems = Vec::new();
        let expanded = bindings::expand(node, &self.fresh_bindings(), &mut problems);
        match problems.first() {
            None => Ok(expanded),
            Some(problem) => Err(Stop::Inconclusive(format!("{problem}"))),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.run.client
    }

    /// What it takes to install the implementation. That there is one where a case needs it is known
    /// before anything is started.
    pub(super) fn subjects(&self) -> Result<&SubjectContext, Stop> {
        self.run.subjects.as_ref().ok_or_else(|| Stop::Inconclusive("there is no implementation".to_owned()))
    }

    pub(super) fn resource(&self, api_version: &str, kind: &str) -> Result<&ApiResource, Stop> {
        self.place(api_version, kind).map(|place| &place.resource)
    }
}

/// What the record tells of the first end of the subject that nobody asked for.
fn first_crash(history: &[Arc<Entry>]) -> Option<String> {
    history.iter().find_map(|entry| match &entry.observation {
        Observation::Subject { what, unexpected: true } => Some(what.clone()),
        _ => None,
    })
}

/// Performs a case within its deadline, which moves by the time that is lost to a busy machine as those of its waits
/// do: these could not last as long as they may otherwise.
async fn in_time(
    pulse: &Pulse,
    limit: Duration,
    performed: impl Future<Output = Result<(), Stop>>,
) -> Result<(), Stop> {
    pulse.wait(limit, performed).await.unwrap_or_else(|waited| {
        Err(Stop::Inconclusive(format!(
            "the case did not end within its deadline of {} s; {} s were waited",
            limit.as_secs(),
            waited.as_secs()
        )))
    })
}

/// How long a case may take: what every wait may take longer, all of them together may, too.
fn limit(case: &PlannedCase, slack: Duration) -> Duration {
    case.timeout + slack * case.waits()
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_counts_also_if_the_subject_was_started_again() {
        let entry = |(sequence, (what, unexpected)): (usize, (&str, bool))| {
            let observation = Observation::Subject { what: what.to_owned(), unexpected };
            Arc::new(Entry { sequence: sequence as u64, at: jiff::Timestamp::UNIX_EPOCH, observation })
        };
        let history = |told: &[(&'static str, bool)]| -> Vec<_> {
            told.iter().copied().enumerate().map(entry).collect()
        };
        let stopped = [("ready", false), ("ended with code 0", false), ("ready", false)];
        assert_eq!(first_crash(&history(&stopped)), None);
        let crashed = [("ready", false), ("ended with code 1", true), ("ready", false)];
        assert_eq!(first_crash(&history(&crashed)).as_deref(), Some("ended with code 1"));
    }

    #[tokio::test]
    async fn the_deadline_of_a_case_moves_by_the_time_that_is_lost() {
        let answer = tower::service_fn(|_request: http::Request<kube::client::Body>| async {
            tokio::time::sleep(Duration::from_millis(120)).await;
            Ok::<_, std::io::Error>(http::Response::new(kube::client::Body::empty()))
        });
        let pulse = Pulse::start(Client::new(answer, "default"));
        let begin = std::time::Instant::now();
        let ended = in_time(&pulse, Duration::from_millis(600), std::future::pending()).await;
        // Each of the two answers that came meanwhile was late by a tenth of a second.
        assert!(begin.elapsed() >= Duration::from_millis(700), "{:?}", begin.elapsed());
        assert!(matches!(ended, Err(Stop::Inconclusive(_))), "{ended:?}");
    }

    #[test]
    fn a_case_may_take_longer_by_the_slack_of_all_its_waits() {
        let suite = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites/patient");
        let suite = crate::scenario::suite::Suite::load(&suite).unwrap();
        let case = &suite.cases()[0];
        let slack = Duration::from_secs(2);
        assert_eq!(limit(case, Duration::ZERO), case.timeout);
        let waits = u32::try_from(case.actions().count()).unwrap();
        // The claims, and the fence at the end.
        assert_eq!(limit(case, slack), case.timeout + slack * (waits + 1));
    }
}
