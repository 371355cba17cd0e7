//! Runs made up for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::aggregate::Aggregate;
use crate::check::golden::Diff;
use crate::check::{Difference, Failure, Since, SourceExcerpt};
use crate::cluster::{Backend, ClusterInfo};
use crate::event::{
    Artifact, ArtifactKind, CaseId, CaseInfo, CaseResult, Claims, Event, HostInfo, ImplementationInfo, Level,
    NOT_STARTED, RequirementInfo, RunInfo, Verdict,
};

/// A run whose n-th case (from 1) is `case-n`, in area `image` or `ttl` by turns, and names `IMG-0n` and `TTL-01`.
pub(crate) struct Run {
    verdicts: Vec<Option<Verdict>>,
    filtered: bool,
    end: Option<bool>,
    unplanned: Option<usize>,
}

impl Run {
    pub(crate) fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        Self {
            verdicts: verdicts.into_iter().map(Some).collect(),
            filtered: false,
            end: Some(false),
            unplanned: None,
        }
    }

    pub(super) fn filtered(self) -> Self {
        Self { filtered: true, ..self }
    }

    pub(super) fn interrupted(self) -> Self {
        Self { end: Some(true), ..self }
    }

    pub(super) fn without_end(self) -> Self {
        Self { end: None, ..self }
    }

    pub(super) fn without_verdict(mut self, index: usize) -> Self {
        self.verdicts[index] = None;
        self
    }

    pub(super) fn unplanned(self, index: usize) -> Self {
        Self { unplanned: Some(index), ..self }
    }

    /// `RunStarted`, then `CaseStarted` and `CaseFinished` per case, then `RunFinished`.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut cases: Vec<CaseInfo> = (0..self.verdicts.len()).map(case).collect();
        if let Some(index) = self.unplanned {
            cases.remove(index);
        }
        let mut events = vec![Event::RunStarted(Box::new(info(cases, self.filtered)))];
        for (index, verdict) in self.verdicts.iter().enumerate() {
            let id = case(index).id;
            events.push(Event::CaseStarted { case: id.clone() });
            if let Some(verdict) = verdict.clone() {
                let elapsed = Duration::from_millis(1_250);
                let namespace = format!("hm-{index}");
                events.push(Event::CaseFinished(Box::new(CaseResult {
                    id,
                    verdict,
                    elapsed,
                    namespace,
                    timeline: Vec::new(),
                    history: None,
                })));
            }
        }
        if let Some(interrupted) = self.end {
            events.push(Event::RunFinished { elapsed: Duration::from_millis(12_340), interrupted });
        }
        events
    }

    /// What a record holds of it: what the run is about, and how its cases ended.
    pub(crate) fn told(&self) -> (RunInfo, Vec<CaseResult>) {
        let (mut run, mut results) = (info(Vec::new(), self.filtered), Vec::new());
        for event in self.events() {
            match event {
                Event::RunStarted(info) => run = *info,
                Event::CaseFinished(result) => results.push(*result),
                _ => {}
            }
        }
        (run, results)
    }

    pub(super) fn aggregate(&self) -> Aggregate {
        let mut aggregate = Aggregate::default();
        self.events().iter().for_each(|event| aggregate.apply(event));
        aggregate
    }

    /// The same with another catalogue: some of its requirements are of these levels and features.
    pub(super) fn leveled(&self, changes: &[(&str, Level, &str)]) -> Aggregate {
        let mut aggregate = Aggregate::default();
        for mut event in self.events() {
            if let Event::RunStarted(info) = &mut event {
                for requirement in &mut info.requirements {
                    let change = changes.iter().find(|(id, ..)| *id == requirement.id);
                    if let Some((_, level, feature)) = change {
                        (requirement.level, requirement.feature) = (*level, (*feature).to_owned());
                    }
                }
            }
            aggregate.apply(&event);
        }
        aggregate
    }
}

pub(crate) fn passed() -> Verdict {
    Verdict::Passed
}

pub(crate) fn skipped() -> Verdict {
    Verdict::Skipped { reason: "needs a node".to_owned() }
}

pub(super) fn not_started() -> Verdict {
    Verdict::Skipped { reason: NOT_STARTED.to_owned() }
}

pub(crate) fn inconclusive() -> Verdict {
    Verdict::Inconclusive { reason: "the API server did not answer for 10 s".to_owned() }
}

pub(crate) fn failed() -> Verdict {
    let at = "2026-03-01T10:00:04.250Z".parse().expect("a time");
    Verdict::Failed(Box::new(Failure {
        claim: "eventually (5 s) Job of run: matches expected/plain.job.yaml".to_owned(),
        object: "Job hm-1/run-job".to_owned(),
        nearest: "5 of 6 paths at version 815, 3.2 s after the step".to_owned(),
        differences: vec![
            Difference {
                path: "spec.ttlSecondsAfterFinished".to_owned(),
                expected: "30".to_owned(),
                actual: "5".to_owned(),
                since: Some(Since {
                    at,
                    resource_version: 815,
                    manager: Some("agents-controller".to_owned()),
                }),
            },
            Difference {
                path: "spec.template.spec.containers[name=agent-runner].image".to_owned(),
                expected: "\"a:1\"".to_owned(),
                actual: "absent".to_owned(),
                since: None,
            },
        ],
        diff: Some(Diff {
            hunks: "--- expected\n+++ actual\n@@ -1,3 +1,3 @@\n spec:\n-  ttl: 30\n+  ttl: 5\n".to_owned(),
            whole:
                "--- expected\n+++ actual\n@@ -1,5 +1,5 @@\n spec:\n-  ttl: 30\n+  ttl: 5\n   more: true\n"
                    .to_owned(),
        }),
        excerpt: SourceExcerpt {
            file: "scenarios/ttl.yaml".to_owned(),
            line: 12,
            column: 5,
            text:
                "error: claim\n  --> scenarios/ttl.yaml:12:5\n   |\n12 | - eventually: {}\n   |   ^^^^^^^^^^"
                    .to_owned(),
        },
        trail: vec![
            "10:00:03.100 Job hm-1/run-job added".to_owned(),
            "10:00:03.200 log \u{1b}[31mred\u{1b}[0m <&>".to_owned(),
        ],
        fingerprint: "f00d".to_owned(),
        broken: Vec::new(),
    }))
}

fn case(index: usize) -> CaseInfo {
    let number = index + 1;
    CaseInfo {
        id: CaseId { scenario: format!("case-{number}"), case: String::new() },
        area: if index.is_multiple_of(2) { "image" } else { "ttl" }.to_owned(),
        file: format!("scenarios/case-{number}.yaml"),
        summary: format!("Claim number {number}."),
        requirements: vec![format!("IMG-0{number}"), "TTL-01".to_owned()],
        invariants: Vec::new(),
        goldens: vec!["expected/plain.job.yaml".to_owned()],
        declined: false,
    }
}

pub(crate) fn info(cases: Vec<CaseInfo>, filtered: bool) -> RunInfo {
    let requirement = |id: &str, statement: &str, level| RequirementInfo {
        id: id.to_owned(),
        statement: statement.to_owned(),
        level,
        feature: "core".to_owned(),
        source: "S1".to_owned(),
        unproved: None,
    };
    RunInfo {
        run_id: "r4nd0m".to_owned(),
        cluster: ClusterInfo {
            backend: Backend::Local,
            distribution: "upstream Kubernetes processes".to_owned(),
            kubernetes_version: "v1.35.4".to_owned(),
            node: false,
            disposable: true,
        },
        cluster_start: Duration::from_millis(4_200),
        helm_version: "v4.3.1".to_owned(),
        implementation: ImplementationInfo {
            name: "agents-controller".to_owned(),
            version: "0.1.0".to_owned(),
            url: "https://example.com".to_owned(),
            organization: "Example".to_owned(),
        },
        claims: Claims::default(),
        suite: "agents".to_owned(),
        suite_digest: "5u17e".to_owned(),
        chart_digest: "cha27".to_owned(),
        artifacts: vec![Artifact {
            kind: ArtifactKind::Program,
            name: "../target/release/agents-controller".to_owned(),
            sha256: "pr09".to_owned(),
        }],
        host: Some(HostInfo {
            os: "Debian GNU/Linux 13 (trixie)".to_owned(),
            kernel: "6.12.0".to_owned(),
            architecture: "x86_64".to_owned(),
            cores: 2,
        }),
        goldens: BTreeMap::from([("expected/plain.job.yaml".to_owned(), "kind: Job\n".to_owned())]),
        requirements: vec![
            requirement("IMG-01", "A run without image uses the default", Level::Must),
            requirement("IMG-02", "The run's own image beats every default", Level::Must),
            requirement("IMG-03", "Without a runner default, the agent image is used", Level::Must),
            requirement("TTL-01", "With nothing configured the TTL is 600", Level::Must),
            requirement("TTL-99", "Nobody proves this", Level::Should),
        ],
        cases,
        filtered,
        replayed: false,
    }
}
