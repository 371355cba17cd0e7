//! The documents as they are written: the types behind the JSON Schema.
//!
//! They hold only what serde can check. [`super::suite`] turns them into the typed values that the engine
//! works with, and reports everything else that is wrong with them.

mod claim;
mod drill;
mod fault;
mod invariant;
mod object;
mod recovery;
mod suite;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::claim::{ClaimDocument, LogDocument, RenderedDocument, RequestDocument, ResourceDocument};
pub use self::drill::DrillDocument;
pub use self::fault::{FaultDocument, VerbDocument, WatchEnd, WatchFaultDocument};
pub use self::invariant::InvariantDocument;
pub use self::object::{
    ApplyDocument, DeleteDocument, FinishDocument, ManifestDocument, Outcome, OwnedDocument, PatchDocument,
    PlayDocument, Propagation, Subresource,
};
pub use self::recovery::{
    BackupDocument, ChurnDocument, Damage, DamageDocument, KilledDocument, RestoreDocument, VerifyDocument,
};
pub use self::suite::{FenceDocument, SuiteDocument, SuiteSpec};
use crate::yaml::{Located, Node};

/// The version of every document of the harness.
pub const API_VERSION: &str = "hallmark.dev/v1alpha1";

/// A scenario: what is given, what is done, and what has to be true of the recorded history.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "Scenario")]
pub struct ScenarioDocument {
    /// `hallmark.dev/v1alpha1`.
    pub api_version: Located<String>,
    /// `Scenario`.
    pub kind: Located<String>,
    /// Name and labels.
    pub metadata: Metadata,
    /// The scenario itself.
    pub spec: ScenarioSpec,
}

/// Name and labels of a document.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Metadata {
    /// Unique in the suite; lower-case letters, digits and dashes.
    pub name: Located<String>,
    /// Labels for selection; `area` groups reports.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// What a scenario says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScenarioSpec {
    /// Ids of the requirements of the catalogue that the scenario proves; at least one.
    pub requirements: Vec<Located<String>>,
    /// What it claims, in one sentence.
    pub summary: String,
    /// What the cluster must have; the scenario is skipped on others.
    #[serde(default)]
    pub requires: Vec<Located<Capability>>,
    /// A reason for which the scenario is not run at present; it stands in the reports.
    #[serde(default)]
    pub skip: Option<String>,
    /// Only the scenarios that have this set are run, for work on one of them; such a run has no verdict on
    /// conformance.
    #[serde(default)]
    pub focus: bool,
    /// Deadline of each case, 3 min unless told, of a machine that has time; passing it is *inconclusive*.
    #[serde(default)]
    pub timeout: Option<Located<String>>,
    /// What is there before the first step.
    #[serde(default)]
    pub given: Given,
    /// One run of the scenario for each entry; `${{ case.… }}` refers to its values.
    #[serde(default)]
    #[schemars(with = "Vec<BTreeMap<String, serde_json::Value>>")]
    pub cases: Vec<Node>,
    /// What is done, in order.
    #[serde(default)]
    #[schemars(with = "Vec<StepDocument>")]
    pub steps: Vec<Node>,
    /// Claims on the whole history, judged after the steps and a fence.
    #[serde(default)]
    #[schemars(with = "Vec<StepDocument>")]
    pub expect: Vec<Node>,
}

/// Something that not every cluster has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// Pods really run.
    Node,
    /// Requests are recorded, which claims about requests need.
    Audit,
}

/// What is there before the first step.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Given {
    /// Whether a controller runs, and for whom.
    #[serde(default)]
    pub subject: SubjectMode,
    /// Whose the cluster is.
    #[serde(default)]
    pub cluster: ClusterMode,
    /// Who ends Jobs.
    #[serde(default)]
    pub jobs: JobMode,
    /// Chart values of the controller; scenarios with equal values share one release.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub values: Option<Node>,
    /// The chart value that gets the URL of an empty PostgreSQL database, which only this case has and which its
    /// controller can reach, for example `database.url`. Skipped on a machine without the programs of PostgreSQL.
    #[serde(default)]
    pub database: Option<Located<String>>,
    /// Manifests that are created in this order, each known by its `metadata.name` as alias.
    #[serde(default)]
    pub objects: Vec<Located<String>>,
}

/// Whether a controller runs, and for whom.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SubjectMode {
    /// One controller serves all scenarios with equal `values`.
    #[default]
    Shared,
    /// One in the namespace of the case, with the rights of one namespace; needed by `restart`, `kill`,
    /// `upgrade`, `rollback` and faults.
    Dedicated,
    /// No controller, for scenarios that render the chart or are about the cluster itself.
    None,
}

/// Whose the cluster is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClusterMode {
    /// All cases use it.
    #[default]
    Shared,
    /// Only this case uses it: one of local processes, so that it may be lost.
    Own,
}

/// Who ends Jobs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobMode {
    /// Jobs get no pods; the scenario plays their end.
    #[default]
    Played,
    /// Kubernetes' Job controller makes pods and counts them; without a node the scenario writes their status.
    Real,
}

/// One step; the key says what is done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum StepDocument {
    /// Creates an object, or `count` of them; it must not exist.
    Create(ManifestDocument),
    /// Applies an object by server-side apply.
    Apply(ApplyDocument),
    /// Patches an object with a JSON merge patch (RFC 7386).
    Patch(PatchDocument),
    /// Deletes exactly the recorded object (precondition on its uid).
    Delete(DeleteDocument),
    /// Writes the terminal status of a Job, as if its pods had run.
    Finish(FinishDocument),
    /// From now on finishes each such Job, those that are there and those that will be.
    Play(PlayDocument),
    /// Asks the controller over HTTP, until the answer is as claimed.
    Http(HttpDocument),
    /// Lets time pass, where nothing else can be waited for.
    Wait(WaitDocument),
    /// Stops the controller with SIGTERM and starts it again.
    Restart {
        /// It must end by itself, with exit code 0, within this time.
        #[serde(default)]
        within: Option<Located<String>>,
        /// `false`: go on before it is ready again; only in a scenario with faults, which may keep it from that.
        #[serde(default = "yes")]
        ready: bool,
    },
    /// Kills the controller with SIGKILL and starts it again, or kills one replica, which stays down.
    Kill {
        /// Only one replica, which is not started again by this step.
        #[serde(default)]
        replica: Option<Replica>,
    },
    /// From now on something happens to some requests of the controller, or of backups and restores, see "Faults".
    Fault(FaultDocument),
    /// Disturbs the controller's watches that run at this moment, see "Faults".
    Watches(WatchFaultDocument),
    /// From now on creates, changes and deletes objects made from manifests, one write after each pause.
    Churn(ChurnDocument),
    /// Once each fault has met its request, nothing happens to requests any more, until the next `fault`, and
    /// nothing is churned.
    Calm {},
    /// Stops the controller, puts values over those it has, upgrades its release, and starts it again. Where the
    /// implementation file names the previous version of the chart, the case begins with that one.
    Upgrade(UpgradeDocument),
    /// Stops the controller, takes its release back to the revision before the last upgrade, and starts it again.
    Rollback {},
    /// Takes an archive of the case's namespace, and fails if it sends a write. See "Backup and restore".
    Backup(BackupDocument),
    /// Damages an archive, or changes it, see "Backup and restore".
    Damage(DamageDocument),
    /// Verifies an archive without a cluster.
    Verify(VerifyDocument),
    /// Kills the controller, and deletes every custom object, Job and `ConfigMap` of the namespace, finalizers
    /// notwithstanding, as if the cluster were lost. The controller stays down until `restart`.
    Lose {},
    /// Kills the controller, the API server and the datastore, deletes all data, and starts another cluster with the
    /// definitions and an empty namespace. The controller stays away until `restart` installs it there. For the record
    /// everything was deleted. Only with `given: {cluster: own}`.
    LoseCluster {},
    /// Keeps a copy of the datastore, for which the API server is killed and started again. The controller goes on.
    /// Only with `given: {cluster: own}`.
    CopyDatastore {
        /// The name of the copy for later steps.
        #[serde(rename = "as")]
        alias: String,
    },
    /// Puts the datastore back to a copy, as an administrator does who restores a snapshot of etcd: the API server is
    /// killed, the data are replaced, revisions are raised above all that were given before, and the API server is
    /// started. The controller goes on. For the record, what comes back is a later version. Only with
    /// `given: {cluster: own}`.
    PutDatastoreBack {
        /// Which copy.
        copy: Located<String>,
    },
    /// Keeps a dump of the database. Only with `given: {database: …}`.
    DumpDatabase {
        /// The name of the dump for later steps.
        #[serde(rename = "as")]
        alias: String,
    },
    /// Puts a dump in place of the database, under a controller that goes on. Only with `given: {database: …}`.
    PutDatabaseBack {
        /// Which dump.
        dump: Located<String>,
    },
    /// Puts an empty database, without any table, in place of the database, under a controller that goes on. Only with
    /// `given: {database: …}`.
    LoseDatabase {},
    /// Restores an archive into the case's namespace, see "Backup and restore".
    Restore(RestoreDocument),
    /// Renders the chart without installing it.
    Render(RenderDocument),
    /// Waits until the controller has processed an object that was created now, see "The fence".
    Fence {},
    /// Some version in the window satisfies the claim. A deletion is no state; with `exists: false`: no such object is
    /// there now, and that of an alias must have been seen before.
    Eventually(ClaimDocument),
    /// Every version of every named object satisfies the claim, and there is at least one. A deletion violates
    /// `exists: true` and is passed over otherwise.
    Always(ClaimDocument),
    /// No version satisfies the claim. Of a deleted object the last state counts.
    Never(ClaimDocument),
    /// Versions that satisfy these claims exist in this order, each newer than the one before. A deletion is a state
    /// only for `exists: false`.
    Sequence(Vec<ClaimDocument>),
    /// Exactly `count` objects, told apart by uid, ever had a version that satisfies the claim. Of a deleted object the
    /// last state counts.
    Exactly(ClaimDocument),
    /// At no moment do more than `count` objects satisfy the claim together. A deletion ends it.
    AtMost(ClaimDocument),
    /// Objects satisfy the claim for the first time in the order of their creation, and at least two do. Of a deleted
    /// object the last state counts.
    InCreationOrder(ClaimDocument),
    /// No object has more than `atMost` versions that satisfy the claim, and there is an object. Deletions are not
    /// counted.
    Versions(ClaimDocument),
    /// For no value of `by` more than `count` objects ever satisfied the claim. Objects without a value are not counted,
    /// nor are deletions.
    AtMostEach(ClaimDocument),
    /// Each change of the value at `path` leads to a later group of `order`. Of a deleted object the last state counts.
    Advances(ClaimDocument),
    /// Once a version satisfies the claim, what lies at `path` stays as it is, but for `except`. Of a deleted object the
    /// last state counts.
    Settled(ClaimDocument),
}

fn yes() -> bool {
    true
}

/// A question over HTTP, asked with GET.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpDocument {
    /// Path, beginning with a slash; may have a query.
    pub path: Located<String>,
    /// Container port; that of the ready endpoint unless told.
    #[serde(default)]
    pub port: Option<u16>,
    /// Status code of the answer; 200 unless told.
    #[serde(default)]
    pub status: Option<u16>,
    /// Text that the body contains.
    #[serde(default)]
    pub contains: Option<String>,
    /// Text that the body does not contain.
    #[serde(default)]
    pub lacks: Option<String>,
    /// Regular expression that finds something in the body; `^` and `$` are ends of lines.
    #[serde(default)]
    pub finds: Option<Located<String>>,
    /// A part of the body, which is JSON then, see "Matching".
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub matches: Option<Node>,
    /// Exactly so many of the replicas answer so, each of them unless told.
    #[serde(default)]
    pub replicas: Option<Located<usize>>,
    /// How long it is asked again; 5 s unless told.
    #[serde(default)]
    pub within: Option<Located<String>>,
}

/// A pause.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WaitDocument {
    /// How long.
    #[serde(rename = "for")]
    pub duration: Located<String>,
    /// Why nothing can be waited for instead; it stands in the record.
    pub because: String,
}

/// One replica of the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Replica {
    /// The one that holds the Lease which the implementation file names.
    Leader,
}

/// Other chart values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UpgradeDocument {
    /// Chart values that are put over those it has.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub values: Node,
}

/// A rendering of the chart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RenderDocument {
    /// The name by which `rendered` refers to it; `chart` unless told.
    #[serde(rename = "as", default)]
    pub alias: Option<Located<String>>,
    /// Chart values.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub values: Option<Node>,
    /// Files of values that the chart ships, relative to the chart.
    #[serde(default)]
    pub value_files: Vec<Located<String>>,
    /// Rendering must fail with a message that matches this regular expression.
    #[serde(default)]
    pub fails: Option<Located<String>>,
}
