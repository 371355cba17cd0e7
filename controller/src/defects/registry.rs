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

            /// Name in the environment variable.
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
    /// The runner default is passed over.
    RunnerDefaultIgnored = "runner-default-ignored" ["IMG-01"],
    /// The defaults beat the image of the run.
    DefaultBeatsOwnImage = "default-beats-own-image" ["IMG-02"],
    /// The secondary default is not looked at.
    AgentImageIgnored = "agent-image-ignored" ["IMG-03", "IMG-04"],
    /// A run without any image starts with some image.
    MissingImageIsInvented = "missing-image-is-invented" ["IMG-05"],
    /// The workload of a step has no say in its image.
    StepImageIgnored = "step-image-ignored" ["IMG-07"],
    /// The image policy only looks at images that runs name themselves.
    PolicySkipsDefaultImage = "policy-skips-default-image" ["IMG-12"],
    /// Without any setting a Job lives five minutes.
    WrongTtlDefault = "wrong-ttl-default" ["TTL-01"],
    /// The TTL of the environment is not honoured.
    EnvironmentTtlIgnored = "environment-ttl-ignored" ["TTL-02"],
    /// The TTL of the run is not honoured.
    OwnTtlIgnored = "own-ttl-ignored" ["TTL-03"],
    /// A short TTL stays short.
    TtlWithoutMinimum = "ttl-without-minimum" ["TTL-04"],
    /// A long TTL stays long.
    TtlWithoutMaximum = "ttl-without-maximum" ["TTL-05"],
    /// The shortest TTL is off by one.
    TtlMinimumOffByOne = "ttl-minimum-off-by-one" ["TTL-06"],
    /// The Job has its TTL from the beginning.
    TtlAtCreation = "ttl-at-creation" ["TTL-07", "JOB-08"],
    /// The TTL is written before the end of the run is on record.
    TtlBeforeStatus = "ttl-before-status" ["TTL-08"],
    /// The TTL write changes a label, too.
    TtlPatchTouchesLabels = "ttl-patch-touches-labels" ["TTL-09"],
    /// Failed Jobs get no TTL.
    FailedJobsWithoutTtl = "failed-jobs-without-ttl" ["TTL-10"],
    /// A TTL of zero or less is written as one second instead of switching the TTL off.
    ZeroTtlBecomesOneSecond = "zero-ttl-becomes-one-second" ["TTL-13", "TTL-14"],
    /// Jobs of workflow steps get no TTL.
    StepsWithoutTtl = "steps-without-ttl" ["TTL-16"],
    /// An equal TTL is written again.
    EqualTtlWrittenAgain = "equal-ttl-written-again" ["TTL-17"],
    /// A TTL that a crash prevented is never made up for.
    TtlNotHealed = "ttl-not-healed" ["TTL-18"],
    /// A TTL that is set changes with the setting.
    SetTtlsFollowTheSetting = "set-ttls-follow-the-setting" ["CH-09"],
    /// A terminal run fails when its Job goes away.
    TerminalRunFollowsItsJob = "terminal-run-follows-its-job" ["TTL-19", "DR-C01"],
    /// Expired runs stay.
    NothingExpires = "nothing-expires" ["RET-01"],
    /// Expired runs go only when something else happens.
    RetentionNeedsAnEvent = "retention-needs-an-event" ["RET-02"],
    /// Runs expire at half of their time.
    ExpiresEarly = "expires-early" ["RET-03", "DR-X07"],
    /// Runs that are not terminal expire.
    RunningRunsExpire = "running-runs-expire" ["RET-04"],
    /// The retention of the run is not honoured.
    OwnRetentionIgnored = "own-retention-ignored" ["RET-05", "RET-06"],
    /// The retention of the environment is not honoured.
    DefaultRetentionIgnored = "default-retention-ignored" ["RET-07"],
    /// A retention that cannot be read is taken for seconds.
    UnreadableRetentionMeansSoon = "unreadable-retention-means-soon" ["RET-09"],
    /// While a run is deleted no other one is looked at.
    RetentionHoldsUpRuns = "retention-holds-up-runs" ["RET-10"],
    /// `ConfigMap`s have no owner and stay when their run goes.
    ConfigMapsWithoutOwner = "config-maps-without-owner" ["RET-12", "JOB-02"],
    /// The deletion budget is not respected.
    NoDeletionBudget = "no-deletion-budget" ["RET-13"],
    /// The retain mark is not honoured.
    RetainMarkIgnored = "retain-mark-ignored" ["RET-14"],
    /// The TTL of the Job is the retention of the run.
    RetentionIsJobTtl = "retention-is-job-ttl" ["RET-16"],
    /// The finalizer comes only after the Job.
    FinalizerAfterJob = "finalizer-after-job" ["LC-01", "INV-12"],
    /// A deleted run lets go before its Job is deleted.
    DeletionLeavesJob = "deletion-leaves-job" ["LC-02"],
    /// A deleted run loses its finalizer first, and then its Job is deleted.
    FinalizerBeforeJobs = "finalizer-before-jobs" ["LC-02"],
    /// The finalizers of others are removed as well.
    ForeignFinalizersRemoved = "foreign-finalizers-removed" ["LC-03"],
    /// A run whose Job has vanished is pending again.
    PhaseGoesBack = "phase-goes-back" ["LC-04", "INV-01"],
    /// The reference to the Job lacks its uid.
    RuntimeRefWithoutUid = "runtime-ref-without-uid" ["LC-05"],
    /// Terminal runs have no end.
    NoFinishedAt = "no-finished-at" ["LC-06"],
    /// The generation is observed only once.
    StaleGeneration = "stale-generation" ["LC-07"],
    /// The transition time of a condition moves with every write.
    TransitionTimeMoves = "transition-time-moves" ["LC-08"],
    /// A succeeded run lacks its condition.
    SuccessWithoutCondition = "success-without-condition" ["LC-09"],
    /// A failure is believed only with the most common reason.
    FailureNeedsKnownReason = "failure-needs-known-reason" ["LC-10"],
    /// A missing Agent is awaited instead of told.
    MissingAgentIsAwaited = "missing-agent-is-awaited" ["LC-11"],
    /// A terminal run that is edited starts again.
    EditedRunStartsAgain = "edited-run-starts-again" ["LC-12", "DR-C14"],
    /// Runs that another process has started count as lost.
    RestartLosesRuns = "restart-loses-runs" ["LC-13"],
    /// Runs that another process has started are started afresh.
    RestartRepeatsRuns = "restart-repeats-runs" ["LC-13", "INV-02"],
    /// A run whose Job has vanished waits for ever.
    VanishedJobIsAwaited = "vanished-job-is-awaited" ["LC-14", "DR-C05"],
    /// A run of which no Job can be made ends the process.
    MalformedObjectIsFatal = "malformed-object-is-fatal" ["LC-15"],
    /// Every pass writes the status, changed or not.
    HotLoop = "hot-loop" ["LC-16"],
    /// A replica that does not lead acts as well.
    StandbyActs = "standby-acts" ["LC-19"],
    /// Any refused submission ends the run.
    FirstRefusalIsFinal = "first-refusal-is-final" ["LC-18"],
    /// A Job that no status shows is taken for somebody else's.
    UnrecordedJobIsForeign = "unrecorded-job-is-foreign" ["LC-20"],
    /// The Memory of the Agent is passed over.
    AgentMemoryIgnored = "agent-memory-ignored" ["JOB-08"],
    /// Of several default Memories the youngest is used.
    YoungestDefaultMemory = "youngest-default-memory" ["JOB-08"],
    /// Names of Jobs depend on the process.
    NamesDependOnTheProcess = "names-depend-on-the-process" ["JOB-01", "DR-C06"],
    /// Pods do not carry the label of their run.
    PodsWithoutRunLabel = "pods-without-run-label" ["JOB-03"],
    /// A failed pod is tried once more.
    OnePodRetry = "one-pod-retry" ["JOB-04"],
    /// Failed containers are started again.
    ContainersRestart = "containers-restart" ["JOB-05"],
    /// Names that are equal once normalised share a Job.
    NamesCollide = "names-collide" ["JOB-06"],
    /// Resources do not reach the container.
    ResourcesDropped = "resources-dropped" ["JOB-09"],
    /// A Job of the right name and label is taken for the run's own.
    ForeignJobAdopted = "foreign-job-adopted" ["JOB-10", "DR-C08"],
    /// Limits of runs in flight are off by one.
    LimitsOffByOne = "limits-off-by-one" ["LIM-01", "DR-C19"],
    /// Nobody is woken when a slot becomes free.
    NobodyIsWoken = "nobody-is-woken" ["LIM-02"],
    /// The queue has no end.
    QueueWithoutLimit = "queue-without-limit" ["LIM-03"],
    /// Starts are not counted.
    StartsNotCounted = "starts-not-counted" ["LIM-04"],
    /// Runs that were running before the start of the process hold no slots.
    RestartForgetsSlots = "restart-forgets-slots" ["LIM-05"],
    /// A blocked run does not say so.
    BlockedSilently = "blocked-silently" ["LIM-06"],
    /// The next step starts beside the running one.
    StepsSideBySide = "steps-side-by-side" ["WF-01"],
    /// A step is tried once less than its retries allow.
    OneAttemptTooFew = "one-attempt-too-few" ["WF-02"],
    /// Attempts never take too long.
    TimeoutsIgnored = "timeouts-ignored" ["WF-03"],
    /// A late attempt is told as one without a Job if a kill came between its Job's deletion and the status.
    LateIsMissing = "late-is-missing" ["WF-03", "LC-13"],
    /// An attempt is stopped for its time although its Job has ended, which the cache does not know yet.
    CachedJobsAreLate = "cached-jobs-are-late" ["WF-03", "LC-18"],
    /// What a Job says that was stopped for its time counts, if the reason was not written before.
    StoppedJobsCount = "stopped-jobs-count" ["WF-03"],
    /// Two steps may have one name.
    DuplicateStepsPass = "duplicate-steps-pass" ["WF-04"],
    /// Labels are never denied.
    DeniedLabelsPass = "denied-labels-pass" ["SEC-01"],
    /// The Agent's list of Secrets is not looked at.
    AnySecretIsAllowed = "any-secret-is-allowed" ["SEC-02"],
    /// The Job is looked for in the namespace that the status names.
    RecordedNamespaceIsFollowed = "recorded-namespace-is-followed" ["SEC-05"],
    /// A message quotes the content of a Secret.
    MessageQuotesSecret = "message-quotes-secret" ["SEC-06"],
    /// Readiness does not look at the CRDs.
    ReadyWithoutCrds = "ready-without-crds" ["HL-01", "DR-H02"],
    /// Readiness does not wait for the caches.
    ReadyBeforeTheStart = "ready-before-the-start" ["HL-02"],
    /// A moment is always good for a backup.
    BackupAlwaysReady = "backup-always-ready" ["HL-03"],
    /// Passes that fail are not counted as errors.
    ErrorsNotCounted = "errors-not-counted" ["HL-04"],
    /// A run of which nobody knows when it ended is infinitely old.
    UnknownEndIsLongAgo = "unknown-end-is-long-ago" ["DR-C13"],
    /// A changed spec of an accepted run goes unnoticed.
    ChangedSpecPasses = "changed-spec-passes" ["DR-C15"],
    /// An API server that sends no initial events with a watch is asked for nothing else.
    InitialEventsAreDemanded = "initial-events-are-demanded" ["LC-18"],
    /// What a Job was made from is taken to be what the run is when its status is written.
    EditAtTheStartPasses = "edit-at-the-start-passes" ["LC-12"],
    /// A run can only be deleted together with a Job.
    DeletionNeedsJob = "deletion-needs-job" ["DR-C10"],
    /// A restored run that had not started never does.
    RestoredRunsNeverStart = "restored-runs-never-start" ["DR-C06", "DR-R10", "DR-X02"],
    /// What is not known of backups counts against them.
    UnknownBackupsFail = "unknown-backups-fail" ["DR-H06"],
    /// Nothing is held back by a restore hold.
    HoldIgnored = "hold-ignored" ["DR-H03"],
    /// A hold that cannot be read is none.
    UnreadableHoldIsNone = "unreadable-hold-is-none" ["DR-H03"],
    /// Retention goes on as soon as a hold has ended.
    NoGraceAfterHold = "no-grace-after-hold" ["DR-C12"],
    /// Backups never are too old.
    OldBackupsPass = "old-backups-pass" ["DR-H05"],
    /// A restored run is treated as if its Job had just vanished.
    RestoredRunsLookOrdinary = "restored-runs-look-ordinary" ["DR-C04", "DR-C21"],
    /// A run that has lost its status is executed again.
    LostStatusLooksNew = "lost-status-looks-new" ["DR-C02"],
    /// A run with the key of another one is executed.
    DuplicatesStart = "duplicates-start" ["DR-C16"],
    /// The key of a run that is gone is never free again.
    LostRunsKeepTheirKey = "lost-runs-keep-their-key" ["DR-C17"],
    /// A database that knows less than was executed is not told.
    KeysNotRebuilt = "keys-not-rebuilt" ["DR-C18"],
    /// A database that cannot be used is no reason against a backup.
    StoreTroublePasses = "store-trouble-passes" ["DR-H05"],
    /// Liveness depends on the CRDs.
    LivenessNeedsCrds = "liveness-needs-crds" ["HL-05", "DR-H01"],
    /// Liveness needs an answer of the API server.
    LivenessNeedsTheApi = "liveness-needs-the-api" ["HL-05"],
    /// Whatever is known of a run, it is looked at as a new one.
    StatusIgnored = "status-ignored" ["DR-C01"],
    /// A hold does not interrupt who is at work already.
    HeldRunsAreJudged = "held-runs-are-judged" ["DR-C07"],
    /// A Job of the right name is deleted with the run, whosever it is.
    JobsDeletedByName = "jobs-deleted-by-name" ["DR-C11"],
    /// Readiness depends on the age of backups.
    ReadinessNeedsBackup = "readiness-needs-backup" ["DR-H05"],
    /// A vanished Job is made again.
    VanishedJobIsMadeAgain = "vanished-job-is-made-again" ["INV-02", "LC-14"],
    /// What is made for a run has no owner.
    NothingIsOwned = "nothing-is-owned" ["INV-03"],
    /// The observed generation is one that does not exist yet.
    GenerationAhead = "generation-ahead" ["INV-04"],
    /// Reasons of conditions are sentences.
    ReasonsAreProse = "reasons-are-prose" ["INV-05"],
    /// The status of a run that has ended gets one more condition.
    EndedRunsAreReviewed = "ended-runs-are-reviewed" ["INV-06"],
    /// Every pass leaves its time in the status, which brings the next pass.
    PassesAreCounted = "passes-are-counted" ["INV-07", "LC-16"],
    /// Before a run starts, a Job of its name is looked for in the namespace default.
    LooksElsewhere = "looks-elsewhere" ["INV-08"],
    /// Before a run starts, the Jobs of all namespaces are listed.
    LooksEverywhere = "looks-everywhere" ["SEC-05", "INV-08"],
    /// With each end of a run a task panics that nobody waits for.
    PanicsAside = "panics-aside" ["INV-09"],
    /// A restored run begins again in Pending.
    RestoredRunsBeginAgain = "restored-runs-begin-again" ["INV-10", "DR-R01"],
    /// A restored run that had ended is executed once more.
    RestoredRunsStartAfresh = "restored-runs-start-afresh" ["DR-C01"],
    /// A restored run whose Job was lost is executed again, whatever the policy says.
    LostRunsAreRepeated = "lost-runs-are-repeated" ["DR-C04"],
    /// What is cached of Jobs is believed whatever becomes of the watches.
    JobsAreNeverInDoubt = "jobs-are-never-in-doubt" ["DR-X03"],
    /// What a later version has added to the reference to the Job is lost with the next write.
    LaterFieldsAreDropped = "later-fields-are-dropped" ["DR-C23"],
    /// A run that is invalid has failed otherwise, too.
    InvalidRunsFailTwice = "invalid-runs-fail-twice" ["INV-11"],
}
