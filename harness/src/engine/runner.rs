//! Runs the cases of a plan side by side, each with its subject, its place in the record and its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::case::{CaseRun, RunContext, chain};
use super::cleanup;
use super::halt::Halt;
use super::place::OwnPlace;
use super::plan::{PlacedCase, Plan};
use super::settle;
use super::slots::Slots;
use super::stage::Stage;
use super::subjects::Shared;
use crate::check::{History, timeline};
use crate::event::{CaseId, CaseResult, Event, NOT_STARTED, Verdict};
use crate::record::{Entry, Record, RecordWriter};
use crate::subject::Subject;

/// What is said of a case that was not needed.
const NEEDLESS: &str = "nobody waits for its verdict any more";

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
    /// Cancelled for a case whose verdict nobody waits for any more: it does not begin, or ends where it is. Cases
    /// that are not named are always wanted.
    pub(super) needless: BTreeMap<CaseId, CancellationToken>,
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
            needless: BTreeMap::new(),
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
        self.stage.expect(plan);
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
        let needless = self.needless.get(&id).cloned().unwrap_or_default();
        if needless.is_cancelled() {
            finished(Verdict::Skipped { reason: NEEDLESS.to_owned() }, Duration::ZERO, &[]);
            return;
        }
        if self.context.cancel.is_cancelled() {
            let reason = self.halt.reason(false);
            finished(Verdict::Inconclusive { reason }, Duration::ZERO, &[]);
            return;
        }
        if self.enough.as_ref().is_some_and(CancellationToken::is_cancelled) {
            finished(Verdict::Skipped { reason: NOT_STARTED.to_owned() }, Duration::ZERO, &[]);
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
            Some(Ok(subject)) => self.judge(placed, record, Some(subject), None, &needless).await,
            None => self.judge(placed, record, None, place.as_ref(), &needless).await,
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
        self.stage.forget(placed);
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
        subject: Option<Arc<Subject>>,
        place: Option<&OwnPlace>,
        needless: &CancellationToken,
    ) -> Verdict {
        let context = place.map_or(&self.context, OwnPlace::context);
        let mut case = CaseRun::new(context, placed, record, subject);
        case.place = place;
        let judged = tokio::select! {
            judged = std::panic::AssertUnwindSafe(case.judge()).catch_unwind() => judged,
            () = self.context.cancel.cancelled() => Ok(Verdict::Inconclusive { reason: self.halt.reason(true) }),
            () = needless.cancelled() => Ok(Verdict::Skipped { reason: NEEDLESS.to_owned() }),
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
