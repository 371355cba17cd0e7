//! Claims about objects, and the temporal operators that quantify them over the recorded history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::golden::Golden;
use super::template;
use crate::yaml::{Location, Node};

/// Something that has to be true of the recorded history.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// Which claim, and how it is quantified over time.
    pub operator: Operator,
    /// Where the assertion is written.
    pub location: Location,
    /// What makes it an invariant of a suite; `None` for the claims of a scenario.
    pub standing: Option<Arc<Standing>>,
}

impl Assertion {
    /// Whether something is said about requests of the subject.
    pub fn is_about_requests(&self) -> bool {
        self.operator.claims().iter().any(|claim| matches!(claim.target, Target::Requests { .. }))
    }
}

/// A requirement that holds of every case, whatever that is about.
///
/// Such an assertion also holds where there is nothing that it could be about.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The requirement that the assertion states, or a part of it.
    pub id: String,
    /// Only objects that came into being so; all of them unless told.
    pub made_by: Option<MadeBy>,
}

/// How an object came into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MadeBy {
    /// By no step of the scenario, so by the controller or by Kubernetes.
    Controller,
    /// By a `restore` step.
    Restore,
}

/// How claims are quantified over the versions of a history.
#[derive(Debug, Clone)]
pub enum Operator {
    /// Some version in the window satisfies the claim. The window begins with the versions that were
    /// current when the last action began and ends `within` after the assertion was reached.
    Eventually {
        /// The claim.
        claim: Claim,
        /// How long the window stays open once the assertion is reached.
        within: Duration,
    },
    /// Every recorded version of every object that the target names satisfies the claim, and there is at
    /// least one.
    Always(Claim),
    /// No recorded version of any object that the target names satisfies the claim.
    Never(Claim),
    /// Versions that satisfy the claims exist in this order, each with a higher resource version than
    /// the one before.
    Sequence(Vec<Claim>),
    /// Exactly `count` objects, told apart by uid, ever had a version that satisfies the claim.
    Exactly {
        /// How many.
        count: usize,
        /// The claim.
        claim: Claim,
    },
    /// At no moment of the history did the current versions of more than `count` objects satisfy the claim.
    AtMost {
        /// How many.
        count: usize,
        /// The claim.
        claim: Claim,
    },
    /// The first versions that satisfy the claim come in the order in which their objects were created: by
    /// creation time, which has whole seconds, then by namespace and name. At least two objects do.
    InCreationOrder(Claim),
    /// No object has more than `at_most` versions that satisfy the claim, and there is at least one object.
    Versions {
        /// How many.
        at_most: usize,
        /// The claim.
        claim: Claim,
    },
    /// For no value of `key` more than `count` objects ever satisfied the claim. An object whose key has no
    /// value is not counted.
    AtMostEach {
        /// How many.
        count: usize,
        /// What objects are grouped by.
        key: Arc<Expression>,
        /// The claim.
        claim: Claim,
    },
    /// Each change of the value at `path`, among the versions of an object that satisfy the claim, leads to a
    /// later group of `order`. No value comes before all groups; one that no group has breaks the claim. What
    /// a step wrote is a new beginning.
    Advances {
        /// Fields from the root of the object.
        path: Vec<String>,
        /// The values, group by group.
        order: Vec<Vec<String>>,
        /// The claim.
        claim: Claim,
    },
    /// Once a version of an object satisfies the claim, what lies at `path` stays as it is. What a step wrote is
    /// a new beginning.
    Settled {
        /// Fields from the root of the object.
        path: Vec<String>,
        /// What may change all the same, from the root of the object.
        except: Vec<Vec<String>>,
        /// The claim.
        claim: Claim,
    },
}

impl Operator {
    /// The keyword of the operator.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Eventually { .. } => "eventually",
            Self::Always(_) => "always",
            Self::Never(_) => "never",
            Self::Sequence(_) => "sequence",
            Self::Exactly { .. } => "exactly",
            Self::AtMost { .. } => "atMost",
            Self::InCreationOrder(_) => "inCreationOrder",
            Self::Versions { .. } => "versions",
            Self::AtMostEach { .. } => "atMostEach",
            Self::Advances { .. } => "advances",
            Self::Settled { .. } => "settled",
        }
    }

    /// Every claim under the operator.
    pub fn claims(&self) -> Vec<&Claim> {
        match self {
            Self::Eventually { claim, .. }
            | Self::Always(claim)
            | Self::Never(claim)
            | Self::Exactly { claim, .. }
            | Self::AtMost { claim, .. }
            | Self::InCreationOrder(claim)
            | Self::Versions { claim, .. }
            | Self::AtMostEach { claim, .. }
            | Self::Advances { claim, .. }
            | Self::Settled { claim, .. } => vec![claim],
            Self::Sequence(claims) => claims.iter().collect(),
        }
    }

    /// Every claim under the operator, to put in what is known while the scenario runs.
    pub fn claims_mut(&mut self) -> Vec<&mut Claim> {
        match self {
            Self::Eventually { claim, .. }
            | Self::Always(claim)
            | Self::Never(claim)
            | Self::Exactly { claim, .. }
            | Self::AtMost { claim, .. }
            | Self::InCreationOrder(claim)
            | Self::Versions { claim, .. }
            | Self::AtMostEach { claim, .. }
            | Self::Advances { claim, .. }
            | Self::Settled { claim, .. } => vec![claim],
            Self::Sequence(claims) => claims.iter_mut().collect(),
        }
    }
}

/// What is said about which objects.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which objects.
    pub target: Target,
    /// What is said about each of them.
    pub condition: Condition,
    /// Where the claim is written.
    pub location: Location,
}

impl Condition {
    /// The aliases of the objects that have to be known to judge the condition, apart from its own.
    pub fn aliases_read(&self) -> BTreeSet<String> {
        let mut aliases: BTreeSet<String> = self.cel.iter().flat_map(|cel| cel.aliases_read()).collect();
        let trees = self.matches.iter().chain(self.golden.as_ref().map(|golden| &golden.template));
        trees.for_each(|tree| template::aliases_read(tree, &mut aliases));
        aliases
    }
}

/// Which objects a claim is about.
#[derive(Debug, Clone)]
pub enum Target {
    /// The object that a step created or applied under this alias.
    Object {
        /// The alias.
        alias: String,
    },
    /// Objects of a kind in the scenario's namespace (or, for kinds of the cluster, anywhere).
    Resources {
        /// `apiVersion`, for example `batch/v1`.
        api_version: String,
        /// `kind`, for example `Job`.
        kind: String,
        /// Only the object of this name.
        name: Option<String>,
        /// Only objects with these labels.
        labels: BTreeMap<String, String>,
        /// Only objects whose chain of controller owner references leads to the object of this alias.
        of: Option<String>,
    },
    /// Requests of the subject to the API server; each is an object of its own with one version.
    Requests {
        /// Only these verbs; all if empty.
        verbs: Vec<String>,
        /// Only requests for this resource, with its subresource: `agentruns/status`.
        resource: Option<String>,
        /// Only requests for the object of this name.
        name: Option<String>,
    },
    /// Lines of the subject's log; each is an object of its own, a text.
    Log,
    /// Objects that a `render` step produced from the chart; they have no history, only one version.
    Rendered {
        /// The name given to the `render` step.
        of: String,
        /// `kind`.
        kind: String,
        /// Only the object of this name.
        name: Option<String>,
    },
}

/// What is said about one version of one object; all given parts have to hold.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// `Some(false)`: the object is not there (never existed, or its last version is a deletion).
    pub exists: Option<bool>,
    /// A subset of the object, with operators such as `$absent`; runtime templates are expanded by the
    /// engine before it is judged.
    pub matches: Option<Node>,
    /// The expected whole object.
    pub golden: Option<Golden>,
    /// A CEL expression over `self`, `case`, `namespace` and `objects`.
    pub cel: Option<Arc<Expression>>,
}

/// What names in expressions and targets stand for in a running scenario.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// Namespace of the scenario.
    pub namespace: String,
    /// The values of the case, a JSON object.
    pub case: serde_json::Value,
    /// Objects by alias, for targets and as `objects.<alias>` in expressions.
    pub objects: BTreeMap<String, BoundObject>,
    /// Rendered objects by the name of their `render` step.
    pub rendered: BTreeMap<String, Arc<Vec<serde_json::Value>>>,
}

/// The object behind an alias.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundObject {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Namespace; empty for objects of the cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `metadata.uid` as the API server answered when it was created.
    pub uid: String,
    /// The object as the API server answered, or as last seen.
    pub latest: Arc<serde_json::Value>,
}
