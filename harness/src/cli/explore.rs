//! `hallmark explore`.

pub(super) mod args;

use tokio::sync::mpsc;

use self::args::ExploreArgs;
use super::args::Output;
use super::console::Console;
use super::session::Session;
use super::{defect, run, signal};
use crate::engine::{self, ExploreRequest};
use crate::exit;
use crate::report::{self, Exploration, exploration};

/// Scenarios with this label are explored unless others are named.
const LABEL: &str = "life";

pub(super) async fn explore(args: ExploreArgs, output: &Output, console: Console) -> u8 {
    let (suite, implementation) = match run::load(&args.suite.path, args.implementation.as_deref(), console) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let Some(implementation) = implementation else {
        console.error(&engine::EngineError::NoImplementation);
        return exit::USAGE;
    };
    let mut filter = args.filter.filter();
    if filter.is_empty() {
        let lives = suite.cases().iter().filter(|case| case.labels.contains_key(LABEL));
        filter.exact = lives.map(|case| case.id.to_string()).collect();
        if filter.exact.is_empty() {
            console.say(&format!("no scenario has the label `{LABEL}`; name what to explore with --name"));
            return exit::NOTHING_RUN;
        }
    }
    let wanted = filter.select(suite.cases()).len();
    let implementation = match &args.defect {
        Some(name) => match defect::planted(&implementation, name, output, console).await {
            Ok(defective) => defective,
            Err(code) => return code,
        },
        None => implementation,
    };
    let Session { supervisor, sink, reporter, cancel } = match Session::begin(output, console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let cluster = args.cluster.spec(supervisor);
    let request = ExploreRequest { suite, filter, implementation, cluster, jobs: args.jobs.get() };
    let (sender, mut lives) = mpsc::unbounded_channel();
    let explored = Box::pin(engine::explore(request, sender, sink, cancel.clone())).await;
    let interrupted = cancel.is_cancelled();
    signal::stop(&cancel);
    let _panicked = reporter.await;
    if let Err(error) = explored {
        console.error(&error);
        return exit::INCONCLUSIVE;
    }
    let mut done = Vec::new();
    while let Ok(life) = lives.try_recv() {
        console.say(&exploration::table(&life));
        done.push(life);
    }
    let complete = done.len() == wanted && !interrupted;
    let exploration = Exploration { defect: args.defect, lives: done, complete };
    console.say(&exploration.verdict());
    let saved =
        exploration.page().and_then(|page| report::save(&args.report_dir, "explore", &exploration, &page));
    if let Err(error) = saved {
        console.error(&error);
        return exit::INCONCLUSIVE;
    }
    exploration.exit()
}
