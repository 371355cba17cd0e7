//! Steps about backup and restore, from documents.

use std::num::NonZeroU32;

use super::Reader;
use crate::backup::Profile;
use crate::check::matching;
use crate::diagnostic::Diagnostic;
use crate::scenario::document::{
    BackupDocument, ChurnDocument, Damage, DamageDocument, KilledDocument, RestoreDocument, VerifyDocument,
};
use crate::scenario::duration;
use crate::scenario::step::{Action, Backup, Harm, Restore, RestoreEnd, Verify};
use crate::yaml::{Located, Location};

impl Reader<'_> {
    pub(super) fn backup(&mut self, document: BackupDocument) -> Option<(Action, String)> {
        let BackupDocument { alias, equals, groups, page, killed } = document;
        let page = match page {
            Some(page) => Some(self.positive(&page)?),
            None => None,
        };
        let killed = killed.map_or(0, |killed| killed.value);
        let summary = format!("back up as {alias}");
        let equals = equals.map(|archive| archive.value);
        Some((Action::Backup(Backup { alias, equals, groups, page, killed }), summary))
    }

    pub(super) fn damage(&mut self, document: DamageDocument) -> Option<(Action, String)> {
        let DamageDocument { archive, how, at, format } = document;
        let summary = format!("damage {}", archive.value);
        let archive = archive.value;
        let how = match (how.value, at, format) {
            (kind @ (Damage::FlippedBit | Damage::Truncated), Some(at), None) => {
                if !(0.0..1.0).contains(&at.value) {
                    let message = format!("{} is no share of a length", at.value);
                    let problem = Diagnostic::new(at.location, message);
                    self.problems.push(problem.with_help("write a number from 0 to less than 1"));
                    return None;
                }
                Harm::Bytes(kind, at.value)
            }
            (Damage::OtherFormat, None, Some(format)) => Harm::Format(format.value),
            (Damage::FlippedBit | Damage::Truncated | Damage::OtherFormat, ..) => {
                let problem = Diagnostic::new(how.location, "this damage needs to be told more exactly");
                let help = "write `at: 0.5` beside `flippedBit` and `truncated`, `format: 2.0.0` beside `otherFormat`";
                self.problems.push(problem.with_help(help));
                return None;
            }
            (kind, None, None) => Harm::Entries(kind),
            _ => {
                let problem = Diagnostic::new(how.location, "this damage has neither place nor format");
                self.problems.push(problem);
                return None;
            }
        };
        Some((Action::Damage { archive, how }, summary))
    }

    pub(super) fn verify(&mut self, document: VerifyDocument) -> (Action, String) {
        let VerifyDocument { archive, fails, warns, matches, lacks, as_recorded } = document;
        let summary = format!("verify {}", archive.value);
        if let Some(node) = &matches {
            self.problems.extend(matching::validate(node));
        }
        let mut regex = |pattern: Option<Located<String>>| pattern.and_then(|it| self.regex(&it));
        let (fails, warns) = (regex(fails), regex(warns));
        let verify = Verify { archive: archive.value, fails, warns, matches, lacks, as_recorded };
        (Action::Verify(Box::new(verify)), summary)
    }

    pub(super) fn restore(&mut self, document: RestoreDocument, at: &Location) -> Option<(Action, String)> {
        let summary = match document.profile {
            Profile::Faithful => format!("restore {}", document.archive.value),
            other => format!("restore {} as by {other:?}", document.archive.value),
        };
        let mut ends = Vec::new();
        if document.dry_run {
            ends.push(RestoreEnd::Tried);
        }
        if document.unchanged {
            ends.push(RestoreEnd::Unchanged);
        }
        if let Some(pattern) = &document.fails {
            ends.push(RestoreEnd::Refused(self.regex(pattern)?));
        }
        if let Some(pattern) = &document.partially {
            ends.push(RestoreEnd::Partial(self.regex(pattern)?));
        }
        if let Some(killed) = &document.killed {
            ends.push(self.killed(killed, at)?);
        }
        if let Some(write) = &document.api_server_dies_after_write {
            ends.push(RestoreEnd::Outlives(self.positive(write)?));
        }
        if ends.len() > 1 {
            let problem = Diagnostic::new(at.clone(), "a restore comes to one end only");
            let help = "write one of `dryRun`, `unchanged`, `fails`, `partially`, `killed` and `apiServerDiesAfterWrite`";
            self.problems.push(problem.with_help(help));
            return None;
        }
        let restore = Restore {
            archive: document.archive.value,
            profile: document.profile,
            skip_existing: document.skip_existing,
            without_definitions: document.without_definitions,
            without_secrets: document.without_secrets,
            assume_no_controller: document.assume_no_controller,
            ends: ends.pop().unwrap_or(RestoreEnd::Restored),
            rivals: document.rivals.map_or(0, |rivals| rivals.value),
        };
        Some((Action::Restore(Box::new(restore)), summary))
    }

    fn killed(&mut self, killed: &KilledDocument, at: &Location) -> Option<RestoreEnd> {
        match (&killed.after_write, &killed.times) {
            (Some(write), None) => self.positive(write).map(RestoreEnd::Killed),
            (None, Some(times)) => self.positive(times).map(RestoreEnd::KilledOften),
            _ => {
                let problem = Diagnostic::new(at.clone(), "say exactly once when it is killed");
                self.problems.push(problem.with_help("write `afterWrite: 3` or `times: 10`"));
                None
            }
        }
    }

    pub(super) fn churn(&mut self, document: &ChurnDocument) -> Option<(Action, String)> {
        let every = duration::read(&document.every, self.problems)?;
        let manifests: Option<Vec<_>> =
            document.files.iter().map(|file| self.manifest(file, None, None)).collect();
        let manifests = manifests?;
        let kinds: Vec<&str> = manifests.iter().map(|manifest| manifest.kind.as_str()).collect();
        let summary = format!("churn {}", kinds.join(" and "));
        Some((Action::Churn { manifests, every }, summary))
    }

    fn positive(&mut self, number: &Located<u32>) -> Option<NonZeroU32> {
        let positive = NonZeroU32::new(number.value);
        if positive.is_none() {
            self.problems.push(Diagnostic::new(number.location.clone(), "this begins at 1"));
        }
        positive
    }
}

pub(super) fn copy_datastore(alias: String) -> (Action, String) {
    let summary = format!("copy the datastore as {alias}");
    (Action::CopyDatastore { alias }, summary)
}

pub(super) fn put_datastore_back(copy: String) -> (Action, String) {
    let summary = format!("put the datastore back to {copy}");
    (Action::PutDatastoreBack { copy }, summary)
}

pub(super) fn dump_database(alias: String) -> (Action, String) {
    let summary = format!("dump the database as {alias}");
    (Action::DumpDatabase { alias }, summary)
}

pub(super) fn put_database_back(dump: String) -> (Action, String) {
    let summary = format!("put the database back to {dump}");
    (Action::PutDatabaseBack { dump }, summary)
}
