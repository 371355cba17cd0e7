//! `hallmark report`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::args::ReportArgs;
use super::console::Console;
use crate::engine;
use crate::exit;
use crate::record::Recording;
use crate::report::{self, Aggregate, Beside};
use crate::scenario::suite::Suite;

pub(super) fn report(args: &ReportArgs, console: Console) -> u8 {
    let suite = match args.suite.as_deref().map(Suite::load).transpose() {
        Ok(suite) => suite,
        Err(error) => {
            console.problems(&error);
            return exit::USAGE;
        }
    };
    let recording = match Recording::read(&args.from) {
        Ok(recording) => recording,
        Err(error) => {
            console.error(&error);
            return exit::USAGE;
        }
    };
    let beside = || args.from.parent().map_or_else(PathBuf::new, Path::to_owned);
    let folder = args.report_dir.clone().unwrap_or_else(beside);
    let mut run = Aggregate::default().with(Beside::read(&folder));
    for event in engine::recall(&recording, suite.as_ref()) {
        run.apply(&event);
    }
    // The report is of then, so that it is the same whenever it is made.
    let then = recording.last().unwrap_or_else(Timestamp::now);
    let written = match args.format {
        Some(format) => format.render(&run, then).map(|text| Console::data(&text)),
        None => report::write_all(&folder, &run, then)
            .map(|()| console.say(&format!("reports written to {}", folder.display()))),
    };
    match written {
        Ok(()) => exit::CONFORMANT,
        Err(error) => {
            console.error(&error);
            exit::INCONCLUSIVE
        }
    }
}
