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
    /// Ids of the requirements that the scenario proves.
    pub requirements: Vec<Located<String>>,
    /// What it claims, in one sentence.
    pub summary: String,
    /// What the cluster must have: `node` (pods really run), `audit` (requests are recorded).
    #[serde(default)]
    pub requires: Vec<Located<Capability>>,
    /// Why the scenario is not run at present; shown in reports.
    #[serde(default)]
    pub skip: Option<String>,
    /// Run only the scenarios that have this set, for work on one of them.
    #[serde(default)]
    pub focus: bool,
    /// The whole case must end within this time; 60 s unless told.
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
    /// What has to be true of the whole history once the steps are done.
    #[serde(default)]
    #[schemars(with = "Vec<StepDocument>")]
    pub expect: Vec<Node>,
}

/// Something that not every cluster has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    /// A kubelet: pods really run.
    Node,
    /// The log of requests that the API server answers, which claims about requests need.
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
    /// Manifests that are created in this order, each known by its `metadata.name` as alias.
    #[serde(default)]
    pub objects: Vec<Located<String>>,
}

/// Whether a controller runs, and for whom.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SubjectMode {
    /// One that serves all scenarios with equal chart values.
    #[default]
    Shared,
    /// One of its own, installed in the scenario's namespace with the rights of one namespace; needed by
    /// steps that restart, kill or upgrade it.
    Dedicated,
    /// None: the scenario renders the chart, or is about the cluster itself.
    None,
}

/// Whose the cluster is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClusterMode {
    /// Every scenario's.
    #[default]
    Shared,
    /// The case's alone: one of local processes, which it may lose.
    Own,
}

/// Who ends Jobs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobMode {
    /// The scenario: Jobs get no pods.
    #[default]
    Played,
    /// Kubernetes' Job controller, by the pods that it makes. Without a node the scenario writes their
    /// status.
    Real,
}

/// One step; the key says what is done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum StepDocument {
    /// Creates an object; it must not exist.
    Create(ManifestDocument),
    /// Applies an object by server-side apply.
    Apply(ApplyDocument),
    /// Patches an object with a JSON merge patch (RFC 7386).
    Patch(PatchDocument),
    /// Deletes an object.
    Delete(DeleteDocument),
    /// Plays the end of a Job, as if its pods had run.
    Finish(FinishDocument),
    /// From now on plays the end of each such Job, as soon as it appears.
    Play(PlayDocument),
    /// Asks the controller over HTTP, until the answer is as claimed.
    Http(HttpDocument),
    /// Lets time pass, where nothing else could be waited for.
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
    /// From now on something happens to some of the requests to the API server.
    Fault(FaultDocument),
    /// Disturbs the controller's watches that run at present.
    Watches(WatchFaultDocument),
    /// From now on objects are created, changed and deleted again and again.
    Churn(ChurnDocument),
    /// From now on nothing happens to any requests any more, and no objects are churned.
    Calm {},
    /// Upgrades the controller's release: values are put over those it has.
    Upgrade(UpgradeDocument),
    /// Takes the controller's release back to its revision before the last upgrade.
    Rollback {},
    /// Takes an archive of the scenario's namespace.
    Backup(BackupDocument),
    /// Damages an archive, or changes it.
    Damage(DamageDocument),
    /// Verifies an archive without a cluster.
    Verify(VerifyDocument),
    /// Kills the controller, and loses every object of the namespace that an archive may hold or that belongs to
    /// one, as if the cluster were lost. The controller stays down until `restart`.
    Lose {},
    /// Kills the controller, the API server and the datastore, deletes all data, and starts another cluster with the
    /// definitions and an empty namespace. The controller stays away until `restart` installs it there. Only with
    /// `given: {cluster: own}`.
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
    /// started. The controller goes on. Only with `given: {cluster: own}`.
    PutDatastoreBack {
        /// Which copy.
        copy: Located<String>,
    },
    /// Restores an archive into the scenario's namespace.
    Restore(RestoreDocument),
    /// Renders the chart without installing it.
    Render(RenderDocument),
    /// Waits until the controller has processed an object that was created now.
    Fence {},
    /// Some recorded version satisfies the claim, now or within the given time.
    Eventually(ClaimDocument),
    /// Every recorded version satisfies the claim, and there is at least one.
    Always(ClaimDocument),
    /// No recorded version satisfies the claim.
    Never(ClaimDocument),
    /// Versions that satisfy these claims come in this order.
    Sequence(Vec<ClaimDocument>),
    /// Exactly `count` objects ever satisfied the claim.
    Exactly(ClaimDocument),
    /// At no moment did more than `count` objects satisfy the claim together.
    AtMost(ClaimDocument),
    /// Objects satisfied the claim first in the order in which they were created.
    InCreationOrder(ClaimDocument),
    /// No object has more than `atMost` versions that satisfy the claim.
    Versions(ClaimDocument),
    /// For no value of `by` more than `count` objects ever satisfied the claim.
    AtMostEach(ClaimDocument),
    /// Each change of the value at `path` leads to a later group of `order`.
    Advances(ClaimDocument),
    /// Once a version satisfies the claim, what lies at `path` stays as it is.
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
    /// Regular expression of which something is found in the body; `^` and `$` are ends of lines.
    #[serde(default)]
    pub finds: Option<Located<String>>,
    /// A part of the body, which is JSON then; see `matches` of claims.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub matches: Option<Node>,
    /// How many of the replicas answer so, each of them unless told.
    #[serde(default)]
    pub replicas: Option<Located<usize>>,
    /// How long to ask again; 5 s unless told.
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
    /// Why nothing can be waited for instead; stands in the record.
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
    /// The name by which `rendered` refers to it.
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
