//! `hallmark replay`.

use super::args::{Output, ReplayArgs};
use super::console::Console;
use crate::engine;
use crate::event::EventSink;
use crate::exit;
use crate::record::Recording;
use crate::report::{self, Progress, Settings};
use crate::scenario::suite::{LoadOptions, Suite};

pub(super) async fn replay(args: ReplayArgs, output: &Output, console: Console) -> u8 {
    let options = LoadOptions { instead: args.scenario.as_deref(), ..LoadOptions::default() };
    let suite = match Suite::load_with(&args.suite, options) {
        Ok(suite) => suite,
        Err(error) => {
            console.problems(&error);
            return exit::USAGE;
        }
    };
    let recording = match Recording::read(&args.record) {
        Ok(recording) => recording,
        Err(error) => {
            console.error(&error);
            return exit::USAGE;
        }
    };
    let (sink, receiver) = EventSink::channel();
    let reporter = report::spawn(
        receiver,
        Settings { report_dir: args.report_dir, progress: Progress::Lines, ..output.settings() },
    );
    engine::replay(&suite, &args.filter.filter(), &recording, &sink);
    // The reporter comes to its end with the last sink.
    drop(sink);
    console.reported(reporter.await).map_or(exit::INCONCLUSIVE, |summary| summary.exit)
}
