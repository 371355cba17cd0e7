//! The conformance report: what was tested, on what, and what that says about each requirement.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::aggregate::{Aggregate, CaseView, Outcome};
use super::error::ReportError;
use super::profile::Profile;
use super::repetition::Repetition;
use super::requirement::{RequirementVerdict, RequirementView};
use super::shortfall::Shortfall;
use super::summary::{Conformance, Counts};
use crate::cluster::ClusterInfo;
use crate::event::{Artifact, HostInfo, ImplementationInfo, Level, NOT_STARTED};
use crate::schema;

const API_VERSION: &str = "hallmark.dev/v1alpha1";
const KIND: &str = "ConformanceReport";

/// The report as YAML, dated `now`.
pub(super) fn render(run: &Aggregate, now: Timestamp) -> Result<String, ReportError> {
    let value = serde_json::to_value(Document::new(run, now))?;
    Ok(crate::yaml::to_yaml(&value))
}

/// The cases, one JSON object a line.
pub(super) fn lines(run: &Aggregate) -> Result<String, ReportError> {
    let mut lines = String::new();
    for case in run.cases() {
        lines.push_str(&serde_json::to_string(&Case::new(case))?);
        lines.push('\n');
    }
    Ok(lines)
}

/// The JSON Schema of each line of `cases.ndjson`.
pub fn cases_schema() -> serde_json::Value {
    schema::of_output::<Case<'_>>()
}

/// The cases that failed, were inconclusive, or had not begun when the run ended at its first failure, by the
/// report in a folder.
pub fn not_passed(folder: &Path) -> Result<Vec<String>, ReportError> {
    let path = folder.join(super::REPORT_FILE);
    let unreadable = |reason: String| ReportError::Read { path: path.clone(), reason };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let documents = crate::yaml::parse_documents(&crate::yaml::Source::new(&path, text))
        .map_err(|problem| unreadable(problem.to_string()))?;
    let report = documents.first().map(crate::yaml::Node::to_json).unwrap_or_default();
    let cases = report.get("cases").and_then(serde_json::Value::as_array);
    let cases = cases.ok_or_else(|| unreadable("it lists no cases".to_owned()))?;
    if cases.is_empty() && report.get("result").and_then(serde_json::Value::as_str) == Some("inconclusive") {
        return Err(unreadable("its run came to none of its cases; run without `--rerun-failed`".to_owned()));
    }
    let field = |case: &serde_json::Value, name| {
        case.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let open = cases.iter().filter(|case| {
        let verdict = field(case, "verdict");
        ["failed", "inconclusive"].contains(&verdict.as_str()) || field(case, "reason") == NOT_STARTED
    });
    Ok(open.map(|case| field(case, "name")).collect())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    date: String,
    hallmark_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Subject<'a>>,
    result: Conformance,
    /// The profile that decides about the result; absent where there is no MUST.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    /// What else is not met; it does not change the result.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also_not_met: Vec<Shortfall>,
    interrupted: bool,
    filtered: bool,
    seconds: f64,
    statistics: Counts,
    profiles: Vec<Profile>,
    requirements: Vec<Requirement<'a>>,
    skipped: Vec<Skipped<'a>>,
    cases: Vec<Case<'a>>,
    /// Of the cases that were run several times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repetitions: Vec<Repetition>,
    notes: &'a [String],
}

/// What was tested on what; absent if the run did not come so far.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject<'a> {
    id: &'a str,
    implementation: &'a ImplementationInfo,
    claims: Claimed<'a>,
    suite: Digested<'a>,
    /// Absent where the cluster itself was tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    chart: Option<Digested<'a>>,
    /// What else the implementation is made of.
    #[serde(skip_serializing_if = "<[Artifact]>::is_empty")]
    artifacts: &'a [Artifact],
    cluster: &'a ClusterInfo,
    cluster_start_seconds: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    helm_version: &'a str,
    /// The machine of the harness; absent where the record does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a HostInfo>,
}

/// What the implementation says of itself.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claimed<'a> {
    /// Absent where it claims all.
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<&'a [String]>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unsupported: &'a [String],
    /// What was added to deadlines.
    slack_seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Digested<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    sha256: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Requirement<'a> {
    id: &'a str,
    level: Level,
    feature: &'a str,
    source: &'a str,
    statement: &'a str,
    verdict: RequirementVerdict,
    /// Why no scenario of the suite proves it, if none is meant to.
    #[serde(skip_serializing_if = "Option::is_none")]
    unproved: Option<&'a str>,
    /// Of a standing invariant: how many cases were judged on it. `scenarios` has those that broke it.
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<usize>,
    scenarios: Vec<Proof>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    name: String,
    verdict: &'static str,
    seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Skipped<'a> {
    name: String,
    reason: &'a str,
}

/// A case: a line of `cases.ndjson`, an element of `cases` in `report.yaml`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Case")]
struct Case<'a> {
    /// Id of the case: `scenario`, `scenario/row`, and `#2` behind it for its second run.
    name: String,
    /// Area label of the scenario.
    area: &'a str,
    /// File of the scenario.
    file: &'a str,
    /// What it claims.
    summary: &'a str,
    /// Ids of the requirements that it proves.
    requirements: &'a [String],
    /// `passed`, `failed`, `inconclusive` or `skipped`.
    verdict: &'static str,
    /// From its first step to its verdict, to the millisecond.
    seconds: f64,
    /// The claim that failed, or why the case was inconclusive or skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// What was seen instead of what the claim says.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<&'a str>,
    /// Where the claim stands that failed: file and line.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// The same when the same claim fails in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    /// Standing invariants that the case broke.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    broken: Vec<&'a str>,
}

impl<'a> Document<'a> {
    pub(super) fn new(run: &'a Aggregate, now: Timestamp) -> Self {
        let summary = run.summary();
        Self {
            api_version: API_VERSION,
            kind: KIND,
            date: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            hallmark_version: env!("CARGO_PKG_VERSION"),
            run: run.info().map(|info| Subject {
                id: &info.run_id,
                implementation: &info.implementation,
                claims: Claimed {
                    features: info.claims.features.as_deref(),
                    unsupported: &info.claims.unsupported,
                    slack_seconds: seconds(info.claims.slack),
                },
                suite: Digested { name: Some(&info.suite), sha256: &info.suite_digest },
                chart: (!info.chart_digest.is_empty())
                    .then(|| Digested { name: None, sha256: &info.chart_digest }),
                artifacts: &info.artifacts,
                cluster: &info.cluster,
                cluster_start_seconds: seconds(info.cluster_start),
                helm_version: &info.helm_version,
                host: info.host.as_ref(),
            }),
            result: summary.conformance,
            decided_by: run.deciding_profile().map(|profile| profile.name),
            also_not_met: summary.shortfalls,
            interrupted: run.cut_short(),
            filtered: run.filtered(),
            seconds: seconds(run.elapsed()),
            statistics: summary.counts,
            profiles: run.profiles(),
            requirements: run.requirements().map(Requirement::new).collect(),
            skipped: run.cases().filter_map(Skipped::new).collect(),
            cases: run.cases().map(Case::new).collect(),
            repetitions: run.repetitions(),
            notes: run.notes(),
        }
    }
}

impl<'a> Requirement<'a> {
    fn new(view: RequirementView<'a>) -> Self {
        let info = view.info;
        let proof = |case: CaseView<'_>| Proof {
            name: case.info.id.to_string(),
            verdict: case.outcome.word(),
            seconds: seconds(case.elapsed),
        };
        Self {
            id: &info.id,
            level: info.level,
            feature: &info.feature,
            source: &info.source,
            statement: &info.statement,
            verdict: view.verdict,
            unproved: info.unproved.as_deref().filter(|_| view.verdict == RequirementVerdict::NotProved),
            judged: Some(view.judged).filter(|judged| *judged > 0),
            scenarios: view.cases.into_iter().map(proof).collect(),
        }
    }
}

impl<'a> Skipped<'a> {
    fn new(case: CaseView<'a>) -> Option<Self> {
        match case.outcome {
            Outcome::Skipped(reason) => Some(Self { name: case.info.id.to_string(), reason }),
            _ => None,
        }
    }
}

impl<'a> Case<'a> {
    fn new(case: CaseView<'a>) -> Self {
        let (reason, failure) = match case.outcome {
            Outcome::Passed => (None, None),
            Outcome::Skipped(reason) | Outcome::Inconclusive(reason) => (Some(reason), None),
            Outcome::Failed(failure) => (Some(failure.claim.as_str()), Some(failure)),
        };
        let place = failure.map(|failure| format!("{}:{}", failure.excerpt.file, failure.excerpt.line));
        let broken = failure.map(|failure| failure.broken.iter().map(|broken| broken.id.as_str()).collect());
        Self {
            name: case.info.id.to_string(),
            area: &case.info.area,
            file: &case.info.file,
            summary: &case.info.summary,
            requirements: &case.info.requirements,
            verdict: case.outcome.word(),
            seconds: seconds(case.elapsed),
            reason,
            nearest: failure.map(|failure| failure.nearest.as_str()).filter(|nearest| !nearest.is_empty()),
            place,
            fingerprint: failure.map(|failure| failure.fingerprint.as_str()),
            broken: broken.unwrap_or_default(),
        }
    }
}

/// Seconds to the millisecond, which is what a duration here is good for.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::{cases_schema, lines, not_passed, render};
    use crate::report::Aggregate;
    use crate::report::fixture::{Run, failed, inconclusive, passed, skipped};

    #[test]
    fn every_kind_of_verdict_is_told_per_requirement() {
        let run = Run::of([passed(), failed(), inconclusive(), skipped()]).aggregate();
        let now = "2026-03-01T10:00:00Z".parse().expect("a time");
        insta::assert_snapshot!(render(&run, now).expect("renders"));
    }

    /// From the schema `docs/record.md` is made.
    #[test]
    fn every_line_of_the_list_of_cases_is_described_with_all_of_its_keys() {
        let mut schema = cases_schema();
        schema["additionalProperties"] = false.into();
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let run = Run::of([passed(), failed(), inconclusive(), skipped()]).aggregate();
        let text = lines(&run).expect("renders");
        assert_eq!(text.lines().count(), 4);
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let errors: Vec<_> = validator.iter_errors(&line).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{line}: {errors:?}");
        }
    }

    #[test]
    fn a_report_without_cases_tells_of_no_failed_ones_only_if_its_run_came_to_an_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = "2026-03-01T10:00:00Z".parse().expect("a time");
        let not_passed_of = |run: &Aggregate| {
            super::super::write_all(folder.path(), run, now).expect("reports are written");
            not_passed(folder.path())
        };
        assert!(not_passed_of(&Run::of([]).aggregate()).expect("it selected nothing").is_empty());
        let error = not_passed_of(&Aggregate::default()).expect_err("it never began");
        assert!(error.to_string().contains("none of its cases"), "{error}");
        let failed = not_passed_of(&Run::of([passed(), failed()]).aggregate()).expect("one failed");
        assert_eq!(failed.len(), 1);
    }
}
