//! From a verified archive to a cluster.
//!
//! Nothing is written before everything was looked at, and only one restore writes at a time. Doing it again
//! is always safe: what is there is unchanged, what an interrupted restore left without status gets it, and
//! everything else that has a name of the archive is a conflict.

mod error;
mod guard;
mod judge;
mod lock;
mod order;
mod preflight;
mod report;
mod stages;
mod target;
mod write;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use kube::Client;

pub use self::error::{Finding, RestoreError, Unrestored};
pub(in crate::backup) use self::guard::HOLD;
pub use self::guard::LeaderGuard;
use self::judge::Action;
use self::lock::LockSettings;
pub(in crate::backup) use self::lock::lease;
pub use self::report::{Outcome, RestoreReport};
use self::stages::Stages;
use self::target::Target;
use super::api::ObjectApi;
use super::defects::Defect;
use super::kind::Role;
use super::patience::Patience;
use super::phase::is_terminal;
use super::verify::Checked;
use crate::event::EventSink;

/// How to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// What happens to archived objects whose names are taken by others.
    pub existing: Existing,
    /// How many objects are tried at the same time, before the first one is written.
    pub trials: NonZeroUsize,
    /// How many objects are written at the same time.
    pub workers: NonZeroUsize,
    /// Look at everything, write nothing.
    pub dry_run: bool,
    /// Restore definitions that the target lacks; else they must be there.
    pub definitions: bool,
    /// Restore although Secrets are missing that objects refer to.
    pub allow_missing_secrets: bool,
    /// How a running controller is found and held.
    pub guard: LeaderGuard,
    /// Namespace of the lock: the same for all restores into a cluster.
    pub lock_namespace: String,
    /// How long the lock outlives a restore that was killed.
    pub lock_duration: Duration,
    /// How long the API server may take to serve a definition.
    pub established: Duration,
    /// How long trouble of the API server is borne.
    pub patience: Patience,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            existing: Existing::default(),
            trials: NonZeroUsize::MIN.saturating_add(7),
            workers: NonZeroUsize::MIN.saturating_add(7),
            dry_run: false,
            definitions: true,
            allow_missing_secrets: false,
            guard: LeaderGuard::default(),
            lock_namespace: "default".to_owned(),
            lock_duration: Duration::from_secs(15),
            established: Duration::from_mins(1),
            patience: Patience::default(),
        }
    }
}

/// What happens to archived objects whose names are taken by others. Equal objects are neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Nothing is restored at all.
    #[default]
    Refuse,
    /// They are left out; the live objects stay.
    Skip,
}

/// Restores an archive. That it was verified is in its type.
pub async fn restore(
    client: Client,
    checked: &Checked,
    options: &RestoreOptions,
    events: &EventSink,
) -> Result<RestoreReport, RestoreError> {
    let begin = Instant::now();
    let api = ObjectApi::new(client, options.patience);
    let settings = LockSettings { namespace: &options.lock_namespace, duration: options.lock_duration };
    lock::check(&api, settings).await?;
    events.progress("looking at the target", "");
    let mut target = target::look(&api, checked, options.definitions).await?;
    events.progress_done("looking at the target", begin.elapsed());
    preflight::check(&api, checked, options, &mut target, events).await?;
    if !target.findings.is_empty() {
        return Err(RestoreError::Refused(target.findings));
    }
    let mut report = RestoreReport::new(&checked.sha256, options.dry_run);
    describe(checked, &target, &mut report);
    report.took("preflight", begin);
    let writes = |action: &Action| matches!(action, Action::Create | Action::WriteStatus(_));
    let only_looks = options.dry_run && !Defect::DryRunWrites.is_planted();
    if only_looks || !target.steps.iter().any(|step| writes(&step.action)) {
        plan(&target, &mut report);
        return Ok(report.judged());
    }
    let mut lock = lock::acquire(&api, settings).await?;
    let stages = Stages { api: &api, options, events };
    let restored = async {
        let mut target = look_again(&api, checked, options, &target).await?;
        stages.run(&mut target, report).await
    };
    let outcome = tokio::select! {
        lost = lock.keep(settings) => return Err(lost),
        outcome = restored => outcome,
    };
    lock.release().await;
    outcome.map(RestoreReport::judged)
}

/// The target under the lock: another restore may have ended after the first look.
async fn look_again<'a>(
    api: &ObjectApi,
    checked: &'a Checked,
    options: &RestoreOptions,
    before: &Target<'_>,
) -> Result<Target<'a>, RestoreError> {
    let mut target = target::look(api, checked, options.definitions).await?;
    target.findings.extend(preflight::conflicts(&target.steps, options.existing));
    if !target.findings.is_empty() {
        return Err(RestoreError::Refused(target.findings));
    }
    // Objects whose definition came in between have not been tried yet.
    target.served.retain(|resource| before.served.contains(resource));
    Ok(target)
}

/// What is known before anything is written.
fn describe(checked: &Checked, target: &Target<'_>, report: &mut RestoreReport) {
    report.warnings.extend(checked.warnings.iter().map(ToString::to_string));
    report.warnings.extend(target.unchecked.iter().cloned());
    for step in &target.steps {
        if let Action::Keep { differences } = &step.action {
            let object = step.stored.path.describe();
            report
                .warnings
                .push(format!("{object} stays as it is; it differs in {}", differences.join(", ")));
        }
        let phase = step.stored.entry.phase.as_deref().unwrap_or("none");
        if step.kind.role == Role::Run && !is_terminal(phase) {
            *report.undecided.entry(phase.to_owned()).or_default() += 1;
        }
    }
}

/// Counts what would be done.
fn plan(target: &Target<'_>, report: &mut RestoreReport) {
    for step in &target.steps {
        match step.action {
            Action::Create => report.created += 1,
            Action::WriteStatus(_) => report.completed += 1,
            Action::Unchanged | Action::Keep { .. } => report.unchanged += 1,
            Action::Conflict { .. } | Action::Terminating => report.skipped.push(step.stored.path.describe()),
        }
    }
}
