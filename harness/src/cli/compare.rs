//! `hallmark compare`.

pub(super) mod args;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::args::CompareArgs;
use super::args::Output;
use super::console::Console;
use super::{defect, run};
use crate::check::Rules;
use crate::cluster::ClusterSpec;
use crate::cluster::process::Supervisor;
use crate::engine;
use crate::event::CaseInfo;
use crate::exit;
use crate::record::{RECORD_FILE, Recording};
use crate::report::comparison::Party;
use crate::report::{self, Comparison, Settings};
use crate::scenario::Filter;
use crate::scenario::suite::Suite;
use crate::subject::Implementation;

/// So many cases are named one by one also where they do not differ.
const FEW: usize = 10;

/// What stands for one of the two on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Record(PathBuf),
    /// An implementation file; without one that of the suite.
    Implementation(Option<PathBuf>),
}

impl Source {
    fn of(path: Option<PathBuf>) -> Self {
        match path {
            Some(folder) if folder.is_dir() => Self::Record(folder.join(RECORD_FILE)),
            Some(file) if file.extension().is_some_and(|extension| extension == "ndjson") => {
                Self::Record(file)
            }
            file => Self::Implementation(file),
        }
    }
}

/// A run to be made.
struct Planned {
    suite: Suite,
    implementation: Implementation,
    source: String,
    defect: Option<String>,
    report_dir: PathBuf,
}

/// What is known of one of the two before anything is run.
enum Prepared {
    Recorded(Box<Recording>, Party),
    Planned(Box<Planned>),
}

pub(super) async fn compare(args: CompareArgs, output: &Output, console: Console) -> u8 {
    match compared(args, output, console).await {
        Ok(code) | Err(code) => code,
    }
}

async fn compared(args: CompareArgs, output: &Output, console: Console) -> Result<u8, u8> {
    let wanted = wanted(&args, console)?;
    let a = Source::of(args.a.clone());
    let b = args.b.clone().map_or_else(|| a.clone(), |b| Source::of(Some(b)));
    let supervisor = Supervisor::current_exe().map_err(|error| failed(&error, console))?;
    // Both first, so that a mistake in the second one is not told after the run of the first one.
    let mut both = Vec::new();
    for (source, defect, folder) in [(a, &args.defect_a, "a"), (b, &args.defect_b, "b")] {
        both.push(
            prepare(source, defect.clone(), args.report_dir.join(folder), &args.suite, output, console)
                .await?,
        );
    }
    let (filter, jobs) = (args.filter.filter(), args.jobs.get());
    let cluster = args.cluster.spec(supervisor.clone());
    let mut recorded = Vec::new();
    for prepared in both {
        recorded.push(match prepared {
            Prepared::Recorded(recording, party) => (*recording, party),
            Prepared::Planned(planned) => {
                run(*planned, &filter, &cluster, jobs, &supervisor, output, console).await?
            }
        });
    }
    let [(a, one), (b, other)] = <[_; 2]>::try_from(recorded).map_err(|_not_two| exit::INCONCLUSIVE)?;
    let rules = Rules { order: args.order, exact: args.exact, ignore: args.ignore };
    let comparison = Comparison::of((&a, one), (&b, other), wanted, &rules);
    let few = comparison.cases.len() <= FEW || output.settings().verbosity == report::Verbosity::Verbose;
    console.say(&format!("\n{}\n{}", comparison.text(few), comparison.verdict()));
    comparison
        .page()
        .and_then(|page| report::save(&args.report_dir, "compare", &comparison, &page))
        .map_err(|error| failed(&error, console))?;
    Ok(comparison.exit())
}

/// Which cases of a record are compared: where that is narrowed, the suite says which they are.
fn wanted(args: &CompareArgs, console: Console) -> Result<impl Fn(&CaseInfo) -> bool + use<>, u8> {
    let filter = args.filter.filter();
    let names: Option<BTreeSet<String>> = if filter.is_empty() {
        None
    } else {
        let suite = load(&args.suite, console)?;
        Some(filter.select(suite.cases()).into_iter().map(|case| case.id.to_string()).collect())
    };
    Ok(move |info: &CaseInfo| names.as_ref().is_none_or(|names| names.contains(&info.id.first().to_string())))
}

fn load(suite: &Path, console: Console) -> Result<Suite, u8> {
    Suite::load(suite).map_err(|error| {
        console.problems(&error);
        exit::USAGE
    })
}

async fn prepare(
    source: Source,
    defect: Option<String>,
    report_dir: PathBuf,
    suite: &Path,
    output: &Output,
    console: Console,
) -> Result<Prepared, u8> {
    match source {
        Source::Record(path) => {
            if let Some(defect) = defect {
                console.say(&format!(
                    "{} is a record, which cannot be given the defect {defect}",
                    path.display()
                ));
                return Err(exit::USAGE);
            }
            let recording = Recording::read(&path).map_err(|error| {
                console.error(&error);
                exit::USAGE
            })?;
            let party = Party::of(&recording, path.display().to_string(), None);
            Ok(Prepared::Recorded(Box::new(recording), party))
        }
        Source::Implementation(path) => {
            let (suite, implementation) = run::load(suite, path.as_deref(), console)?;
            let Some(implementation) = implementation else {
                console.error(&engine::EngineError::NoImplementation);
                return Err(exit::USAGE);
            };
            let source = implementation.file().display().to_string();
            let implementation = match &defect {
                Some(name) => defect::planted(&implementation, name, output, console).await?,
                None => implementation,
            };
            Ok(Prepared::Planned(Box::new(Planned { suite, implementation, source, defect, report_dir })))
        }
    }
}

async fn run(
    planned: Planned,
    filter: &Filter,
    cluster: &ClusterSpec,
    jobs: usize,
    supervisor: &Supervisor,
    output: &Output,
    console: Console,
) -> Result<(Recording, Party), u8> {
    let Planned { suite, implementation, source, defect, report_dir } = planned;
    let request = engine::Request {
        suite,
        filter: filter.clone(),
        implementation: Some(implementation),
        cluster: cluster.clone(),
        jobs,
        report_dir: Some(report_dir.clone()),
        deadline: None,
        fail_fast: false,
        bless: false,
        keep: false,
        settle: true,
        load: Vec::new(),
        supervisor: supervisor.clone(),
    };
    let settings = Settings { report_dir: Some(report_dir.clone()), ..output.settings() };
    let performed = run::perform(request, settings, None, console).await;
    if performed.interrupted {
        return Err(exit::INCONCLUSIVE);
    }
    // Failed and inconclusive cases are what is compared; anything else left no record.
    if ![exit::CONFORMANT, exit::NON_CONFORMANT, exit::INCONCLUSIVE].contains(&performed.exit) {
        return Err(performed.exit);
    }
    let recording =
        Recording::read(&report_dir.join(RECORD_FILE)).map_err(|error| failed(&error, console))?;
    let party = Party::of(&recording, source, defect);
    Ok((recording, party))
}

fn failed(error: &(dyn std::error::Error + 'static), console: Console) -> u8 {
    console.error(error);
    exit::INCONCLUSIVE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_ndjson_files_are_records_and_everything_else_an_implementation() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        assert_eq!(Source::of(Some(path.clone())), Source::Record(path.join("events.ndjson")));
        assert_eq!(Source::of(Some("x/a.ndjson".into())), Source::Record("x/a.ndjson".into()));
        assert_eq!(Source::of(Some("a.yaml".into())), Source::Implementation(Some("a.yaml".into())));
        assert_eq!(Source::of(None), Source::Implementation(None));
    }
}
