//! One case: its namespace, its steps, its verdict.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ApiResource, PostParams};
use regex::Regex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::api::{RequestError, request};
use super::cleanup::RUN_LABEL;
use super::kinds::Kinds;
use super::plan::PlacedCase;
use super::play::Players;
use super::played;
use super::pulse::Pulse;
use super::renderings::Renderings;
use crate::check::{Failure, trail};
use crate::event::{EventSink, Verdict};
use crate::record::{Observation, Record};
use crate::scenario::assertion::{Assertion, Bindings, BoundObject};
use crate::scenario::document::SubjectMode;
use crate::scenario::step::{Action, Manifest, Render, Step};
use crate::scenario::suite::Fence;
use crate::subject::{ReleaseSpec, Subject, SubjectContext, SubjectError};
use crate::yaml::{Location, Node};

/// What all cases of a run have in common.
pub(super) struct RunContext {
    pub(super) run_id: String,
    pub(super) subjects: SubjectContext,
    pub(super) kinds: Kinds,
    pub(super) renderings: Arc<Renderings>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) fence: Option<Fence>,
    pub(super) events: EventSink,
    pub(super) cancel: CancellationToken,
    pub(super) bless: bool,
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
    pub(super) bindings: Bindings,
    /// Where the window of `eventually` begins: the entry before the last action.
    pub(super) window: u64,
    pub(super) fences: usize,
    pub(super) sentinel: Option<BoundObject>,
    /// Whoever plays Jobs in the background.
    pub(super) players: Players,
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
            bindings,
            window: 0,
            fences: 0,
            sentinel: None,
            players: Players::default(),
        }
    }

    /// Performs all steps and judges the whole history; never longer than the case's deadline.
    pub(super) async fn judge(&mut self) -> Verdict {
        let limit = self.placed.case.timeout;
        let outcome = match tokio::time::timeout(limit, self.perform()).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(Stop::Inconclusive(format!(
                "the case did not end within its deadline of {} s",
                limit.as_secs()
            ))),
        };
        match (outcome, self.crash()) {
            // A crash explains everything else that went wrong.
            (_, Some(failure)) | (Err(Stop::Failed(failure)), None) => Verdict::Failed(failure),
            (Ok(()), None) => Verdict::Passed,
            (Err(Stop::Inconclusive(reason)), None) => Verdict::Inconclusive { reason },
        }
    }

    async fn perform(&mut self) -> Result<(), Stop> {
        let case = &self.placed.case;
        if case.needs_namespace() {
            self.create_namespace().await?;
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
        if let Some(first) = case.expect.first() {
            self.fence(&first.location).await?;
        }
        for (index, step) in case.expect.iter().enumerate() {
            self.step(case.steps.len() + index, step).await?;
        }
        self.players.trouble().map_or(Ok(()), |reason| Err(Stop::Inconclusive(reason)))
    }

    async fn step(&mut self, index: usize, step: &Step) -> Result<(), Stop> {
        if !step.action.is_assertion() {
            self.window = self.record.snapshot().len() as u64;
        }
        self.record.append(Observation::StepStarted { index, summary: step.summary.clone() });
        let outcome = self.act(step).await;
        self.record.append(Observation::StepFinished { index, ok: outcome.is_ok() });
        outcome
    }

    async fn act(&mut self, step: &Step) -> Result<(), Stop> {
        let at = &step.location;
        match &step.action {
            Action::Create { manifests, refused } => {
                for manifest in manifests {
                    self.create_or_be_refused(manifest, refused.as_ref(), step).await?;
                }
                Ok(())
            }
            Action::Apply { manifest, field_manager, force } => {
                self.apply(manifest, field_manager, *force, at).await
            }
            Action::Patch { target, merge, status } => self.patch(target, merge, *status, at).await,
            Action::Delete { target } => self.delete(target, at).await,
            Action::Finish(finish) => self.finish(finish, at).await,
            Action::Play { finish, after } => {
                self.play(finish, *after);
                Ok(())
            }
            Action::Http(http) => self.http(http, at).await,
            Action::Wait(duration) => {
                tokio::time::sleep(*duration).await;
                Ok(())
            }
            Action::Restart { within: None } => {
                self.disturb(at, async |subject| subject.restart(None).await).await
            }
            Action::Restart { within: Some(within) } => {
                self.disturb(at, async |subject| {
                    subject.end_within(*within).await?;
                    subject.restart(None).await
                })
                .await
            }
            Action::Kill => {
                self.disturb(at, async |subject| {
                    subject.kill().await?;
                    subject.start_again().await
                })
                .await
            }
            Action::KillLeader => self.disturb(at, async |subject| subject.kill_leader().await).await,
            Action::Upgrade { values } => {
                self.disturb(at, async |subject| subject.restart(Some(values.clone())).await).await
            }
            Action::Rollback => self.disturb(at, async |subject| subject.roll_back().await).await,
            Action::Render(render) => self.render(render, at).await,
            Action::Fence => self.fence(at).await,
            Action::Assert(assertion) => self.assert(assertion).await,
        }
    }

    /// Creates an object, or proves that the API server refuses it.
    async fn create_or_be_refused(
        &mut self,
        manifest: &Manifest,
        refused: Option<&Regex>,
        step: &Step,
    ) -> Result<(), Stop> {
        let at = &step.location;
        match (self.create(manifest).await?, refused) {
            (Ok(()), None) => Ok(()),
            (Err(message), Some(pattern)) if pattern.is_match(&message) => Ok(()),
            (Err(message), _) => Err(self.refused(&step.summary, &manifest.alias, &message, at)),
            (Ok(()), Some(pattern)) => Err(self.refused(
                &format!("{} is refused with a message like `{pattern}`", step.summary),
                &manifest.alias,
                "the API server accepted the object",
                at,
            )),
        }
    }

    async fn disturb(
        &self,
        at: &Location,
        act: impl AsyncFnOnce(&Subject) -> Result<(), SubjectError>,
    ) -> Result<(), Stop> {
        let Some(subject) = &self.subject else {
            return Err(Stop::Inconclusive("the case has no subject to disturb".to_owned()));
        };
        act(subject).await.map_err(|error| self.subject_trouble(&error, at))
    }

    async fn render(&mut self, render: &Render, at: &Location) -> Result<(), Stop> {
        let SubjectContext { helm, implementation, .. } = &self.run.subjects;
        let renderings = &self.run.renderings;
        let rendered = renderings.of(helm, implementation, &render.values, &render.value_files).await;
        match (rendered.as_ref(), &render.fails) {
            (Ok(objects), None) => {
                self.bindings.rendered.insert(render.alias.clone(), objects.clone());
                Ok(())
            }
            (Err(error), pattern) if error.is_chart_fault() => {
                let message = error.message().map_or_else(|| error.to_string(), ToOwned::to_owned);
                match pattern {
                    Some(pattern) if pattern.is_match(&message) => Ok(()),
                    Some(pattern) => Err(self.refused(
                        &format!("rendering fails with a message like `{pattern}`"),
                        "the chart",
                        &message,
                        at,
                    )),
                    None => Err(self.refused("the chart renders", "the chart", &message, at)),
                }
            }
            (Err(error), _) => Err(Stop::Inconclusive(chain(error))),
            (Ok(_), Some(pattern)) => Err(self.refused(
                &format!("rendering fails with a message like `{pattern}`"),
                "the chart",
                "the chart rendered",
                at,
            )),
        }
    }

    async fn create_namespace(&self) -> Result<(), Stop> {
        let api: Api<Namespace> = Api::all(self.client().clone());
        let mut labels = json!({RUN_LABEL: self.run.run_id});
        if !self.placed.case.requires_node()
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
    async fn install(&mut self) -> Result<(), Stop> {
        let record = self.record.clone();
        let release = ReleaseSpec {
            namespace: self.namespace.clone(),
            watched: Vec::new(),
            values: self.placed.case.values.clone(),
            shared: false,
        };
        let log = Arc::new(move |observation: Observation| record.append(observation));
        let at = self.beginning();
        match Subject::start(&self.run.subjects, release, log).await {
            Ok(subject) => {
                self.subject = Some(Arc::new(subject));
                Ok(())
            }
            Err(error) => Err(self.subject_trouble(&error, &at)),
        }
    }

    /// A verdict from an error of the subject: its own faults are failures.
    pub(super) fn subject_trouble(&self, error: &SubjectError, at: &Location) -> Stop {
        if error.is_subject_fault() {
            self.refused(
                "the subject installs, starts, becomes ready and ends when it is asked to",
                "the subject",
                &error.to_string(),
                at,
            )
        } else {
            Stop::Inconclusive(chain(error))
        }
    }

    /// A failure that is no judgement on the record.
    pub(super) fn refused(&self, claim: &str, object: &str, reason: &str, at: &Location) -> Stop {
        let history = self.record.snapshot();
        Stop::Failed(Box::new(Failure::refused(
            claim.to_owned(),
            object.to_owned(),
            reason.to_owned(),
            at,
            trail(&history),
        )))
    }

    /// The verdict of a case whose shared subject could not be started, by the subject's own fault.
    pub(super) fn never_started(&self, reason: &str) -> Verdict {
        let at = self.beginning();
        match self.refused(
            "the subject installs, starts, becomes ready and ends when it is asked to",
            "the subject",
            reason,
            &at,
        ) {
            Stop::Failed(failure) => Verdict::Failed(failure),
            Stop::Inconclusive(reason) => Verdict::Inconclusive { reason },
        }
    }

    /// Stops the subject that only this case used.
    pub(super) async fn dismiss(&mut self) {
        if self.placed.case.subject == SubjectMode::Dedicated
            && let Some(subject) = self.subject.take()
            && let Err(error) = subject.stop().await
        {
            tracing::debug!(namespace = %self.namespace, error = %chain(&error), "subject not stopped");
        }
    }

    /// The subject ended although nobody asked for it.
    fn crash(&self) -> Option<Box<Failure>> {
        let exit = self.subject.as_ref()?.crashed()?;
        let at = self.beginning();
        match self.refused("the subject keeps running", "the subject", &exit.what, &at) {
            Stop::Failed(failure) => Some(failure),
            Stop::Inconclusive(_) => None,
        }
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

    /// The bindings with the newest recorded version of every object.
    pub(super) fn fresh_bindings(&self) -> Bindings {
        let mut bindings = self.bindings.clone();
        let history = self.record.snapshot();
        for object in bindings.objects.values_mut() {
            let newest = history.iter().rev().find_map(|entry| match &entry.observation {
                Observation::Object(version) if version.uid == object.uid => Some(&version.object),
                _ => None,
            });
            if let Some(newest) = newest {
                object.latest = Arc::clone(newest);
            }
        }
        bindings
    }

    /// Puts the names of the running scenario into a tree.
    pub(super) fn expand(&self, node: &Node) -> Result<Node, Stop> {
        let mut problems = Vec::new();
        let expanded = self.expand_with(node, &mut problems);
        match problems.first() {
            None => Ok(expanded),
            Some(problem) => Err(Stop::Inconclusive(format!("{problem}"))),
        }
    }

    /// Puts the names of the running scenario into what an assertion expects.
    pub(super) fn expand_assertion(&self, assertion: &Assertion) -> Result<Assertion, Stop> {
        let mut assertion = assertion.clone();
        for claim in assertion.operator.claims_mut() {
            if let Some(matches) = &claim.condition.matches {
                claim.condition.matches = Some(self.expand(matches)?);
            }
            if let Some(golden) = &mut claim.condition.golden {
                golden.template = self.expand(&golden.template)?;
            }
        }
        Ok(assertion)
    }

    pub(super) fn client(&self) -> &Client {
        &self.run.subjects.client
    }

    pub(super) fn resource(&self, api_version: &str, kind: &str) -> Result<&ApiResource, Stop> {
        self.run.kinds.get(api_version, kind).ok_or_else(|| {
            Stop::Inconclusive(format!("{kind} ({api_version}) was not looked up before the run"))
        })
    }
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
