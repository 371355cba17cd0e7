//! The list of defects: name, the requirements that it breaks, and what goes wrong.

macro_rules! registry {
    ($($(#[doc = $summary:literal])+ $variant:ident = $name:literal [$($id:literal),+],)+) => {
        /// A wrong decision that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Defect {
            $($(#[doc = $summary])+ $variant,)+
        }

        impl Defect {
            /// All defects.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The requirements that it breaks.
            pub const fn requirements(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($id),+],)+ }
            }

            /// What goes wrong.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => concat!($($summary),+),)+ }
            }
        }
    };
}

registry! {
    /// Without runs there is nothing to back up.
    NoRunsNoBackup = "no-runs-no-backup" ["DR-B01"],
    /// The status is no part of an archived object.
    StatusLeftOut = "status-left-out" ["DR-B02", "DR-R01", "DR-X02", "DR-X06"],
    /// One of the kinds is not looked at.
    KindLeftOut = "a-kind-left-out" ["DR-B02"],
    /// What a restore writes anew counts as content of an archive.
    RewrittenFieldsCount = "rewritten-fields-count" ["DR-X05"],
    /// Finalizers are no part of an archived object.
    FinalizersLeftOut = "finalizers-left-out" ["DR-B02"],
    /// Annotations are no part of an archived object.
    AnnotationsLeftOut = "annotations-left-out" ["DR-B02"],
    /// Definitions without objects are left out.
    UnusedDefinitionsLeftOut = "unused-definitions-left-out" ["DR-B03"],
    /// Every kind is listed as it is now, and the archive claims one moment all the same.
    MomentsMixed = "moments-mixed" ["DR-B04"],
    /// When a revision is gone in the middle of a list, what was read so far is the list.
    RestOfListForgotten = "rest-of-list-forgotten" ["DR-B05"],
    /// What is being deleted is archived as if it were not.
    DeletedRevived = "deleted-revived" ["DR-B06"],
    /// Nobody is told which Secrets the objects need.
    SecretsNotListed = "secrets-not-listed" ["DR-B07"],
    /// Secrets are archived with their values.
    SecretsArchived = "secrets-archived" ["DR-B07"],
    /// A backup leaves a mark in the cluster.
    BackupWrites = "backup-writes" ["DR-B08"],
    /// The digest is published before the archive is whole.
    PublishedTooEarly = "published-too-early" ["DR-B09"],
    /// What can still be read of a damaged archive counts as the archive.
    VerificationSkipped = "verification-skipped" ["DR-V01"],
    /// Entries may be missing.
    MissingEntriesPass = "missing-entries-pass" ["DR-V02"],
    /// Entries that the manifest does not list are overlooked.
    ExtraEntriesPass = "extra-entries-pass" ["DR-V03"],
    /// An entry may stand there twice.
    DuplicateEntriesPass = "duplicate-entries-pass" ["DR-V03"],
    /// An entry may be a link.
    LinksPass = "links-pass" ["DR-V03"],
    /// An entry may have a path that leads out of the archive.
    ClimbingPathsPass = "climbing-paths-pass" ["DR-V03"],
    /// An entry may be of any size.
    OversizeEntriesPass = "oversize-entries-pass" ["DR-V03"],
    /// The digest of the file is not compared.
    FileDigestIgnored = "file-digest-ignored" ["DR-V04"],
    /// Every format is read.
    NewerFormatRead = "newer-format-read" ["DR-V05"],
    /// Labels are not given back.
    LabelsLost = "labels-lost" ["DR-X06"],
    /// A dry run writes.
    DryRunWrites = "dry-run-writes" ["DR-R01"],
    /// Nobody looks for a controller.
    LeaderNotLookedFor = "leader-not-looked-for" ["DR-R02"],
    /// Where nobody leads no controller is expected.
    HoldOnlyForLeaders = "hold-only-for-leaders" ["DR-R02"],
    /// What is there already gets its status once more.
    EqualStatusWrittenAgain = "equal-status-written-again" ["DR-R03"],
    /// That names are taken is noticed only by the writes.
    ConflictsNoticedLate = "conflicts-noticed-late" ["DR-R04"],
    /// That a kind is missing is noticed only by the writes.
    MissingKindsNoticedLate = "missing-kinds-noticed-late" ["DR-R06"],
    /// Objects are not tried before they are written.
    NothingTried = "nothing-tried" ["DR-R07"],
    /// What was written is not looked at again.
    NothingCompared = "nothing-compared" ["DR-R08"],
    /// Definitions of the target are replaced by those of the archive.
    DefinitionsReplaced = "definitions-replaced" ["DR-R09"],
    /// Owners are named by uids that they do not have.
    OwnersKeepTheirUids = "owners-keep-their-uids" ["DR-R10"],
    /// The first object that is refused ends the restore.
    FirstRefusalEndsRestore = "first-refusal-ends-restore" ["DR-R11"],
    /// A status that somebody else wrote meanwhile is overwritten.
    NewerStatusOverwritten = "newer-status-overwritten" ["DR-R11"],
    /// What an interrupted restore left without status stays without.
    InterruptedStaysUnfinished = "interrupted-stays-unfinished" ["DR-R12"],
    /// A request that met trouble is not sent again.
    FirstTroubleIsFinal = "first-trouble-is-final" ["DR-R13"],
    /// A name that is taken is taken by somebody else, whoever took it.
    LostAnswerIsConflict = "lost-answer-is-conflict" ["DR-R13"],
    /// A namespace that is being deleted takes new objects.
    DyingNamespaceUsed = "dying-namespace-used" ["DR-R16"],
    /// Missing Secrets are no obstacle.
    MissingSecretsPass = "missing-secrets-pass" ["DR-R18"],
    /// A connection that is refused is not tried again.
    RefusedConnectionIsFinal = "refused-connection-is-final" ["DR-X04"],
    /// Leases are archived, too.
    LeasesArchived = "leases-archived" ["DR-C22"],
    /// Any number of restores may run at the same time.
    LockIgnored = "lock-ignored" ["DR-X08"],
}
