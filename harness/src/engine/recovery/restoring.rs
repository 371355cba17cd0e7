//! Restores, and what they must come to.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use kube::Client;

use super::{PATIENCE, changes_sent};
use crate::backup::defects::planting;
use crate::backup::{
    self, Existing, LeaderGuard, Outcome, Profile, RestoreError, RestoreOptions, RestoreReport,
};
use crate::count::count;
use crate::engine::case::{CaseRun, Stop, chain};
use crate::event::EventSink;
use crate::record::Observation;
use crate::scenario::document::SubjectMode;
use crate::scenario::step::{Restore, RestoreEnd};
use crate::yaml::Location;

/// How long the lock of a killed restore is held.
const LOCK: Duration = Duration::from_secs(2);
/// How long such a lock is waited for.
const ABANDONED: Duration = Duration::from_secs(6);
/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the API server may take to serve a definition.
const ESTABLISHED: Duration = Duration::from_secs(10);

/// What a restore came to.
#[derive(Debug)]
pub(super) enum Came {
    /// It ended, and tells what it did.
    Ended(Box<RestoreReport>),
    /// It was refused before the first write.
    Refused(String),
    /// Another one was running.
    Locked(String),
    /// It did not go on.
    Stopped(String),
}

impl Came {
    /// In words for people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Ended(report) => {
                let RestoreReport { created, completed, unchanged, skipped, failed, .. } = report.as_ref();
                let failed: Vec<String> =
                    failed.iter().map(|failed| format!("{}: {}", failed.object, failed.reason)).collect();
                let all = format!("{created} created, {completed} completed, {unchanged} unchanged");
                format!("{all}, {} skipped, failed: [{}]", skipped.len(), failed.join("; "))
            }
            Self::Refused(reason) => format!("refused: {reason}"),
            Self::Locked(reason) | Self::Stopped(reason) => reason.clone(),
        }
    }
}

impl CaseRun<'_> {
    /// Restores an archive, or proves that this is refused, or that it ends as it must.
    pub(in crate::engine) async fn restore(&mut self, restore: &Restore, at: &Location) -> Result<(), Stop> {
        let options = self.restore_options(restore);
        let (before, seen) = (self.engine_changes(), self.record.snapshot().len());
        let came = match &restore.ends {
            RestoreEnd::Killed(write) => {
                let killed = Box::pin(self.kill_restore(restore, &options, *write, at)).await;
                self.mark_restored(seen).await?;
                return killed;
            }
            RestoreEnd::KilledOften(times) => {
                Box::pin(self.kill_restores(restore, &options, *times, at)).await?
            }
            RestoreEnd::Outlives(write) => {
                let Some(came) = Box::pin(self.outlive(restore, options, *write)).await? else {
                    let claim =
                        format!("restore {} makes at least {}", restore.archive, count(write.get(), "write"));
                    return Err(self.refused(&claim, "the restore", "it came to an end before", at));
                };
                came
            }
            _ if restore.rivals > 0 => Box::pin(self.rivals(restore, &options, at)).await?,
            _ => self.undisputed(restore, &options).await?,
        };
        self.mark_restored(seen).await?;
        let changes = self.engine_changes() - before;
        let described = came.describe();
        self.tell(format!("{}: {described}", restore.archive));
        match fulfilled(restore, &came, changes) {
            Ok(()) => Ok(()),
            Err(claim) => {
                let claim = format!("restore {}: {claim}", restore.archive);
                let reason = format!("{described}; {}", changes_sent(changes));
                Err(self.refused(&claim, "the restore", &reason, at))
            }
        }
    }

    /// Records which versions came while a restore went on, or with a datastore that was put back, from entry `seen` to what is there now: the
    /// objects are judged from what the restore left.
    pub(super) async fn mark_restored(&mut self, seen: usize) -> Result<(), Stop> {
        self.catch_up().await?;
        let history = self.record.snapshot();
        for entry in history.iter().skip(seen) {
            if let Observation::Object(version) = &entry.observation {
                self.record.append(Observation::Written {
                    uid: version.uid.clone(),
                    resource_version: version.resource_version,
                    restored: true,
                });
            }
        }
        Ok(())
    }

    fn restore_options(&self, restore: &Restore) -> RestoreOptions {
        let namespace = self.namespace.clone();
        let implementation = self.run.subjects.as_ref().map(|subjects| &subjects.implementation);
        let lease = implementation.and_then(|it| it.settings.leader_lease.as_ref());
        // Who takes the hold for seen has asked the controller itself.
        let (name, seen) = (Some(namespace.clone()), Duration::ZERO);
        let mut guard = LeaderGuard { namespace: name, seen, ..LeaderGuard::default() };
        if let Some(lease) = lease {
            guard.lease.clone_from(&lease.name);
        }
        let careful = restore.profile.is_careful();
        let nobody = self.placed.case.subject == SubjectMode::None;
        guard.assume_none = !careful || nobody || restore.assume_no_controller;
        let default = RestoreOptions::default();
        let leaves_lock = matches!(restore.ends, RestoreEnd::Killed(_));
        let counted = matches!(restore.ends, RestoreEnd::KilledOften(_) | RestoreEnd::Outlives(_));
        RestoreOptions {
            existing: if restore.skip_existing || !careful { Existing::Skip } else { Existing::Refuse },
            // One write after the other: then it is known what was done before one of them. Other tools
            // write so, too.
            workers: if leaves_lock || counted || !careful { NonZeroUsize::MIN } else { default.workers },
            dry_run: matches!(restore.ends, RestoreEnd::Tried),
            definitions: !restore.without_definitions,
            allow_missing_secrets: restore.without_secrets,
            guard,
            lock_namespace: namespace,
            // A busy machine must not lose the lock of a restore that goes on.
            lock_duration: if leaves_lock { LOCK } else { default.lock_duration },
            established: ESTABLISHED,
            patience: PATIENCE,
            ..default
        }
    }

    /// One restore, after the lock of a killed one has come to its end.
    async fn undisputed(&mut self, restore: &Restore, options: &RestoreOptions) -> Result<Came, Stop> {
        let (client, path) = (self.engine_client(), self.archive(&restore.archive)?);
        let deadline = tokio::time::Instant::now() + ABANDONED;
        loop {
            let came = Box::pin(self.attempt(client.clone(), &path, restore.profile, options)).await?;
            let waits = self.recovery.abandoned && tokio::time::Instant::now() < deadline;
            if !(waits && matches!(came, Came::Locked(_))) {
                self.recovery.abandoned = false;
                return Ok(came);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Several restores at the same time; what the one came to that was not kept away.
    async fn rivals(
        &mut self,
        restore: &Restore,
        options: &RestoreOptions,
        at: &Location,
    ) -> Result<Came, Stop> {
        let (client, path) = (self.engine_client(), self.archive(&restore.archive)?);
        let all = (0..=restore.rivals).map(|_| self.attempt(client.clone(), &path, restore.profile, options));
        let mut came = join_all(all).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        came.sort_by_key(|came| matches!(came, Came::Locked(_)));
        let locked = came.iter().filter(|came| matches!(came, Came::Locked(_))).count();
        let described: Vec<String> = came.iter().map(Came::describe).collect();
        match came.into_iter().next() {
            Some(first) if locked == restore.rivals as usize => Ok(first),
            _ => {
                let (rivals, all) = (restore.rivals, described.len());
                let claim = format!("{rivals} of {all} restores are kept away by another one");
                Err(self.refused(&claim, "the restores", &described.join(" | "), at))
            }
        }
    }

    /// Restores as the command does it: what is damaged never gets as far as the cluster.
    pub(super) async fn attempt(
        &self,
        client: Client,
        path: &Path,
        profile: Profile,
        options: &RestoreOptions,
    ) -> Result<Came, Stop> {
        let checked = match self.checked(path).await {
            Ok(checked) => profile.played(checked),
            Err(error) => return Ok(Came::Refused(chain(&error))),
        };
        let events = EventSink::silent();
        let restoring = backup::restore(client, &checked, options, &events);
        Ok(match Box::pin(planting(self.run.engine_defect, restoring)).await {
            Ok(report) => Came::Ended(Box::new(report)),
            Err(RestoreError::Refused(findings)) => {
                Came::Refused(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
            Err(error @ RestoreError::Locked { .. }) => Came::Locked(error.to_string()),
            Err(RestoreError::Api(error)) if !error.is_refusal() => {
                return Err(Stop::Inconclusive(chain(&error)));
            }
            Err(error) => Came::Stopped(chain(&error)),
        })
    }
}

/// Whether a restore came to what its step expects; else the claim that does not hold.
fn fulfilled(restore: &Restore, came: &Came, changes: u64) -> Result<(), String> {
    let holds = |holds: bool, claim: String| if holds { Ok(()) } else { Err(claim) };
    match (&restore.ends, came) {
        (RestoreEnd::Unchanged, Came::Ended(report)) => {
            let nothing = report.created + report.completed == 0 && report.outcome == Outcome::Completed;
            holds(nothing && changes == 0, "everything is there, and nothing is written".to_owned())
        }
        (RestoreEnd::Tried, Came::Ended(report)) => {
            let all = report.created > 0 && report.outcome == Outcome::Completed;
            holds(all && changes == 0, "everything can be restored, and nothing is written".to_owned())
        }
        (RestoreEnd::Refused(pattern), came) => {
            let refused = matches!(came, Came::Refused(reason) if pattern.is_match(reason));
            let claim = format!("it is refused before the first write, with a message like `{pattern}`");
            holds(refused && changes == 0, claim)
        }
        (RestoreEnd::Partial(pattern), came) => {
            let partial = matches!(came, Came::Ended(report) if report.outcome == Outcome::PartiallyFailed);
            let claim = format!("only a part is restored, and the rest is named like `{pattern}`");
            holds(partial && pattern.is_match(&came.describe()), claim)
        }
        (_, Came::Ended(report)) if restore.skip_existing => {
            let skipped = report.outcome == Outcome::CompletedWithSkips;
            holds(skipped, "everything is restored but objects whose names are taken".to_owned())
        }
        (_, Came::Ended(report)) => {
            holds(report.outcome == Outcome::Completed, "everything is restored".to_owned())
        }
        _ => Err("everything is restored".to_owned()),
    }
}
