//! Which function performs which step, and whether an object may be refused.

use regex::Regex;

use super::case::{CaseRun, Stop};
use crate::scenario::step::{Action, Manifest, Step};
use crate::subject::{Subject, SubjectError};
use crate::yaml::Location;

impl CaseRun<'_> {
    /// Performs one step of a case.
    pub(super) async fn act(&mut self, step: &Step) -> Result<(), Stop> {
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
            Action::Patch { target, merge, status, refused } => {
                let answer = self.patch(target, merge, *status, at).await?;
                self.accepted_or_refused(answer, refused.as_ref(), step, "the object")
            }
            Action::Delete { target, propagation } => self.delete(target, *propagation, at).await,
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
            Action::Restart { .. } | Action::Kill if self.subject.is_none() && self.place.is_some() => {
                self.install().await
            }
            Action::Restart { within, ready } => {
                self.disturb(at, async |subject| {
                    if let Some(within) = within {
                        subject.end_within(*within).await?;
                    }
                    if *ready { subject.restart(None).await } else { subject.restart_unready().await }
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
            Action::Fault { of, fault } => self.arm(*of, fault),
            Action::Churn { manifests, every } => self.churn(manifests, *every),
            Action::Watches(fault) => self.disturb_watches(fault),
            Action::Calm => self.disarm().await,
            Action::Upgrade { values } => {
                self.disturb(at, async |subject| subject.restart(Some(values.clone())).await).await
            }
            Action::Rollback => self.disturb(at, async |subject| subject.roll_back().await).await,
            Action::Backup(backup) => Box::pin(self.back_up(backup, at)).await,
            Action::Damage { archive, how } => self.damage(archive, how),
            Action::Verify(verify) => self.verify(verify, at).await,
            Action::Lose => self.lose(at).await,
            Action::Restore(restore) => Box::pin(self.restore(restore, at)).await,
            Action::LoseCluster => self.lose_cluster(at).await,
            Action::CopyDatastore { alias } => Box::pin(self.copy_datastore(alias)).await,
            Action::PutDatastoreBack { copy } => Box::pin(self.put_datastore_back(copy)).await,
            Action::DumpDatabase { alias } => self.dump_database(alias).await,
            Action::PutDatabaseBack { dump } => self.put_database_back(dump).await,
            Action::LoseDatabase => self.lose_database().await,
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
        let answer = self.create(manifest).await?;
        self.accepted_or_refused(answer, refused, step, &manifest.alias)
    }

    /// Whether the API server's answer, an error text if it refuses, is the one that a step expects.
    fn accepted_or_refused(
        &self,
        answer: Result<(), String>,
        refused: Option<&Regex>,
        step: &Step,
        object: &str,
    ) -> Result<(), Stop> {
        let at = &step.location;
        match (answer, refused) {
            (Ok(()), None) => Ok(()),
            (Err(message), Some(pattern)) if pattern.is_match(&message) => Ok(()),
            (Err(message), _) => Err(self.refused(&step.summary, object, &message, at)),
            (Ok(()), Some(pattern)) => Err(self.refused(
                &format!("{} is refused with a message like `{pattern}`", step.summary),
                object,
                "the API server accepted it",
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
}
