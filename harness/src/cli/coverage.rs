//! `hallmark coverage`.

use super::args::{CoverageArgs, ListFormat, Output};
use super::console::Console;
use super::run;
use crate::event::EventSink;
use crate::exit;
use crate::report::{self, Coverage, ProofRecord, ProofRecordError, Shift, proof};
use crate::scenario::suite::Suite;
use crate::subject::{Defect, Implementation, SubjectError, defects};

pub(super) async fn coverage(args: CoverageArgs, output: &Output, console: Console) -> u8 {
    let (suite, implementation) = match run::load(&args.suite.path, args.implementation.as_deref(), console) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if args.update && suite.proofs().is_none() {
        console.say("the suite names no file for `--update`; write `proofs: proofs.yaml` into its `spec`");
        return exit::USAGE;
    }
    let shifts = match shifts(&suite, args.update) {
        Ok(shifts) => shifts,
        Err(error) => {
            console.error(&error);
            return exit::USAGE;
        }
    };
    let known = match &implementation {
        Some(implementation) => known_defects(implementation, output).await,
        None => Ok(None),
    };
    let known = match known {
        Ok(known) => known,
        Err(error) => {
            console.error(&error);
            return exit::INCONCLUSIVE;
        }
    };
    let settings = implementation.as_ref().and_then(|implementation| implementation.defects.as_ref());
    let without_defect = match (&known, settings) {
        (Some(known), Some(settings)) => {
            proof::musts_without_defect(suite.requirements(), &settings.families, &settings.except, known)
        }
        _ => Vec::new(),
    };
    let coverage = Coverage::of(suite.requirements(), suite.cases(), known.as_deref(), &without_defect);
    let coverage = coverage.with_shifts(shifts);
    match args.format {
        ListFormat::Text => Console::data(&coverage.text()),
        ListFormat::Json => match serde_json::to_string_pretty(&coverage) {
            Ok(json) => Console::data(&json),
            Err(error) => {
                console.error(&error);
                return exit::INCONCLUSIVE;
            }
        },
    }
    coverage.exit()
}

/// Where what the suite proves differs from what it recorded, after recording it anew if that is wanted.
fn shifts(suite: &Suite, update: bool) -> Result<Vec<Shift>, ProofRecordError> {
    let Some(path) = suite.proofs() else { return Ok(Vec::new()) };
    let present = ProofRecord::of(suite.cases());
    if update {
        present.write(path)?;
        return Ok(Vec::new());
    }
    Ok(ProofRecord::read(path)?.shifts(&present))
}

/// The defects that the implementation can be given, if it can.
async fn known_defects(
    implementation: &Implementation,
    output: &Output,
) -> Result<Option<Vec<Defect>>, SubjectError> {
    let Some(settings) = &implementation.defects else { return Ok(None) };
    let (sink, receiver) = EventSink::channel();
    let reporter = report::spawn_progress(receiver, output.settings());
    let known = defects::list(implementation, settings, &sink).await;
    drop(sink);
    let _panicked = reporter.await;
    known.map(Some)
}
