//! A suite as the tests of `cargo test`.
//!
//! A crate that wants its suite in `cargo test` (and `cargo nextest`) has a test target with
//! `harness = false` whose `main` calls [`main`]. Every case becomes a test of its own:
//!
//! ```text
//! arguments ──▶ selected cases ──▶ one run without a node, one with a node ──▶ verdicts
//!                                                                               │
//!                                      tests of libtest-mimic ◀──each waits for its own
//! ```
//!
//! Listing starts no cluster. The tests only wait; the runs schedule all cases by themselves, so that
//! `--test-threads` does not limit them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio_util::sync::CancellationToken;

use crate::cluster::process::Supervisor;
use crate::cluster::{BackendChoice, ClusterSpec, k3s};
use crate::engine::{self, Request};
use crate::event::{CaseId, Event, EventSink, Verdict};
use crate::report;
use crate::scenario::Filter;
use crate::scenario::suite::{LoadError, Suite};
use crate::subject::Implementation;

/// Names the image of the cluster with a node, as on the command line.
const IMAGE: &str = "HALLMARK_K3S_IMAGE";

/// Where the suite lies and what runs it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the suite.
    pub suite: PathBuf,
    /// The `hallmark` program, which watches over child processes: `env!("CARGO_BIN_EXE_hallmark")` in
    /// this crate, or wherever it is installed.
    pub hallmark: PathBuf,
    /// How many cases run at the same time.
    pub jobs: usize,
}

/// Runs the suite under the arguments of a test binary.
pub fn main(settings: &Settings) -> ExitCode {
    let arguments = Arguments::from_args();
    // An error means that a provider is installed already, which is as good.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let suite = match Suite::load(&settings.suite) {
        Ok(suite) => suite,
        Err(error) => return invalid(&arguments, &error),
    };
    let mut waiting = BTreeMap::new();
    let mut trials = Vec::new();
    let mut wanted = [Vec::new(), Vec::new()];
    for case in suite.cases() {
        let (sender, receiver) = channel();
        let name = case.id.to_string();
        let trial = Trial::ignorable_test(&name, move || outcome(&receiver))
            .with_kind("scenario")
            .with_ignored_flag(case.skip().is_some());
        let runs = !arguments.is_filtered_out(&trial) && !arguments.is_ignored(&trial);
        if let Some(list) = wanted.get_mut(usize::from(case.requires_node())).filter(|_| runs) {
            list.push(name);
        }
        waiting.insert(case.id.clone(), sender);
        trials.push(trial);
    }
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let [plain, node] = wanted;
    let (background, cancel) = (settings.clone(), CancellationToken::new());
    let runs = {
        let cancel = cancel.clone();
        std::thread::spawn(move || Runs { settings: background, waiting, cancel }.all(plain, node))
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    // All verdicts are in; what is left is to stop the clusters.
    let stopped = runs.join();
    match stopped {
        Ok(()) => conclusion.exit_code(),
        Err(_panic) => ExitCode::FAILURE,
    }
}

/// A suite with problems is one failing test that shows them all.
fn invalid(arguments: &Arguments, error: &LoadError) -> ExitCode {
    let problems: Vec<String> = error.diagnostics.iter().map(|problem| problem.render(false)).collect();
    let text = format!("{error}\n{}", problems.join("\n"));
    let trial = Trial::test("suite is valid", move || Err(Failed::from(text)));
    libtest_mimic::run(arguments, vec![trial]).exit_code()
}

/// Waits for the verdict of one case.
fn outcome(verdict: &Receiver<Verdict>) -> Result<Completion, Failed> {
    match verdict.recv() {
        Ok(Verdict::Passed) => Ok(Completion::Completed),
        Ok(Verdict::Failed(failure)) => Err(report::failure_text(&failure).into()),
        Ok(Verdict::Inconclusive { reason }) => Err(format!("inconclusive: {reason}").into()),
        Ok(Verdict::Skipped { reason }) => Ok(Completion::ignored_with(reason)),
        Err(_gone) => Err("inconclusive: the run ended without a verdict for this case".into()),
    }
}

/// The runs behind the tests.
struct Runs {
    settings: Settings,
    waiting: BTreeMap<CaseId, Sender<Verdict>>,
    cancel: CancellationToken,
}

impl Runs {
    fn all(mut self, plain: Vec<String>, node: Vec<String>) {
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return self.all_inconclusive(&format!("no runtime: {error}")),
        };
        runtime.block_on(async {
            if !plain.is_empty() {
                self.run(BackendChoice::Local, plain).await;
            }
            if !node.is_empty() {
                if k3s::available(&image()).await {
                    self.run(BackendChoice::K3s, node).await;
                } else {
                    self.skip(&node, &format!("needs Docker and the image `{}` ({IMAGE})", image()));
                }
            }
        });
    }

    /// Runs the cases of these names on one cluster and hands out their verdicts as they come.
    async fn run(&mut self, backend: BackendChoice, names: Vec<String>) {
        // Reading it again is quick; a suite is consumed by its run.
        let suite = match Suite::load(&self.settings.suite) {
            Ok(suite) => suite,
            Err(error) => return self.all_inconclusive(&error.to_string()),
        };
        let implementation = match suite.implementation().map(Implementation::load).transpose() {
            Ok(implementation) => implementation,
            Err(error) => return self.all_inconclusive(&error.to_string()),
        };
        let fitted = implementation.map(|implementation| engine::fit(implementation, &suite));
        let implementation = match fitted.transpose() {
            Ok(implementation) => implementation,
            Err(error) => return self.all_inconclusive(&error.to_string()),
        };
        let supervisor = Supervisor::at(&self.settings.hallmark);
        let request = Request {
            suite,
            filter: Filter { exact: names.clone(), ..Filter::default() },
            implementation,
            cluster: ClusterSpec {
                backend,
                k3s_image: image(),
                supervisor: supervisor.clone(),
                ..ClusterSpec::default()
            },
            jobs: self.settings.jobs,
            report_dir: None,
            deadline: None,
            fail_fast: false,
            bless: false,
            keep: false,
            settle: false,
            load: Vec::new(),
            supervisor,
        };
        let (sink, mut events) = EventSink::channel();
        let run = engine::run(request, sink, self.cancel.clone());
        let waiting = &mut self.waiting;
        let deliver = async {
            while let Some(event) = events.recv().await {
                if let Event::CaseFinished(result) = event
                    && let Some(sender) = waiting.remove(&result.id)
                {
                    let _nobody_waits = sender.send(result.verdict);
                }
            }
        };
        let (ended, ()) = tokio::join!(run, deliver);
        if let Err(error) = ended {
            self.inconclusive(&names, &crate::engine::chain(&error));
        }
    }

    fn skip(&mut self, names: &[String], reason: &str) {
        self.all_of(names, &Verdict::Skipped { reason: reason.to_owned() });
    }

    fn inconclusive(&mut self, names: &[String], reason: &str) {
        self.all_of(names, &Verdict::Inconclusive { reason: reason.to_owned() });
    }

    fn all_inconclusive(&mut self, reason: &str) {
        let names: Vec<String> = self.waiting.keys().map(ToString::to_string).collect();
        self.inconclusive(&names, reason);
    }

    /// Gives every case of these names that still waits the same verdict.
    fn all_of(&mut self, names: &[String], verdict: &Verdict) {
        self.waiting.retain(|id, sender| {
            let concerned = names.contains(&id.to_string());
            if concerned {
                let _nobody_waits = sender.send(verdict.clone());
            }
            !concerned
        });
    }
}

fn image() -> String {
    std::env::var(IMAGE).unwrap_or_else(|_unset| k3s::DEFAULT_IMAGE.to_owned())
}
