//! Backups, and what is claimed of archives.

use std::path::Path;
use std::time::Duration;

use super::{PATIENCE, changes_sent};
use crate::archive::VerifyError;
use crate::backup::defects::planting;
use crate::backup::{self, BackupError, BackupOptions, Checked, Limits};
use crate::check::Judgement;
use crate::check::matching::Pattern;
use crate::count::count;
use crate::engine::case::{CaseRun, Stop, chain};
use crate::engine::wait::Wait;
use crate::event::EventSink;
use crate::scenario::step::{Backup, Verify};
use crate::yaml::Location;

/// How long the watches may lag behind an archive.
const CAUGHT_UP: Duration = Duration::from_secs(3);

impl CaseRun<'_> {
    /// Archives the namespace, without a write; the content is that of an earlier archive if one is named.
    pub(in crate::engine) async fn back_up(&mut self, backup: &Backup, at: &Location) -> Result<(), Stop> {
        let alias = &backup.alias;
        let path = self.archive(alias)?;
        let options = self.backup_options(backup)?;
        let before = self.engine_changes();
        let client = self.engine_client();
        let events = EventSink::silent();
        let taking = backup::take(client, &options, &path, &events);
        let taken = match planting(self.run.engine_defect, taking).await {
            Ok(taken) => taken,
            Err(BackupError::Api(error)) if !error.is_refusal() => {
                return Err(Stop::Inconclusive(chain(&error)));
            }
            Err(error) => {
                return Err(self.refused(&format!("back up as {alias}"), "the archive", &chain(&error), at));
            }
        };
        let written = self.engine_changes() - before;
        if written > 0 {
            let reason = changes_sent(written);
            return Err(self.refused("a backup writes nothing", "the cluster", &reason, at));
        }
        let digest = taken.manifest.content_digest;
        self.tell(format!("{alias} holds {}", count(taken.manifest.entries.len(), "object")));
        let earlier = backup.equals.as_ref();
        let earlier = earlier.and_then(|earlier| self.recovery.digests.get(earlier).map(|it| (earlier, it)));
        if let Some((earlier, expected)) = earlier.filter(|(_, expected)| **expected != digest) {
            let claim = format!("{alias} has the content of {earlier}");
            let reason = format!("its content digest is {digest}, not {expected}");
            return Err(self.refused(&claim, "the archive", &reason, at));
        }
        self.recovery.digests.insert(alias.clone(), digest);
        if backup.killed > 0 { self.kill_backups(backup, &options, at).await } else { Ok(()) }
    }

    fn backup_options(&self, backup: &Backup) -> Result<BackupOptions, Stop> {
        let groups = match &backup.groups {
            None => self.groups(),
            Some(groups) => serde_json::from_value(self.expand(groups)?.to_json())
                .map_err(|error| Stop::Inconclusive(format!("`groups` is no list of names: {error}")))?,
        };
        let default = BackupOptions::default();
        Ok(BackupOptions {
            groups,
            namespaces: vec![self.namespace.clone()],
            page: backup.page.unwrap_or(default.page),
            patience: PATIENCE,
            ..default
        })
    }

    /// Verifies an archive, or proves that it is refused.
    pub(in crate::engine) async fn verify(&mut self, verify: &Verify, at: &Location) -> Result<(), Stop> {
        let alias = &verify.archive;
        let path = self.archive(alias)?;
        let outcome = self.checked(&path).await;
        let claim = format!("verify {alias}");
        let checked = match outcome {
            Ok(checked) if verify.fails.is_none() => checked,
            outcome => {
                let outcome = outcome.map(drop).map_err(|error| chain(&error));
                return self.expected(outcome, verify.fails.as_ref(), &claim, at);
            }
        };
        let objections =
            [self.unlike(verify, &checked)?, without_warning(verify, &checked), holding(verify, &path)?];
        if let Some(reason) = objections.into_iter().flatten().next() {
            return Err(self.refused(&claim, "the archive", &reason, at));
        }
        if verify.as_recorded { self.as_recorded(alias, &checked, at).await } else { Ok(()) }
    }

    pub(super) async fn checked(&self, path: &Path) -> Result<Checked, VerifyError> {
        planting(self.run.engine_defect, async { backup::verify(path, Limits::default()) }).await
    }

    /// The first part of the manifest that is not as claimed.
    fn unlike(&self, verify: &Verify, checked: &Checked) -> Result<Option<String>, Stop> {
        let Some(matches) = &verify.matches else { return Ok(None) };
        let inconclusive = |error: String| Stop::Inconclusive(format!("the manifest: {error}"));
        let pattern = Pattern::compile(&self.expand(matches)?)
            .map_err(|problem| inconclusive(format!("{problem:?}")))?;
        let manifest =
            serde_json::to_value(&checked.manifest).map_err(|error| inconclusive(error.to_string()))?;
        if pattern.matches(&manifest).map_err(inconclusive)? {
            return Ok(None);
        }
        Ok(pattern.mismatches(&manifest).first().map(|mismatch| {
            format!(
                "{} of the manifest: expected {}, is {}",
                mismatch.path, mismatch.expected, mismatch.actual
            )
        }))
    }

    async fn as_recorded(&self, alias: &str, checked: &Checked, at: &Location) -> Result<(), Stop> {
        let kinds = self.run.kinds.namespaced_in(&self.groups());
        let mut difference = None;
        let judged = self
            .wait_for(Wait::Own(CAUGHT_UP), |history| {
                difference = super::recorded::difference(checked, &kinds, history, self.first_revision());
                if difference.is_none() { Judgement::Holds } else { Judgement::NotYet }
            })
            .await?;
        match (judged, difference) {
            (Judgement::Holds, _) | (_, None) => Ok(()),
            (_, Some(difference)) => {
                let claim = format!("{alias} holds what the watches delivered up to its revision");
                Err(self.refused(&claim, "the archive", &difference, at))
            }
        }
    }
}

fn without_warning(verify: &Verify, checked: &Checked) -> Option<String> {
    let pattern = verify.warns.as_ref()?;
    let warnings: Vec<String> = checked.warnings.iter().map(ToString::to_string).collect();
    let found = warnings.iter().any(|warning| pattern.is_match(warning));
    (!found).then(|| format!("no warning like `{pattern}` but [{}]", warnings.join("; ")))
}

/// The first text that must not stand in an archive and does, with everything decompressed.
fn holding(verify: &Verify, path: &Path) -> Result<Option<String>, Stop> {
    if verify.lacks.is_empty() {
        return Ok(None);
    }
    let unread = |error: std::io::Error| Stop::Inconclusive(format!("read {}: {error}", path.display()));
    let content = zstd::decode_all(std::fs::File::open(path).map_err(unread)?).map_err(unread)?;
    let holds = |text: &&String| {
        let text = text.as_bytes();
        !text.is_empty() && content.windows(text.len()).any(|window| window == text)
    };
    Ok(verify.lacks.iter().find(holds).map(|text| format!("`{text}` stands in it")))
}
