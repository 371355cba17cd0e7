//! The writes of a restore, from definitions to the comparison at the end.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::{ConstantBuilder, Retryable as _};
use futures::StreamExt as _;
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use serde_json::Value;

use super::error::{Finding, RestoreError, Unrestored};
use super::judge::{Action, deviations};
use super::order::{Wave, waves};
use super::report::RestoreReport;
use super::target::{Step, Target, key, live};
use super::write::{Writer, Written};
use super::{Existing, RestoreOptions, guard, preflight};
use crate::backup::api::{ApiError, ObjectApi};
use crate::backup::defects::Defect;
use crate::backup::kind::Role;
use crate::backup::verify::Stored;
use crate::event::EventSink;

/// Between two questions whether a new kind is served: nothing tells when its endpoint is up.
const SERVED: ConstantBuilder =
    ConstantBuilder::new().with_delay(Duration::from_millis(50)).without_max_times();

/// Between two looks whether the controller is held still, while runs are written.
const HELD: Duration = Duration::from_secs(2);

/// What one restore works with.
#[derive(Debug)]
pub(super) struct Stages<'a> {
    pub(super) api: &'a ObjectApi,
    pub(super) options: &'a RestoreOptions,
    pub(super) events: &'a EventSink,
}

impl Stages<'_> {
    /// All of it. Comes back early, with what was not restored, if the API server refuses objects of kinds
    /// that it did not know before.
    pub(super) async fn run(
        &self,
        target: &mut Target<'_>,
        mut report: RestoreReport,
    ) -> Result<RestoreReport, RestoreError> {
        let begin = Instant::now();
        self.definitions(target, &mut report).await?;
        report.took("definitions", begin);
        self.namespaces(target, &mut report).await?;
        let refused = self.late_dry_run(target).await?;
        if !refused.is_empty() {
            report.failed.extend(refused);
            report.warnings.push("only definitions and namespaces were written".to_owned());
            return Ok(report);
        }
        let begin = Instant::now();
        let written = self.objects(target, &mut report).await?;
        report.took("objects", begin);
        let begin = Instant::now();
        self.compare(&target.steps, &written, &mut report).await?;
        report.took("comparison", begin);
        Ok(report)
    }

    /// Creates the definitions that are missing and waits until all of them are served.
    async fn definitions(&self, target: &Target<'_>, report: &mut RestoreReport) -> Result<(), RestoreError> {
        const PHASE: &str = "restoring definitions";
        let begin = Instant::now();
        let definitions: Vec<_> =
            target.steps.iter().filter(|step| step.kind.role == Role::Definition).collect();
        for step in &definitions {
            self.events.progress(PHASE, &*step.stored.path.name);
            self.create_if_missing(step, report).await?;
        }
        // Nobody has to wait for what was there before and is served.
        let names = definitions.iter().map(|step| &*step.stored.path.name);
        let awaited = names.filter(|name| !target.established.contains(*name));
        try_join_all(awaited.map(|name| self.established(name))).await?;
        for kind in target.steps.iter().map(|step| step.kind).filter(|kind| kind.role >= Role::Config) {
            if !target.served.contains(&kind.resource()) {
                let served = || self.api.revision(kind);
                let served = served.retry(SERVED).when(ApiError::is_not_found);
                tokio::time::timeout(self.options.established, served).await.map_err(|_elapsed| {
                    RestoreError::NotServed {
                        what: format!("the API server did not serve {}", kind.resource()),
                        waited: self.options.established,
                        last: "not found".to_owned(),
                    }
                })??;
            }
        }
        self.events.progress_done(PHASE, begin.elapsed());
        Ok(())
    }

    /// Creates what the plan found missing; somebody else may have been quicker.
    async fn create_if_missing(&self, step: &Step<'_>, report: &mut RestoreReport) -> Result<(), ApiError> {
        match &step.action {
            Action::Create => match self.api.create(step.kind, &step.stored.value, false).await {
                Err(error) if error.is_already_exists() => report.unchanged += 1,
                created => {
                    created?;
                    report.created += 1;
                }
            },
            Action::Keep { .. } if Defect::DefinitionsReplaced.is_planted() => self.replace(step).await?,
            _there => report.unchanged += 1,
        }
        Ok(())
    }

    async fn replace(&self, step: &Step<'_>) -> Result<(), ApiError> {
        let path = &step.stored.path;
        let mut wanted = step.stored.value.clone();
        let live = self.api.get(step.kind, path.namespace.as_deref(), &path.name).await?.unwrap_or_default();
        if let (Some(version), Some(Value::Object(metadata))) =
            (live.pointer("/metadata/resourceVersion"), wanted.get_mut("metadata"))
        {
            metadata.insert("resourceVersion".to_owned(), version.clone());
        }
        self.api.replace(step.kind, &wanted, false).await.map(drop)
    }

    async fn established(&self, name: &str) -> Result<(), RestoreError> {
        let api: Api<CustomResourceDefinition> = Api::all(self.api.client().clone());
        let established = await_condition(api.clone(), name, is_crd_established());
        let waited = self.options.established;
        let last = match tokio::time::timeout(waited, established).await {
            Ok(Ok(_definition)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => {
                let status = api.get(name).await.ok().and_then(|definition| definition.status);
                let conditions = status.and_then(|status| status.conditions).unwrap_or_default();
                let words: Vec<String> =
                    conditions.iter().map(|it| format!("{}={}", it.type_, it.status)).collect();
                words.join(", ")
            }
        };
        let what = format!("the definition {name} was not established");
        Err(RestoreError::NotServed { what, waited, last })
    }

    async fn namespaces(
        &self,
        target: &mut Target<'_>,
        report: &mut RestoreReport,
    ) -> Result<(), RestoreError> {
        for step in target.steps.iter().filter(|step| step.kind.role == Role::Namespace) {
            self.create_if_missing(step, report).await?;
            target.namespaces.insert(&step.stored.path.name);
        }
        Ok(())
    }

    /// Tries the objects whose kind was not served before.
    async fn late_dry_run(&self, target: &Target<'_>) -> Result<Vec<Unrestored>, RestoreError> {
        let new = |step: &Step<'_>| {
            step.kind.role >= Role::Config && !target.served.contains(&step.kind.resource())
        };
        let found = preflight::dry_run(self.api, self.options, target, new, self.events).await?;
        let unrestored = |finding| match finding {
            Finding::Invalid { object, reason } => Unrestored { object, reason },
            other => Unrestored { object: "target".to_owned(), reason: other.to_string() },
        };
        Ok(found.into_iter().map(unrestored).collect())
    }

    /// Writes the objects; returns the paths of those that are new.
    ///
    /// From the first runs on the controller must be held until all of them have their status.
    async fn objects<'a>(
        &self,
        target: &Target<'a>,
        report: &mut RestoreReport,
    ) -> Result<HashSet<&'a str>, RestoreError> {
        let writer = Writer::new(self.api, &target.steps);
        let mut written = HashSet::new();
        let mut guarded = false;
        for wave in waves(&target.steps) {
            guarded |= wave.role == Role::Run;
            if guarded {
                self.held().await?;
            }
            self.wave(&writer, wave, guarded, report, &mut written).await?;
        }
        if guarded {
            self.held().await?;
        }
        Ok(written)
    }

    async fn held(&self) -> Result<(), RestoreError> {
        match guard::unheld(self.api, &self.options.guard).await?.pop() {
            Some(finding) => Err(RestoreError::HoldLost(finding)),
            None => Ok(()),
        }
    }

    /// Comes back when it is no longer known that the controller is held.
    async fn released(&self) -> RestoreError {
        loop {
            tokio::time::sleep(HELD).await;
            if let Err(error) = self.held().await {
                return error;
            }
        }
    }

    /// Writes what is in the wave. When a guarded one loses its hold, what was begun is finished: a run without its
    /// status is what nobody may see.
    async fn wave<'a>(
        &self,
        writer: &Writer<'_>,
        wave: Wave<'a, '_>,
        guarded: bool,
        report: &mut RestoreReport,
        written: &mut HashSet<&'a str>,
    ) -> Result<(), RestoreError> {
        let phase = match wave.role {
            Role::Run => "restoring runs",
            _before => "restoring what runs refer to",
        };
        let (begin, number) = (Instant::now(), wave.steps.len());
        let workers = self.options.workers.get();
        let mut unanswered = 0;
        let ended = AtomicBool::new(false);
        let mut outcomes = futures::stream::iter(wave.steps)
            .take_while(|_step| std::future::ready(!ended.load(Ordering::Relaxed)))
            .map(|step| async move { (step, writer.write(step).await) })
            .buffer_unordered(workers)
            .enumerate();
        let mut released = pin!(self.released());
        let mut lost = None;
        loop {
            let next = tokio::select! {
                error = &mut released, if guarded && lost.is_none() => {
                    ended.store(true, Ordering::Relaxed);
                    lost = Some(error);
                    continue;
                }
                next = outcomes.next() => next,
            };
            let Some((done, (step, outcome))) = next else { break };
            if done % 50 == 0 {
                self.events.progress(phase, format!("{done} of {number}"));
            }
            let object = || step.stored.path.describe();
            if matches!(outcome, Written::Failed { .. }) && Defect::FirstRefusalEndsRestore.is_planted() {
                report.failed.push(Unrestored { object: object(), reason: "refused".to_owned() });
                return Ok(());
            }
            if !matches!(outcome, Written::Failed { refused: false, .. }) {
                unanswered = 0;
            }
            match outcome {
                Written::Created => {
                    report.created += 1;
                    written.insert(&*step.stored.entry.path);
                }
                Written::Completed => {
                    report.completed += 1;
                    written.insert(&*step.stored.entry.path);
                }
                Written::Unchanged => report.unchanged += 1,
                Written::Other { .. } if self.options.existing == Existing::Skip => {
                    report.skipped.push(object());
                }
                Written::Other { differences } => {
                    let reason = format!("it exists and differs in {}", differences.join(", "));
                    report.failed.push(Unrestored { object: object(), reason });
                }
                Written::Failed { reason, refused } => {
                    report.failed.push(Unrestored { object: object(), reason });
                    unanswered += usize::from(!refused);
                    // Each was tried for long already: the API server is gone, not one object in trouble.
                    if unanswered > 2 * workers {
                        self.api.revision(step.kind).await?;
                        unanswered = 0;
                    }
                }
            }
        }
        self.events.progress_done(phase, begin.elapsed());
        lost.map_or(Ok(()), Err)
    }

    /// Reads everything that was written again and compares it with the archive.
    async fn compare(
        &self,
        steps: &[Step<'_>],
        written: &HashSet<&str>,
        report: &mut RestoreReport,
    ) -> Result<(), RestoreError> {
        let new = |step: &&Step<'_>| written.contains(step.stored.entry.path.as_str());
        let mut rest: Vec<&Step<'_>> = steps.iter().filter(new).collect();
        if Defect::NothingCompared.is_planted() {
            return Ok(());
        }
        while let Some(kind) = rest.first().map(|step| step.kind) {
            let (of_kind, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|step| step.kind == kind);
            rest = others;
            let objects: Vec<&Stored> = of_kind.iter().map(|step| step.stored).collect();
            let found = live(self.api, kind, &objects).await?;
            for stored in objects {
                let reason = match found.get(&key(stored)).map(|live| deviations(kind, stored, live)) {
                    Some(fields) if fields.is_empty() => continue,
                    Some(fields) => format!("it is not as it was written: {} differ", fields.join(", ")),
                    None => "it vanished after it was written".to_owned(),
                };
                report.failed.push(Unrestored { object: stored.path.describe(), reason });
            }
        }
        Ok(())
    }
}
