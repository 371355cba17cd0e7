//! The part of the gate that takes a cluster: upgrades from the old chart, and the suite on the new one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::args::GateArgs;
use crate::cli::args::Output;
use crate::cli::console::Console;
use crate::cli::{run, signal};
use crate::cluster::ClusterSpec;
use crate::cluster::process::Supervisor;
use crate::cluster::provision::Cache;
use crate::count::{agree, count};
use crate::engine::{self, Request};
use crate::event::EventSink;
use crate::exit;
use crate::gate::judgement::Evidence;
use crate::gate::source::{Opened, Origin, export};
use crate::gate::{GateError, live};
use crate::report::{self, REPORT_FILE, Settings, Statement};
use crate::scenario::Filter;
use crate::scenario::suite::Suite;
use crate::subject::Implementation;
use crate::yaml::Source;

/// Everything that the runs of one gate share.
pub(super) struct Live<'a> {
    args: &'a GateArgs,
    output: &'a Output,
    console: Console,
    supervisor: Supervisor,
    cluster: ClusterSpec,
    /// The new version.
    candidate: Implementation,
    /// The old one.
    before: Implementation,
    /// The report of the last version.
    baseline: Option<Statement>,
    notes: Vec<String>,
}

/// Whether what was found out is enough to go on.
type Told<T> = Result<T, u8>;

impl<'a> Live<'a> {
    /// Reads the suite and both implementations; what is wrong with them is told, and the exit code returned.
    pub(super) async fn new(
        args: &'a GateArgs,
        (old, new): (&Opened, &Opened),
        output: &'a Output,
        console: Console,
    ) -> Told<Self> {
        let told = |error: &(dyn std::error::Error + 'static)| {
            console.error(error);
            exit::USAGE
        };
        let (suite, implementation) = run::load(&args.suite, args.implementation.as_deref(), console)?;
        let Some(implementation) = implementation else {
            return Err(told(&engine::EngineError::NoImplementation));
        };
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_no_folder| path.to_owned());
        let mut notes = Vec::new();
        let before = match (&args.from_implementation, &old.origin) {
            (Some(file), _) => run::implementation(Some(file.as_path()), &suite, console)?,
            (None, Origin::Git { repository, commit }) => {
                let file = of_revision(&implementation, repository, commit).await;
                let file = file.map_err(|error| told(error.as_ref()))?;
                match file {
                    Some(file) => run::implementation(Some(file.as_path()), &suite, console)?,
                    None => None,
                }
            }
            (None, _) => None,
        };
        if before.is_none() && args.only_report().is_none() {
            notes.push(format!(
                "the program of the new version ran with the chart of {}, too; --from-implementation names another",
                old.label
            ));
        }
        let before = before.unwrap_or_else(|| implementation.clone()).with_chart(absolute(old.folder()));
        let candidate = implementation.with_chart(absolute(new.folder()));
        let supervisor = Supervisor::current_exe().map_err(|error| {
            console.error(&error);
            exit::INCONCLUSIVE
        })?;
        let cluster = args.cluster.clone().spec_or_local(supervisor.clone());
        let baseline = args.report.as_deref().or(args.only_report());
        let baseline = baseline.map(|path| statement(path, console)).transpose()?;
        Ok(Self { args, output, console, supervisor, cluster, candidate, before, baseline, notes })
    }

    /// Plays the runs and adds what they say.
    pub(super) async fn add_to(mut self, evidence: &mut Evidence) -> Told<()> {
        if self.args.only_report().is_some() {
            self.notes.push(
                "charts were not compared and nothing was upgraded: a report holds no chart".to_owned(),
            );
        } else {
            self.upgrades(evidence).await?;
        }
        if self.args.no_suite {
            self.notes.push("the suite was not run (--no-suite)".to_owned());
        } else {
            self.suite(evidence).await?;
        }
        evidence.notes.append(&mut self.notes);
        Ok(())
    }

    /// The cases with an upgrade, from the old version to the new one and back.
    async fn upgrades(&mut self, evidence: &mut Evidence) -> Told<()> {
        let cases = cases_with_upgrade(&self.load()?);
        if cases.is_empty() {
            evidence.open.push("the suite has no case with a step `upgrade`".to_owned());
            return Ok(());
        }
        let number = cases.len();
        let succession = self.candidate.clone().succeeding(self.before.clone());
        let Some(upgraded) = self.play("upgrade", succession, cases, evidence).await? else {
            return Ok(());
        };
        let mut found = live::disturbed(&upgraded);
        // A case that the old version fails by itself says nothing about the upgrade; one that it does not even
        // begin, for example because it refuses the values, is inconclusive here.
        let mut open = live::open(&upgraded);
        let again: Vec<String> =
            found.iter().map(|finding| finding.subject.clone()).chain(open.keys().cloned()).collect();
        if !again.is_empty() {
            let alone = self.play("upgrade-old", self.before.clone(), again, evidence).await?;
            for finding in alone.iter().flat_map(live::disturbed) {
                found.retain(|other| other.subject != finding.subject);
                open.remove(&finding.subject);
                self.notes
                    .push(format!("{} fails with the old version alone: {}", finding.subject, finding.what));
            }
        }
        evidence.open.extend(open.into_values());
        self.notes.push(format!(
            "{} upgraded to the new version, {} failed",
            count(number, "case"),
            found.len()
        ));
        evidence.findings.extend(found);
        Ok(())
    }

    /// The whole suite on the new version.
    async fn suite(&mut self, evidence: &mut Evidence) -> Told<()> {
        let played = self.play("suite", self.candidate.clone(), Vec::new(), evidence).await?;
        let Some(now) = played else { return Ok(()) };
        evidence.open.extend(live::open(&now).into_values());
        let found = match &self.baseline {
            Some(before) => live::lost(before, &now),
            None => live::failed(&now),
        };
        let are = agree(&found.len(), "is", "are");
        let words = if self.baseline.is_some() {
            format!("that the last version met {are} lost")
        } else {
            format!("{are} not met")
        };
        self.notes.push(format!("{} {words}", count(found.len(), "requirement")));
        evidence.findings.extend(found);
        Ok(())
    }

    /// One run, and its report; `None` if there is none, which is then told as not known.
    async fn play(
        &self,
        name: &str,
        implementation: Implementation,
        cases: Vec<String>,
        evidence: &mut Evidence,
    ) -> Told<Option<Statement>> {
        let folder = self.args.report_dir.join(name);
        let (events, receiver) = EventSink::channel();
        let cancel = CancellationToken::new();
        signal::cancel_on_signals(cancel.clone(), events.clone()).map_err(|error| {
            self.console.error(&error);
            exit::INCONCLUSIVE
        })?;
        let settings = Settings { report_dir: Some(folder.clone()), ..self.output.settings() };
        let reporter = report::spawn(receiver, settings);
        let request = Request {
            suite: self.load()?,
            filter: Filter { exact: cases, ..Filter::default() },
            implementation: Some(implementation),
            cluster: self.cluster.clone(),
            jobs: self.args.jobs.get(),
            report_dir: Some(folder.clone()),
            deadline: None,
            fail_fast: false,
            bless: false,
            keep: false,
            settle: false,
            load: Vec::new(),
            supervisor: self.supervisor.clone(),
        };
        let outcome = engine::run(request, events, cancel.clone()).await;
        let interrupted = cancel.is_cancelled();
        signal::stop(&cancel);
        let has_report = self.console.reported(reporter.await).is_some();
        if interrupted {
            return Err(exit::INCONCLUSIVE);
        }
        if let Err(error) = &outcome {
            self.console.error(error);
            evidence.open.push(format!("{name}: {error}"));
            return Ok(None);
        }
        if !has_report {
            evidence.open.push(format!("{name}: there is no report"));
            return Ok(None);
        }
        statement(&folder.join(REPORT_FILE), self.console).map(Some)
    }

    fn load(&self) -> Told<Suite> {
        Suite::load(&self.args.suite).map_err(|error| {
            self.console.problems(&error);
            exit::USAGE
        })
    }
}

/// A report of a run; what is wrong with it is told, and the exit code returned.
fn statement(path: &Path, console: Console) -> Told<Statement> {
    let told = |error: &(dyn std::error::Error + 'static)| {
        console.error(error);
        exit::USAGE
    };
    let text = std::fs::read_to_string(path)
        .map_err(|source| told(&GateError::File { action: "read", path: path.to_owned(), source }))?;
    let source: Arc<Source> = Source::new(path, text);
    Statement::parse(&source).map_err(|error| told(&error))
}

fn cases_with_upgrade(suite: &Suite) -> Vec<String> {
    let upgrades = suite.cases().iter().filter(|case| case.is_upgraded());
    upgrades.map(|case| case.id.to_string()).collect()
}

/// The implementation file of a revision, at the path that the new one has in the repository.
async fn of_revision(
    implementation: &Implementation,
    repository: &Path,
    commit: &str,
) -> Result<Option<PathBuf>, Box<dyn std::error::Error>> {
    let file = implementation.file();
    let absolute = file.canonicalize().map_err(|source| GateError::File {
        action: "find",
        path: file.to_owned(),
        source,
    })?;
    let Ok(path) = absolute.strip_prefix(repository) else { return Ok(None) };
    let exported = export(repository, commit, &Cache::open()?.dir().join("gate")).await?;
    Ok(Some(exported.join(path)).filter(|file| file.is_file()))
}
