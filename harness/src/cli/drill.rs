//! `hallmark drill`.

pub(super) mod args;

use self::args::DrillArgs;
use super::args::Output;
use super::console::Console;
use super::session::Session;
use super::{run, signal};
use crate::cluster::process::Supervisor;
use crate::cluster::{BackendChoice, ClusterSpec};
use crate::drill::{self, DrillError, DrillRequest, EngineMutant};
use crate::engine::EngineError;
use crate::event::EventSink;
use crate::exit;
use crate::report::{self, drill as words};
use crate::scenario::suite::Suite;
use crate::subject::{Implementation, defects};

pub(super) async fn drill(args: DrillArgs, output: &Output, console: Console) -> u8 {
    let (suite, implementation) = match run::load(&args.suite.path, args.implementation.as_deref(), console) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let Some(implementation) = implementation else {
        console.error(&EngineError::NoImplementation);
        return exit::USAGE;
    };
    let Session { supervisor, sink, reporter, cancel } = match Session::begin(output, console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let done =
        cancel.run_until_cancelled(Box::pin(drilled(&args, &suite, implementation, supervisor, sink))).await;
    signal::stop(&cancel);
    let _panicked = reporter.await;
    match done {
        None => exit::INCONCLUSIVE,
        Some(Err(error)) => {
            console.error(&error);
            if error.is_usage() {
                exit::USAGE
            } else if error.is_subject_fault() {
                exit::NON_CONFORMANT
            } else {
                exit::INCONCLUSIVE
            }
        }
        Some(Ok(drill)) => {
            console.say(&words::text(&drill));
            let saved =
                words::page(&drill).and_then(|page| report::save(&args.report_dir, "drill", &drill, &page));
            if let Err(error) = saved {
                console.error(&error);
                return exit::INCONCLUSIVE;
            }
            if args.json {
                match serde_json::to_string_pretty(&drill) {
                    Ok(json) => Console::data(&json),
                    Err(error) => {
                        console.error(&error);
                        return exit::INCONCLUSIVE;
                    }
                }
            }
            words::exit(&drill)
        }
    }
}

async fn drilled(
    args: &DrillArgs,
    suite: &Suite,
    implementation: Implementation,
    supervisor: Supervisor,
    sink: EventSink,
) -> Result<drill::Drill, DrillError> {
    let setting = suite.drill().ok_or(DrillError::NoDrill)?.clone();
    let mutant = args.defect.as_deref().and_then(EngineMutant::named);
    let implementation = match &args.defect {
        Some(name) if mutant.is_none() => with_defect(implementation, name, &sink).await?,
        _ => implementation,
    };
    let request = DrillRequest {
        setting,
        runs: args.runs,
        implementation,
        mutant,
        defect: args.defect.clone(),
        cluster: ClusterSpec {
            backend: BackendChoice::Local,
            kubernetes: args.kubernetes,
            supervisor,
            ..ClusterSpec::default()
        },
        quiet: args.quiet_for.try_into().unwrap_or_default(),
        promised: args.recovery.and_then(|time| time.try_into().ok()),
    };
    Box::pin(drill::drill(request, sink)).await
}

/// The implementation with a defect of its own; an error names those that there are.
async fn with_defect(
    implementation: Implementation,
    name: &str,
    sink: &EventSink,
) -> Result<Implementation, DrillError> {
    let mut known: Vec<String> = EngineMutant::ALL.iter().map(|mutant| mutant.name().to_owned()).collect();
    if let (Some(settings), Some(defective)) = (implementation.defects.clone(), implementation.defective()) {
        let all = defects::list(&implementation, &settings, sink).await;
        let all = all.map_err(DrillError::subject("list the defects"))?;
        if all.iter().any(|defect| defect.name == name) {
            return Ok(defective.with_defect(name));
        }
        known.extend(all.into_iter().map(|defect| defect.name));
    }
    Err(DrillError::UnknownDefect { name: name.to_owned(), known })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use jiff::SignedDuration;

    use crate::cli::args::{Cli, Command};

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn a_drill_is_of_a_thousand_runs_and_of_ten_at_least() {
        let Command::Drill(args) = parse("hallmark drill").unwrap().command else { panic!() };
        assert_eq!((args.runs, args.recovery), (1000, None));
        assert!(parse("hallmark drill --runs 9").is_err());
        let line = "hallmark --quiet drill mine --runs 10 --quiet-for 2s --recovery 1m";
        let Command::Drill(args) = parse(line).unwrap().command else { panic!() };
        assert_eq!(args.quiet_for, SignedDuration::from_secs(2));
        assert_eq!(args.recovery, Some(SignedDuration::from_mins(1)));
    }
}
