//! Do the reporters show that a run is not green? They are given runs of which that is known, and what they wrote
//! is read back by others than those who wrote it.
//!
//! A suite that notices every defect is worth nothing if its reports are green whatever it noticed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::ReportError;
use super::files::{JUNIT_FILE, REPORT_FILE};
use super::human::Human;
use super::settings::Settings;
use super::statement::Statement;
use super::task;
use crate::check::Failure;
use crate::cluster::{Backend, ClusterInfo};
use crate::count::count;
use crate::event::{
    CORE, CaseId, CaseInfo, CaseResult, Claims, Event, ImplementationInfo, Level, RequirementInfo, RunInfo,
    Verdict,
};
use crate::exit;
use crate::yaml::{Location, Source};

/// What every case of the made-up runs is about.
const REQUIREMENT: &str = "SELF-1";

/// A run that is not green, and what the reporters made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The run.
    pub run: &'static str,
    /// The exit code.
    pub exit: u8,
    /// The verdict of `report.yaml`.
    pub result: String,
    /// How many test cases of the `JUnit` file failed or are in trouble.
    pub junit: usize,
    /// Whether all of them are as they have to be.
    pub right: bool,
}

impl Shown {
    /// What the reporters made of it, in one line.
    pub fn words(&self) -> String {
        let Self { run, exit, result, junit, right } = self;
        let looks = if *right { "as it has to be" } else { "WRONGLY" };
        format!(
            "a run that is {run} is reported {looks}: exit code {exit}, {result}, {} in JUnit",
            count(*junit, "bad test case")
        )
    }
}

/// A run and what has to be made of it.
struct Known {
    run: &'static str,
    verdict: Option<Verdict>,
    exit: u8,
    result: &'static str,
}

/// Reports a failed, an empty and an inconclusive run, each into a folder of its own, which is removed again.
/// Reporters wait for events and files, so they have a thread to themselves.
pub fn self_test() -> JoinHandle<Result<Vec<Shown>, ReportError>> {
    tokio::task::spawn_blocking(all_shown)
}

fn all_shown() -> Result<Vec<Shown>, ReportError> {
    let here = Source::new("self-test", String::new());
    let failure = Failure::refused(
        "the reporters show this".to_owned(),
        String::new(),
        "it is their test".to_owned(),
        &Location::start_of(&here),
        Vec::new(),
    );
    let known = [
        Known {
            run: "failed",
            verdict: Some(Verdict::Failed(Box::new(failure))),
            exit: exit::NON_CONFORMANT,
            result: "nonConformant",
        },
        Known { run: "empty", verdict: None, exit: exit::NOTHING_RUN, result: "nothingRun" },
        Known {
            run: "inconclusive",
            verdict: Some(Verdict::Inconclusive { reason: "it is their test".to_owned() }),
            exit: exit::INCONCLUSIVE,
            result: "inconclusive",
        },
    ];
    known.into_iter().map(shown).collect()
}

fn shown(known: Known) -> Result<Shown, ReportError> {
    let temporary = tempfile::tempdir()
        .map_err(|source| ReportError::CreateFolder { path: std::env::temp_dir(), source })?;
    let folder = temporary.path();
    let (sender, receiver) = mpsc::unbounded_channel();
    for event in events(known.verdict) {
        let _received_below = sender.send(event);
    }
    drop(sender);
    let unseen = Human::new(std::io::sink(), Settings::default());
    let summary = task::report(receiver, Some(folder), None, unseen)?;
    let result = Statement::parse(&Source::new(REPORT_FILE, read(folder, REPORT_FILE)?))?.result;
    let junit = quick_junit::Report::deserialize_from_str(&read(folder, JUNIT_FILE)?)
        .map_err(|error| unreadable(folder, JUNIT_FILE, &error))?;
    let junit = junit.failures + junit.errors;
    let right = summary.exit == known.exit && result == known.result && junit == 1;
    Ok(Shown { run: known.run, exit: summary.exit, result, junit, right })
}

fn read(folder: &Path, name: &str) -> Result<String, ReportError> {
    std::fs::read_to_string(folder.join(name)).map_err(|error| unreadable(folder, name, &error))
}

fn unreadable(folder: &Path, name: &str, error: &dyn std::error::Error) -> ReportError {
    ReportError::Read { path: folder.join(name), reason: error.to_string() }
}

/// A run with a case of this verdict, or with none, after one that passed unless that would be all.
fn events(verdict: Option<Verdict>) -> Vec<Event> {
    let verdicts: Vec<Verdict> = verdict.map_or_else(Vec::new, |verdict| vec![Verdict::Passed, verdict]);
    let id = |number: usize| CaseId { scenario: format!("case-{number}"), case: String::new() };
    let planned = (0..verdicts.len()).map(|number| CaseInfo {
        id: id(number),
        area: "self-test".to_owned(),
        file: String::new(),
        summary: String::new(),
        requirements: vec![REQUIREMENT.to_owned()],
        invariants: Vec::new(),
        goldens: Vec::new(),
        declined: false,
    });
    let mut events = vec![Event::RunStarted(Box::new(about(planned.collect())))];
    events.extend(verdicts.into_iter().enumerate().map(|(number, verdict)| {
        Event::CaseFinished(Box::new(CaseResult {
            id: id(number),
            verdict,
            elapsed: Duration::ZERO,
            namespace: String::new(),
            timeline: Vec::new(),
            history: None,
        }))
    }));
    events.push(Event::RunFinished { elapsed: Duration::ZERO, interrupted: false });
    events
}

fn about(cases: Vec<CaseInfo>) -> RunInfo {
    RunInfo {
        run_id: "self-test".to_owned(),
        cluster: ClusterInfo {
            backend: Backend::Local,
            distribution: String::new(),
            kubernetes_version: String::new(),
            node: false,
            disposable: true,
        },
        cluster_start: Duration::ZERO,
        helm_version: String::new(),
        implementation: ImplementationInfo {
            name: "self-test".to_owned(),
            version: String::new(),
            url: String::new(),
            organization: String::new(),
        },
        claims: Claims::default(),
        suite: "self-test".to_owned(),
        suite_digest: String::new(),
        chart_digest: String::new(),
        artifacts: Vec::new(),
        goldens: BTreeMap::new(),
        host: None,
        requirements: vec![RequirementInfo {
            id: REQUIREMENT.to_owned(),
            statement: String::new(),
            level: Level::Must,
            feature: CORE.to_owned(),
            source: String::new(),
            unproved: None,
        }],
        cases,
        filtered: false,
        replayed: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_reporters_show_what_is_not_green() {
        let shown = self_test().await.expect("a thread").expect("reports are written");
        let told: Vec<_> = shown.iter().map(|it| (it.run, it.exit, it.result.as_str(), it.junit)).collect();
        let expected = [
            ("failed", 1, "nonConformant", 1),
            ("empty", 4, "nothingRun", 1),
            ("inconclusive", 3, "inconclusive", 1),
        ];
        assert_eq!(told, expected);
        assert!(shown.iter().all(|it| it.right));
    }

    #[test]
    fn what_is_shown_green_is_not_right() {
        let green = Known {
            run: "failed",
            verdict: Some(Verdict::Passed),
            exit: exit::NON_CONFORMANT,
            result: "nonConformant",
        };
        let shown = shown(green).expect("reports are written");
        assert_eq!((shown.exit, shown.junit, shown.right), (exit::CONFORMANT, 0, false));
    }
}
