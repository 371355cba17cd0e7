//! Steps about backup and restore, from documents.

use super::Reader;
use crate::backup::Profile;
use crate::diagnostic::Diagnostic;
use crate::scenario::document::{BackupDocument, DamageDocument, RestoreDocument, VerifyDocument};
use crate::scenario::step::{Action, Restore};

impl Reader<'_> {
    pub(super) fn backup(document: BackupDocument) -> (Action, String) {
        let summary = format!("back up as {}", document.alias);
        let equals = document.equals.map(|archive| archive.value);
        (Action::Backup { alias: document.alias, equals }, summary)
    }

    pub(super) fn damage(&mut self, document: DamageDocument) -> Option<(Action, String)> {
        let at = document.at;
        if !(0.0..1.0).contains(&at.value) {
            let message = format!("{} is no share of a length", at.value);
            let problem = Diagnostic::new(at.location, message);
            self.problems.push(problem.with_help("write a number from 0 to less than 1"));
            return None;
        }
        let archive = document.archive.value;
        let summary = format!("damage {archive}");
        Some((Action::Damage { archive, how: document.how, at: at.value }, summary))
    }

    pub(super) fn verify(&mut self, document: VerifyDocument) -> (Action, String) {
        let archive = document.archive.value;
        let summary = format!("verify {archive}");
        (Action::Verify { archive, fails: document.fails.and_then(|pattern| self.regex(&pattern)) }, summary)
    }

    pub(super) fn restore(&mut self, document: RestoreDocument) -> (Action, String) {
        let RestoreDocument { archive, profile, skip_existing, unchanged, fails } = document;
        let fails = fails.and_then(|pattern| self.regex(&pattern));
        let archive = archive.value;
        let summary = match profile {
            Profile::Faithful => format!("restore {archive}"),
            other => format!("restore {archive} as by {other:?}"),
        };
        (Action::Restore(Restore { archive, profile, skip_existing, unchanged, fails }), summary)
    }
}
