//! What a run tells its reporters.
//!
//! The engine, the clusters and the subjects send typed [`Event`]s into an [`EventSink`]; reporters are
//! the only ones who print or write result files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::check::{Failure, History, Moment};
use crate::cluster::ClusterInfo;

/// Something that happened in a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// A phase of preparation began or moved on, for example the build of a cluster binary.
    Progress {
        /// What is being prepared, stable while it lasts: `building kube-apiserver v1.35.4`.
        phase: String,
        /// Where it is by now; empty at the beginning.
        detail: String,
    },
    /// A phase of preparation ended well.
    ProgressDone {
        /// The phase of the matching [`Event::Progress`].
        phase: String,
        /// How long it took.
        elapsed: Duration,
    },
    /// Something that people should know and that is no verdict.
    Note {
        /// One sentence.
        message: String,
    },
    /// What ends a run before its end.
    Trouble {
        /// One sentence, and what a log tells of it.
        message: String,
    },
    /// All that is known before the first scenario.
    RunStarted(Box<RunInfo>),
    /// Instead of [`Event::RunStarted`]: filters left no case that could be run, so nothing is started. The
    /// end of each case follows: they are skipped.
    NothingToRun {
        /// The selected cases.
        cases: Vec<CaseInfo>,
        /// Whether filters left out others.
        filtered: bool,
    },
    /// A case began.
    CaseStarted {
        /// Which.
        case: CaseId,
    },
    /// A case ended.
    CaseFinished(Box<CaseResult>),
    /// The run ended; nothing follows.
    RunFinished {
        /// Wall time from start to end.
        elapsed: Duration,
        /// Whether it was ended before all its cases had: by somebody, by its deadline, or with its cluster.
        interrupted: bool,
    },
}

/// What a run is about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunInfo {
    /// Random name of the run, a label on everything it makes.
    pub run_id: String,
    /// The cluster.
    pub cluster: ClusterInfo,
    /// How long the cluster took to start; zero if it was there.
    #[serde(rename = "clusterStart")]
    pub cluster_start: Duration,
    /// `helm version` in short form.
    pub helm_version: String,
    /// The implementation under test.
    pub implementation: ImplementationInfo,
    /// What it says of itself.
    #[serde(default)]
    pub claims: Claims,
    /// Name of the suite.
    pub suite: String,
    /// SHA-256 over the suite's files.
    pub suite_digest: String,
    /// SHA-256 over the chart's files.
    pub chart_digest: String,
    /// The files that the implementation is made of beside its chart; records of older versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// The machine of the harness, and of processes and local clusters; records of older versions do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostInfo>,
    /// The golden files of the selected cases, each with its text; records of older versions have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub goldens: BTreeMap<String, String>,
    /// The catalogue, to report requirements that no selected case proves.
    pub requirements: Vec<RequirementInfo>,
    /// The selected cases in plan order, skipped ones included.
    pub cases: Vec<CaseInfo>,
    /// Whether filters left out cases: such a run never says "conformant".
    pub filtered: bool,
    /// Whether a stored record is judged again instead of a cluster.
    #[serde(default)]
    pub replayed: bool,
}

impl RunInfo {
    /// SHA-256 of the implementation file, where the record tells it.
    pub fn implementation_digest(&self) -> Option<&str> {
        let file = self.artifacts.iter().find(|artifact| artifact.kind == ArtifactKind::Implementation);
        file.map(|file| file.sha256.as_str())
    }
}

/// Identity of the implementation under test.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImplementationInfo {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Where it comes from.
    pub url: String,
    /// Who made it.
    pub organization: String,
}

/// A file that the implementation is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// What it is.
    pub kind: ArtifactKind,
    /// As the implementation file names it.
    pub name: String,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// What a file of an implementation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ArtifactKind {
    /// The implementation file itself.
    Implementation,
    /// The chart of the version before, with which releases begin that are upgraded.
    PreviousChart,
    /// Values of every install of a chart.
    Values,
    /// Objects that are applied.
    Manifest,
    /// A program that runs, or its script.
    Program,
}

/// The machine on which the harness runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostInfo {
    /// The operating system, as it names itself.
    pub os: String,
    /// Version of the kernel.
    pub kernel: String,
    /// Of the processors.
    pub architecture: String,
    /// Processors that the harness may use.
    pub cores: usize,
}

/// What an implementation says of itself, beyond who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// Features that it claims, `core` among them; null claims all.
    pub features: Option<Vec<String>>,
    /// Settings and requirements that it does not support.
    pub unsupported: Vec<String>,
    /// Time that it gets beyond what scenarios give it.
    pub slack: Duration,
}

/// The feature that every implementation has to have.
pub const CORE: &str = "core";

/// Why a case was skipped that had not begun when a run ended at its first failure.
pub const NOT_STARTED: &str = "not started after the first failure (--fail-fast)";

impl Claims {
    /// Whether a feature is claimed; `core` always is.
    pub fn claims(&self, feature: &str) -> bool {
        feature == CORE
            || self.features.as_ref().is_none_or(|claimed| claimed.iter().any(|name| name == feature))
    }
}

/// One row of the requirement catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequirementInfo {
    /// For example `TTL-03`.
    pub id: String,
    /// One testable sentence.
    pub statement: String,
    /// How binding it is.
    pub level: Level,
    /// The feature it belongs to, for example `core`.
    pub feature: String,
    /// Where the rule comes from.
    pub source: String,
    /// Why no scenario of the suite proves it, if none is meant to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproved: Option<String>,
}

/// How binding a requirement is (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Without it an implementation is not conformant.
    Must,
    /// Recommended.
    Should,
    /// Allowed.
    May,
}

impl Level {
    /// The word of RFC 2119.
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// A scenario and one of its cases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct CaseId {
    /// Name of the scenario, unique in its suite.
    pub scenario: String,
    /// Name of the case; empty for a scenario without a case table.
    pub case: String,
}

impl std::fmt::Display for CaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.scenario)?;
        match self.case.as_str() {
            "" => Ok(()),
            number if number.starts_with('#') => f.write_str(number),
            case => write!(f, "/{case}"),
        }
    }
}

impl CaseId {
    /// The id of the `number`th run of this case, from 1, where a run repeats its cases: `ttl/word#2`.
    #[must_use]
    pub fn repeated(&self, number: u32) -> Self {
        let case = if number > 1 { format!("{}#{number}", self.case) } else { self.case.clone() };
        Self { scenario: self.scenario.clone(), case }
    }

    /// The id of the first run of the same case.
    #[must_use]
    pub fn first(&self) -> Self {
        Self { scenario: self.scenario.clone(), case: repetition(&self.case).0.to_owned() }
    }
}

/// The name of the first run of a case and the number of this one, by the name of an id.
pub fn repetition(name: &str) -> (&str, u32) {
    let (first, number) = name.rsplit_once('#').unwrap_or((name, ""));
    number.parse().ok().filter(|number| *number > 1).map_or((name, 1), |number| (first, number))
}

/// A planned case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaseInfo {
    /// Which.
    pub id: CaseId,
    /// Area label of the scenario, for grouping.
    pub area: String,
    /// File of the scenario as shown to people.
    pub file: String,
    /// What it claims.
    pub summary: String,
    /// The requirement ids that it proves.
    pub requirements: Vec<String>,
    /// The requirement ids of the standing invariants that it is judged on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invariants: Vec<String>,
    /// The golden files with which it compares whole objects, as `goldens` of the run names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goldens: Vec<String>,
    /// Whether it is not run because the implementation says that it does not do what the case takes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declined: bool,
}

/// The end of a case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaseResult {
    /// Which.
    pub id: CaseId,
    /// How it ended.
    pub verdict: Verdict,
    /// From its first step to its verdict.
    pub elapsed: Duration,
    /// Its namespace; empty if it needed none.
    pub namespace: String,
    /// What was recorded, in words; a stored record does without, since it follows from the entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub timeline: Vec<Moment>,
    /// What happened to its objects, where it is one of several runs of the case.
    #[serde(skip)]
    pub history: Option<Arc<History>>,
}

/// How a case ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Every claim held.
    Passed,
    /// A claim did not hold.
    Failed(Box<Failure>),
    /// The cluster or the harness was in trouble; nothing is known about the implementation.
    Inconclusive {
        /// What went wrong.
        reason: String,
    },
    /// It was not run.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunEnd {
    /// From the start to the last verdict.
    pub elapsed: Duration,
    /// Whether it was ended before all its cases had: by somebody, by its deadline, or with its cluster.
    pub interrupted: bool,
}

/// Where events go. Cloning is cheap; sending never blocks and never fails.
#[derive(Debug, Clone)]
pub struct EventSink(mpsc::UnboundedSender<Event>);

impl EventSink {
    /// A sink and the receiver for the reporters.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// A sink that nobody listens to, for what belongs to a single case and would be in the way of the news
    /// of the run.
    pub fn silent() -> Self {
        Self::channel().0
    }

    /// Sends an event; without reporters it is dropped.
    pub fn send(&self, event: Event) {
        let _receiver_gone = self.0.send(event);
    }

    /// Tells how far a phase of preparation is.
    pub fn progress(&self, phase: impl Into<String>, detail: impl Into<String>) {
        self.send(Event::Progress { phase: phase.into(), detail: detail.into() });
    }

    /// Tells that a phase of preparation ended well.
    pub fn progress_done(&self, phase: impl Into<String>, elapsed: Duration) {
        self.send(Event::ProgressDone { phase: phase.into(), elapsed });
    }

    /// Tells something that is no verdict.
    pub fn note(&self, message: impl Into<String>) {
        self.send(Event::Note { message: message.into() });
    }

    /// Tells what ends the run before its end.
    pub fn trouble(&self, message: impl Into<String>) {
        self.send(Event::Trouble { message: message.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::{CaseId, repetition};

    #[rstest::rstest]
    #[case::without_a_table("", 1, "ttl")]
    #[case::second_run("", 2, "ttl#2")]
    #[case::with_a_row("word", 12, "ttl/word#12")]
    #[case::row_that_looks_numbered("a#b", 3, "ttl/a#b#3")]
    fn a_repeated_case_is_told_apart_and_leads_back(
        #[case] row: &str,
        #[case] number: u32,
        #[case] name: &str,
    ) {
        let first = CaseId { scenario: "ttl".to_owned(), case: row.to_owned() };
        let id = first.repeated(number);
        assert_eq!(id.to_string(), name);
        assert_eq!(id.first(), first);
        assert_eq!(repetition(name), (first.to_string().as_str(), number));
    }
}
