//! From a bundle to an opinion about its report.

use std::path::Path;

use super::compare::{Disagreement, compare};
use super::error::EvidenceError;
use super::manifest::RUN_FOLDER;
use super::open::Bundle;
use super::pack::sha256;
use super::suite;
use crate::engine;
use crate::event::{CaseResult, Event, EventSink, RunInfo, Verdict};
use crate::record::{RECORD_FILE, Recording};
use crate::report::{Aggregate, REPORT_FILE, Statement};
use crate::scenario::Filter;
use crate::scenario::suite::Suite;
use crate::yaml::Source;

/// What the record of a bundle says about its report.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Judged {
    /// What the report should say.
    pub statement: Statement,
    /// How many cases were judged again.
    pub cases: usize,
    /// How many cases were skipped by the report and left nothing to be judged.
    pub skipped: usize,
    /// What the report says otherwise.
    pub disagreements: Vec<Disagreement>,
}

/// Judges the packed record by the packed suite, without a cluster, and compares with the packed report.
pub fn judge(bundle: &Bundle) -> Result<Judged, EvidenceError> {
    let folder = tempfile::tempdir().map_err(EvidenceError::LayOut)?;
    lay_out(bundle, folder.path()).map_err(EvidenceError::LayOut)?;
    let run_folder = folder.path().join(RUN_FOLDER);
    let suite = Suite::load(&folder.path().join(&bundle.manifest.suite.root))
        .map_err(|error| EvidenceError::Suite(Box::new(error)))?;
    let recording = Recording::read(&run_folder.join(RECORD_FILE))?;
    let path = format!("{RUN_FOLDER}/{REPORT_FILE}");
    let text = bundle.files.get(&path).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let report = Statement::parse(&Source::new(&path, text))?;
    let (run, cases) = again(&suite, &recording, &report);
    let statement = Statement::of(&run)?;
    let mut disagreements = compare(&report, &statement);
    disagreements.extend(suite::other_suite(&suite, &recording.run));
    disagreements.extend(other_implementation(bundle, &recording.run));
    let recorded = |name: &str| recording.cases.contains_key(name);
    let skipped = report.cases.iter().filter(|case| is_skipped(&case.verdict) && !recorded(&case.name));
    Ok(Judged { cases, skipped: skipped.count(), disagreements, statement })
}

/// Whether the packed implementation file is another one than that of the run. Records of older versions do not
/// tell which that was.
fn other_implementation(bundle: &Bundle, run: &RunInfo) -> Option<Disagreement> {
    let packed = sha256(bundle.files.get(bundle.manifest.implementation.file.as_ref()?)?);
    let recorded = run.implementation_digest()?;
    (packed != recorded).then(|| Disagreement {
        reason: Some("the packed implementation file is not that of the run".to_owned()),
        ..Disagreement::new("the digest of the implementation file", recorded, &packed)
    })
}

fn is_skipped(verdict: &str) -> bool {
    verdict == "skipped"
}

/// Writes the entries as files; their paths were checked when the archive was unpacked.
pub(super) fn lay_out(bundle: &Bundle, folder: &Path) -> std::io::Result<()> {
    for (path, content) in &bundle.files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)?;
    }
    Ok(())
}

/// The run with verdicts as they are judged now, and how many these are.
fn again(suite: &Suite, recording: &Recording, report: &Statement) -> (Aggregate, usize) {
    let (sink, mut receiver) = EventSink::channel();
    engine::replay(suite, &Filter::default(), recording, &sink);
    drop(sink);
    let mut run = Aggregate::default();
    run.apply(&Event::RunStarted(Box::new(recording.run.clone())));
    let mut judged = 0;
    // The replay always ends, and says of the run what the record does.
    let mut ended = (std::time::Duration::ZERO, true);
    while let Ok(event) = receiver.try_recv() {
        match &event {
            Event::CaseFinished(result) => {
                // A case without entries keeps what the record says of it; that is no judgement.
                judged += usize::from(recording.cases.contains_key(&result.id.to_string()));
                run.apply(&event);
            }
            Event::RunFinished { elapsed, interrupted } => ended = (*elapsed, *interrupted),
            _ => {}
        }
    }
    // Whatever was skipped left nothing to be judged; everything else without a verdict stays inconclusive.
    for case in &recording.run.cases {
        let name = case.id.to_string();
        let reported = report.cases.iter().find(|case| case.name == name);
        let Some(reported) = reported.filter(|case| is_skipped(&case.verdict)) else { continue };
        if run.finished(&case.id) {
            continue;
        }
        run.apply(&Event::CaseFinished(Box::new(CaseResult {
            id: case.id.clone(),
            verdict: Verdict::Skipped { reason: reported.reason.clone().unwrap_or_default() },
            elapsed: std::time::Duration::ZERO,
            namespace: String::new(),
            timeline: Vec::new(),
            history: None,
        })));
    }
    let (elapsed, interrupted) = ended;
    run.apply(&Event::RunFinished { elapsed, interrupted });
    (run, judged)
}
