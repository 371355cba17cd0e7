//! `hallmark dev`.

pub(super) mod args;
mod watch;

use std::collections::BTreeSet;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use self::args::DevArgs;
use self::watch::Watch;
use super::args::Output;
use super::console::Console;
use super::session::Session;
use super::{run, signal};
use crate::count::count;
use crate::engine::{Round, Workbench, WorkbenchRequest};
use crate::event::EventSink;
use crate::exit;
use crate::report::{self, Settings};
use crate::scenario::suite::Suite;
use crate::scenario::{Changes, Filter};
use crate::subject::Implementation;

pub(super) async fn dev(args: DevArgs, output: &Output, console: Console) -> u8 {
    let mut watch = match Watch::start(&args.suite) {
        Ok(watch) => watch,
        Err(error) => {
            console.error(&error);
            return exit::USAGE;
        }
    };
    let Session { supervisor, sink, reporter, cancel } = match Session::begin(output, console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let mut filter = args.filter.filter();
    filter.names.extend(args.scenarios);
    let mut desk = Desk {
        suite: &args.suite,
        implementation: args.implementation.as_deref(),
        filter,
        settings: Settings { report_dir: Some(args.report_dir), ..output.settings() },
        console,
        sink,
        cancel: cancel.clone(),
        bench: None,
        request: Some(WorkbenchRequest {
            cluster: args.cluster.spec(supervisor),
            jobs: args.jobs.get(),
            keep: args.keep,
        }),
    };
    let worked = Box::pin(desk.work(&mut watch)).await;
    let closed = desk.close().await;
    signal::stop(&cancel);
    let _panicked = reporter.await;
    match (worked, closed) {
        (Ok(()), Ok(())) => exit::CONFORMANT,
        (Err(code), _) | (Ok(()), Err(code)) => code,
    }
}

/// What lies on the desk of somebody who writes scenarios.
struct Desk<'a> {
    suite: &'a Path,
    implementation: Option<&'a Path>,
    filter: Filter,
    settings: Settings,
    console: Console,
    /// News that belong to no round.
    sink: EventSink,
    cancel: CancellationToken,
    bench: Option<Workbench>,
    /// What the bench is opened with.
    request: Option<WorkbenchRequest>,
}

impl Desk<'_> {
    /// Runs what depends on a change, after each change, until somebody ends it. An error is the exit code of
    /// trouble that no change of a file ends.
    async fn work(&mut self, watch: &mut Watch) -> Result<(), u8> {
        // What changed since the last time that the suite was sound; nothing at all before the first time.
        let mut changes: Option<Changes> = None;
        loop {
            match run::load(self.suite, self.implementation, self.console) {
                Ok((suite, implementation)) => {
                    if let Err(error) = watch.follow(&suite) {
                        self.console.error(&error);
                    }
                    self.round(&suite, implementation.as_ref(), changes.as_ref()).await?;
                    changes = Some(Changes::default());
                }
                Err(_told) => self.console.say("waiting for a change"),
            }
            let saved = tokio::select! {
                saved = watch.next() => saved,
                () = self.cancel.cancelled() => return Ok(()),
                () = self.lost() => return Err(exit::INCONCLUSIVE),
            };
            if let Some(changes) = &mut changes {
                changes.extend(saved.paths().map(Path::to_owned));
            }
        }
    }

    async fn lost(&self) {
        match &self.bench {
            Some(bench) => bench.lost(&self.sink).await,
            None => std::future::pending().await,
        }
    }

    /// The cases to be run: what depends on the changes, and before the first one what a filter names.
    fn wanted(&self, suite: &Suite, changes: Option<&Changes>) -> Vec<String> {
        let selected = self.filter.select(suite.cases());
        let concerned: BTreeSet<_> = match changes {
            Some(changes) => changes.concerned(suite).into_iter().map(|case| &case.id).collect(),
            None if self.filter.is_empty() => BTreeSet::new(),
            None => suite.cases().iter().map(|case| &case.id).collect(),
        };
        let wanted = selected.into_iter().filter(|case| concerned.contains(&case.id));
        wanted.map(|case| case.id.to_string()).collect()
    }

    async fn round(
        &mut self,
        suite: &Suite,
        implementation: Option<&Implementation>,
        changes: Option<&Changes>,
    ) -> Result<(), u8> {
        let report_dir = self.settings.report_dir.clone();
        let all = self.filter.clone();
        self.open(&Round { suite, filter: &all, implementation, report_dir: None }).await?;
        let wanted = self.wanted(suite, changes);
        let Some(bench) = &mut self.bench else { return Ok(()) };
        if let Some(changes) = changes {
            let names: Vec<String> = changes.paths().map(shown).collect();
            if wanted.is_empty() && changes.are_about(suite) {
                self.console.say(&format!("no selected case depends on {}", names.join(", ")));
            } else if !wanted.is_empty() {
                self.console.say(&format!("\nchanged: {}", names.join(", ")));
            }
        } else if wanted.is_empty() {
            let all = self.filter.select(suite.cases()).len();
            let what = format!("{} of suite {}", count(all, "case"), suite.name());
            self.console.say(&format!("ready for {what}: save a scenario, a fixture or a golden file"));
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let filter = Filter { exact: wanted, ..Filter::default() };
        let (sink, receiver) = EventSink::channel();
        let reporter = report::spawn(receiver, self.settings.clone());
        let cancel = self.cancel.child_token();
        let outcome =
            bench.round(Round { suite, filter: &filter, implementation, report_dir }, &sink, &cancel).await;
        // The reporter comes to its end with the last sink.
        drop(sink);
        self.console.reported(reporter.await);
        if let Err(error) = &outcome {
            self.console.error(error);
        }
        let lost = cancel.is_cancelled() && !self.cancel.is_cancelled();
        if lost { Err(exit::INCONCLUSIVE) } else { Ok(()) }
    }

    /// Starts what all rounds need, before the first one.
    async fn open(&mut self, round: &Round<'_>) -> Result<(), u8> {
        let Some(request) = self.request.take() else { return Ok(()) };
        match Box::pin(Workbench::open(request, round, &self.sink, &self.cancel)).await {
            Ok(bench) => {
                self.bench = bench;
                Ok(())
            }
            Err(error) => {
                self.console.error(&error);
                Err(run::exit_code(exit::INCONCLUSIVE, Some(&error)))
            }
        }
    }

    async fn close(self) -> Result<(), u8> {
        let Some(bench) = self.bench else { return Ok(()) };
        bench.close(&self.sink).await.map_err(|error| {
            self.console.error(&error);
            exit::INCONCLUSIVE
        })
    }
}

/// A path as somebody in this folder would write it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
