//! Backups and restores that are killed.

use std::num::NonZeroU32;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams};
use tokio::process::{Child, Command};

use super::restoring::Came;
use crate::archive::{VerifyError, digest_path};
use crate::backup::defects::VARIABLE;
use crate::backup::{BackupOptions, Checked, RestoreOptions};
use crate::count::count;
use crate::engine::api::request;
use crate::engine::case::{CaseRun, Stop, chain};
use crate::scenario::fault::{Effect, Fault, Moment, Selector, VerbSelector};
use crate::scenario::step::{Backup, Restore};
use crate::yaml::Location;

/// How long a process that is not killed may take for its backup.
const BACKUP: Duration = Duration::from_secs(30);
/// The first moment at which a process is killed, as a share of the time that one takes; before that it only
/// reads.
const FIRST: f64 = 0.4;
/// The last one. Processes do not take equally long.
const LAST: f64 = 1.1;
/// More kills than the writes of any archive of a scenario: a restore that never comes to its end.
const ENDLESS: u32 = 500;
/// The lock of restores.
const LOCK: &str = "hallmark-restore";

impl CaseRun<'_> {
    /// Takes the same backup in processes of their own and kills each at another moment.
    pub(super) async fn kill_backups(
        &mut self,
        backup: &Backup,
        options: &BackupOptions,
        at: &Location,
    ) -> Result<(), Stop> {
        let claim = "a killed backup leaves nothing that verifies, or all of it";
        let older = self.archive(&backup.alias)?;
        let path = self.archive(&format!("{}-killed", backup.alias))?;
        let begin = Instant::now();
        let mut whole = self.backup_process(options, &path)?;
        let ended = tokio::time::timeout(BACKUP, whole.wait()).await;
        let usual = begin.elapsed();
        if !matches!(ended, Ok(Ok(status)) if status.success()) {
            return Err(Stop::Inconclusive(format!("a process that takes the backup: {ended:?}")));
        }
        let digest = self.whole(&path, claim, at).await?.ok_or_else(|| {
            self.refused(claim, "the archive", "a process that was not killed left none", at)
        })?;
        let mut cut = 0;
        for number in 0..backup.killed {
            forget(&path)?;
            let share = FIRST + (LAST - FIRST) * f64::from(number) / f64::from(backup.killed.max(2) - 1);
            let mut process = self.backup_process(options, &path)?;
            tokio::time::sleep(usual.mul_f64(share)).await;
            // It may have ended.
            let _ended = process.kill().await;
            match self.whole(&path, claim, at).await? {
                None => cut += 1,
                Some(found) if found == digest => {}
                Some(found) => {
                    let reason = format!("the content digest of what verifies is {found}, not {digest}");
                    return Err(self.refused(claim, "the archive", &reason, at));
                }
            }
        }
        if cut == 0 {
            return Err(Stop::Inconclusive("every process had ended before it was killed".to_owned()));
        }
        self.checked(&older)
            .await
            .map(drop)
            .map_err(|error| self.refused("older archives stay whole", "the archive", &chain(&error), at))
    }

    fn backup_process(&self, options: &BackupOptions, path: &Path) -> Result<Child, Stop> {
        let context = self.subjects()?;
        let mut command = Command::new(context.supervisor.path());
        command.arg("backup").arg(path).arg("--kubeconfig").arg(&context.kubeconfig_path);
        for namespace in &options.namespaces {
            command.arg("--namespace").arg(namespace);
        }
        for group in &options.groups {
            command.arg("--group").arg(group);
        }
        if let Some(defect) = self.run.engine_defect {
            command.env(VARIABLE, defect.name());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command.spawn().map_err(|error| Stop::Inconclusive(format!("start a process for a backup: {error}")))
    }

    /// The content digest of an archive; `None` if it is not there or not complete.
    async fn whole(&self, path: &Path, claim: &str, at: &Location) -> Result<Option<String>, Stop> {
        match self.checked(path).await {
            Ok(Checked { manifest, .. }) => Ok(Some(manifest.content_digest)),
            Err(VerifyError::NotPublished { .. } | VerifyError::Read { .. }) => Ok(None),
            Err(error) => Err(self.refused(claim, "the archive", &chain(&error), at)),
        }
    }

    /// Kills a restore right after one of its writes.
    pub(super) async fn kill_restore(
        &mut self,
        restore: &Restore,
        options: &RestoreOptions,
        write: NonZeroU32,
        at: &Location,
    ) -> Result<(), Stop> {
        match self.restore_until(restore, options, (Moment::After, write)).await? {
            None => {
                self.recovery.abandoned = true;
                Ok(())
            }
            Some(came) => {
                let claim = format!("restore {} is killed after write {write}", restore.archive);
                let reason = format!("before that it came to an end: {}", came.describe());
                Err(self.refused(&claim, "the restore", &reason, at))
            }
        }
    }

    /// Kills a restore after its first write, and whoever goes on after one write more, until all is done. Every
    /// second one gets the answer to its write and dies when it asks for the next.
    pub(super) async fn kill_restores(
        &mut self,
        restore: &Restore,
        options: &RestoreOptions,
        times: NonZeroU32,
        at: &Location,
    ) -> Result<Came, Stop> {
        for killed in 0..ENDLESS {
            let until = match killed % 2 {
                0 => (Moment::After, NonZeroU32::MIN),
                _ => (Moment::Before, NonZeroU32::MIN.saturating_add(1)),
            };
            if let Some(came) = self.restore_until(restore, options, until).await? {
                self.tell(format!("the restore was killed {}", count(killed, "time")));
                if killed >= times.get() {
                    return Ok(came);
                }
                let claim =
                    format!("restore {} makes at least {}", restore.archive, count(times.get(), "write"));
                let reason = format!("after {killed} it came to an end: {}", came.describe());
                return Err(self.refused(&claim, "the restore", &reason, at));
            }
            // Its owner is known to be dead, so nobody has to wait for the end of its time.
            let leases: Api<Lease> = Api::namespaced(self.client().clone(), &options.lock_namespace);
            let _absent = request(|| async { leases.delete(LOCK, &DeleteParams::default()).await }).await;
        }
        Err(self.refused("a restore comes to its end", "the restore", "it goes on writing", at))
    }

    /// A restore that is killed at a write; what it came to if it made fewer.
    async fn restore_until(
        &mut self,
        restore: &Restore,
        options: &RestoreOptions,
        (moment, write): (Moment, NonZeroU32),
    ) -> Result<Option<Came>, Stop> {
        let on = Selector { verb: VerbSelector::Write, resource: None, name: None };
        let effect = Effect::Kill(moment);
        self.recovery_proxy().arm(Fault { on, nth: write.get(), times: 1, effect, optional: true });
        let client = self.engine_client();
        let path = self.archive(&restore.archive)?;
        // Taken out while the restore runs, which needs the case, too.
        let Some(mut way) = self.recovery.way.take() else { return Ok(None) };
        let came = tokio::select! {
            came = self.attempt(client, &path, restore.profile, options) => Some(came),
            _killed = way.kills.recv() => None,
        };
        way.proxy.killed();
        way.proxy.disarm();
        self.recovery.way = Some(way);
        came.transpose()
    }
}

/// Removes an archive, as far as it is there.
fn forget(path: &Path) -> Result<(), Stop> {
    for file in [path.to_owned(), digest_path(path)] {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Stop::Inconclusive(format!("remove {}: {error}", file.display())));
            }
            _gone => {}
        }
    }
    Ok(())
}
