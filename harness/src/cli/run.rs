//! `hallmark run`.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::args::{Output, RunArgs};
use super::console::Console;
use super::signal;
use crate::cluster::process::Supervisor;
use crate::engine::{self, EngineError};
use crate::event::{EventSink, repetition};
use crate::exit;
use crate::report::{self, Settings, Summary, not_passed};
use crate::scenario::suite::{LoadOptions, Suite};
use crate::subject::Implementation;

/// Where GitHub Actions wants to be told what to show on the page of the job.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

pub(super) async fn run(args: RunArgs, output: &Output, console: Console) -> u8 {
    let mut suite =
        match Suite::load_with(&args.suite.path, LoadOptions { bless: args.bless, ..LoadOptions::default() })
        {
            Ok(suite) => suite,
            Err(error) => {
                console.problems(&error);
                return exit::USAGE;
            }
        };
    let implementation = match implementation(args.implementation.as_deref(), &suite, console) {
        Ok(implementation) => implementation,
        Err(code) => return code,
    };
    let mut filter = args.filter.filter();
    if args.rerun_failed {
        match not_passed(&args.report_dir) {
            Ok(names) if names.is_empty() => {
                console.say("every case of that run passed or was skipped");
                return exit::NOTHING_RUN;
            }
            Ok(names) => filter.exact = names.iter().map(|name| repetition(name).0.to_owned()).collect(),
            Err(error) => {
                console.error(&error);
                return exit::USAGE;
            }
        }
    }
    let share = filter.share(suite.cases());
    suite.repeat(args.repeat);
    let supervisor = match Supervisor::current_exe() {
        Ok(supervisor) => supervisor,
        Err(error) => {
            console.error(&error);
            return exit::INCONCLUSIVE;
        }
    };
    let settings = Settings {
        report_dir: Some(args.report_dir.clone()),
        step_summary: std::env::var_os(STEP_SUMMARY).filter(|file| !file.is_empty()).map(Into::into),
        ..output.settings()
    };
    let request = engine::Request {
        suite,
        filter,
        implementation,
        cluster: args.cluster.spec(supervisor.clone()),
        jobs: args.jobs.get(),
        report_dir: Some(args.report_dir),
        deadline: args.deadline,
        fail_fast: args.fail_fast,
        bless: args.bless,
        keep: args.keep,
        settle: false,
        load: Vec::new(),
        supervisor,
    };
    perform(request, settings, share, console).await.exit
}

/// What a run came to.
pub(super) struct Performed {
    /// Absent if not even the reporter came to its end.
    pub(super) summary: Option<Summary>,
    pub(super) interrupted: bool,
    pub(super) exit: u8,
}

/// Runs and reports until all is told, `note` first; a signal ends it in order.
pub(super) async fn perform(
    request: engine::Request,
    settings: Settings,
    note: Option<String>,
    console: Console,
) -> Performed {
    let (sink, receiver) = EventSink::channel();
    let cancel = CancellationToken::new();
    if let Err(error) = signal::cancel_on_signals(cancel.clone(), sink.clone()) {
        console.error(&error);
        return Performed { summary: None, interrupted: false, exit: exit::INCONCLUSIVE };
    }
    let reporter = report::spawn(receiver, settings);
    if let Some(note) = note {
        sink.note(note);
    }
    let outcome = engine::run(request, sink, cancel.clone()).await;
    let interrupted = cancel.is_cancelled();
    // Ends the signal task, and with it the last sink, so that the reporter comes to its end.
    signal::stop(&cancel);
    let summary = reporter.await;
    if let Err(error) = &outcome {
        console.error(error);
    }
    let trouble = outcome.as_ref().err();
    let summary = console.reported(summary);
    let exit = summary.as_ref().map_or(exit::INCONCLUSIVE, |summary| exit_code(summary.exit, trouble));
    Performed { summary, interrupted, exit }
}

/// Reads a suite and the implementation file; what is wrong with them is told, and the exit code returned.
pub(super) fn load(
    suite: &Path,
    named: Option<&Path>,
    console: Console,
) -> Result<(Suite, Option<Implementation>), u8> {
    let suite = Suite::load(suite).map_err(|error| {
        console.problems(&error);
        exit::USAGE
    })?;
    let implementation = implementation(named, &suite, console)?;
    Ok((suite, implementation))
}

/// Reads the implementation file that the command line or the suite names: one that is broken, or does not
/// say how a setting of the suite is named, is a mistake of the user like a broken suite, found before
/// anything is started or reported.
pub(super) fn implementation(
    named: Option<&Path>,
    suite: &Suite,
    console: Console,
) -> Result<Option<Implementation>, u8> {
    let Some(path) = named.or_else(|| suite.implementation()) else { return Ok(None) };
    let implementation = Implementation::load(path).map_err(|error| {
        console.error(&error);
        exit::USAGE
    })?;
    let fitted = engine::fit(implementation, suite).map_err(|error| {
        console.problems(&error);
        exit::USAGE
    })?;
    Ok(Some(fitted))
}

/// Trouble makes a green run inconclusive and hides no failure.
pub(super) fn exit_code(reported: u8, trouble: Option<&EngineError>) -> u8 {
    match trouble {
        _ if reported == exit::NON_CONFORMANT => reported,
        None => reported,
        Some(EngineError::NoImplementation) => exit::USAGE,
        Some(EngineError::Cluster(error)) if error.is_usage() => exit::USAGE,
        Some(_) => exit::INCONCLUSIVE,
    }
}

#[cfg(test)]
mod tests {
    use super::exit_code;
    use crate::cluster::ClusterError;
    use crate::engine::EngineError;
    use crate::exit;

    #[rstest::rstest]
    #[case::green(exit::CONFORMANT, None, exit::CONFORMANT)]
    #[case::wrong_usage(exit::INCONCLUSIVE, Some(EngineError::NoImplementation), exit::USAGE)]
    #[case::no_context(
        exit::INCONCLUSIVE,
        Some(EngineError::Cluster(ClusterError::NoContext { known: "dev".to_owned() })),
        exit::USAGE
    )]
    #[case::green_then_trouble(
        exit::CONFORMANT,
        Some(EngineError::PlayedJobsInactive(5)),
        exit::INCONCLUSIVE
    )]
    #[case::red_then_trouble(
        exit::NON_CONFORMANT,
        Some(EngineError::PlayedJobsInactive(5)),
        exit::NON_CONFORMANT
    )]
    fn trouble_hides_no_failure(
        #[case] reported: u8,
        #[case] trouble: Option<EngineError>,
        #[case] code: u8,
    ) {
        assert_eq!(exit_code(reported, trouble.as_ref()), code);
    }
}
