//! The arguments and their help.

mod cluster;
mod filter;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

pub(super) use self::cluster::SpecArgs;
pub(super) use self::filter::FilterArgs;
use super::backup::args::{BackupArgs, InspectArgs, RestoreArgs, VerifyArgs};
use super::compare::args::CompareArgs;
use super::dev::args::DevArgs;
use super::diff::args::DiffArgs;
use super::drill::args::DrillArgs;
use super::evidence::args::{EvidenceArgs, VerifyEvidenceArgs};
use super::explore::args::ExploreArgs;
use super::gate::args::GateArgs;
use super::prove::args::ProveArgs;
use super::stress::args::StressArgs;
use crate::cluster::KubernetesVersion;
use crate::exit;
use crate::report::{ColorChoice, Format, Settings, Verbosity};

const EXAMPLES: &str = "\
Examples:
  hallmark run                               the suite in ./scenarios on whatever cluster is at hand
  hallmark run --name ttl --requirement TTL-03
  hallmark run --implementation mine.yaml    the same suite against another controller
  hallmark cluster up && hallmark run --cluster kept
  hallmark dev my-first-scenario             runs it again whenever one of its files is saved
  hallmark replay --requirement TTL-03       the last run judged again, by claims as they are now
  hallmark report --format markdown          what that run said then, by its record
  hallmark evidence                          that run in one file; verify-evidence checks it
  hallmark prove                             would the suite notice a controller that is wrong?
  hallmark explore                           does it survive a kill at each of its writes?
  hallmark drill                             does it survive the loss of its cluster, and how long does that take?
  hallmark gate --from agents-0.1.0.tgz      may this chart be released after that one?
  hallmark diff crds old.tgz charts/agents
  hallmark compare mine.yaml theirs.yaml     the same scenarios against two controllers, side by side
  hallmark stress --name ttl --load cpu,api  does it always do the same on a busy machine?
  hallmark lint scenarios
  hallmark backup --context prod && hallmark verify agents-20260801T120000Z.tar.zst

";

/// Judges whether a Kubernetes controller does what its specification says.
#[derive(Debug, Parser)]
#[command(name = "hallmark", version, after_help = [EXAMPLES, exit::HELP].concat())]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    /// How to talk about it.
    #[command(flatten)]
    pub(super) output: Output,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a suite and judge the implementation under test
    Run(RunArgs),
    /// Keep a cluster and the controller, and run what depends on a file whenever it is saved
    Dev(DevArgs),
    /// Judge the record of a run again, without a cluster
    Replay(ReplayArgs),
    /// Make the reports of a run again from its record, without a cluster
    Report(ReportArgs),
    /// Pack a run with its suite into one file that others can check
    Evidence(EvidenceArgs),
    /// Check such a file, judge its record again and compare with its report
    VerifyEvidence(VerifyEvidenceArgs),
    /// Plant every known defect in the implementation and see whether the suite notices it
    Prove(ProveArgs),
    /// Kill the controller before and after each of its writes, and compare how the scenarios end
    Explore(ExploreArgs),
    /// Fill a cluster, destroy it, restore it elsewhere, and measure and judge the recovery
    Drill(DrillArgs),
    /// Run the same scenarios against two controllers, or take two records, and show where they differ
    Compare(CompareArgs),
    /// Run cases many times on a busy machine, and show which of them do not always do the same
    Stress(StressArgs),
    /// Show which requirements have cases and defects, and which lack them
    Coverage(CoverageArgs),
    /// Tell what changes from one chart, or its CRDs, to another, without a cluster
    Diff(DiffArgs),
    /// Judge a new version of a chart: is it safe to upgrade to, and does its number say what it is?
    Gate(Box<GateArgs>),
    /// Check a suite, and an implementation against it, without a cluster
    Lint(LintArgs),
    /// Show the cases of a suite
    List(ListArgs),
    /// Print a JSON Schema for editors
    Schema(SchemaArgs),
    /// Tell what a requirement, a scenario, a case or a step is about, and what proves it
    Explain(ExplainArgs),
    /// Write a first suite that passes, or the template of an implementation file, to begin with
    Init(InitArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Keep a cluster for several runs
    Cluster(ClusterArgs),
    /// Save the objects of an API group in an archive
    Backup(BackupArgs),
    /// Prove that an archive is whole, and that a cluster can take it
    Verify(VerifyArgs),
    /// Tell what an archive holds and what a restore would do
    Inspect(InspectArgs),
    /// Make the objects of an archive anew
    Restore(RestoreArgs),
}

/// How much is said, and in which colours.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// Say only what failed, and the verdict
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say every case with its time
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Colour on stderr; `auto` honours `NO_COLOR`
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: When,
}

impl Output {
    /// For a reporter that writes no files.
    pub(super) fn settings(&self) -> Settings {
        Settings { color: self.color(), verbosity: self.verbosity(), ..Settings::default() }
    }

    pub(super) fn color(&self) -> ColorChoice {
        match self.color {
            When::Auto => ColorChoice::Auto,
            When::Always => ColorChoice::Always,
            When::Never => ColorChoice::Never,
        }
    }

    fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum When {
    #[default]
    Auto,
    Always,
    Never,
}

/// `hallmark explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Id of a requirement, name of a scenario, id of a case, or a step of scenarios, for example `eventually`
    pub(super) name: String,
    /// Folder of the suite
    #[arg(long, default_value = "scenarios", value_name = "FOLDER")]
    pub(super) suite: PathBuf,
}

/// `hallmark init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Folder of the suite; nothing in it is overwritten
    #[arg(default_value = "scenarios", conflicts_with = "implementation")]
    pub(super) path: PathBuf,
    /// Write a commented implementation file instead, with every field; it is not overwritten
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
}

/// `hallmark completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// For which shell
    pub(super) shell: clap_complete::Shell,
}

/// What to judge again.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The record of a run
    #[arg(default_value = "target/hallmark/events.ndjson", value_name = "RECORD")]
    pub(super) record: PathBuf,
    /// Folder of the suite; its claims may have changed since the run
    #[arg(long, default_value = "scenarios", value_name = "FOLDER")]
    pub(super) suite: PathBuf,
    /// A changed file of one scenario, which is judged instead of the suite's scenario of that name; what it names is
    /// looked for beside the suite's
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// Folder for reports of what is judged now; none are written without it
    #[arg(long, value_name = "FOLDER")]
    pub(super) report_dir: Option<PathBuf>,
}

/// `hallmark report`.
#[derive(Debug, Args)]
#[command(after_help = REPORT_HELP)]
pub(super) struct ReportArgs {
    /// The record of the run
    #[arg(long, default_value = "target/hallmark/events.ndjson", value_name = "RECORD")]
    pub(super) from: PathBuf,
    /// One report, on stdout
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "report_dir")]
    pub(super) format: Option<Format>,
    /// Folder of all reports; that of the record unless told
    #[arg(long, value_name = "FOLDER")]
    pub(super) report_dir: Option<PathBuf>,
    /// Folder of the suite, by which cases are judged whose verdicts the record does not hold
    #[arg(long, value_name = "FOLDER")]
    pub(super) suite: Option<PathBuf>,
}

const REPORT_HELP: &str = "\
The reports show what was judged then: claims that have changed since do not matter. `replay` judges again.

Exit codes:
  0  the reports are written, whatever they say
  2  no such record, or an invalid suite
  3  the reports could not be written";

/// Which suite.
#[derive(Debug, Args)]
pub(super) struct SuiteArgs {
    /// Folder of the suite
    #[arg(default_value = "scenarios")]
    pub(super) path: PathBuf,
}

/// `hallmark lint`.
#[derive(Debug, Args)]
pub(super) struct LintArgs {
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    /// An implementation file that is checked against the suite
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|value| Duration::try_from(value).ok());
    parsed
        .filter(|value| !value.is_zero())
        .ok_or_else(|| "expected a number with a unit: 90s, 10m, 1h30m".to_owned())
}

/// `hallmark run`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = exit::HELP)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) cluster: SpecArgs,
    /// The implementation under test; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
    /// Folder of the reports
    #[arg(long, value_name = "FOLDER", default_value = "target/hallmark")]
    pub(super) report_dir: PathBuf,
    /// How many cases run at the same time
    #[arg(short, long, value_name = "N", default_value = "16")]
    pub(super) jobs: std::num::NonZeroUsize,
    /// Run every selected case so often; a case whose verdicts differ is told as flaky
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "bless")]
    pub(super) repeat: std::num::NonZeroU32,
    /// Only cases that did not pass in the run whose reports are in the report folder
    #[arg(long)]
    pub(super) rerun_failed: bool,
    /// How long the run may take, for example 10m; what has no verdict by then is inconclusive
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) deadline: Option<Duration>,
    /// Start no further case after the first failure
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Write what was observed into the golden files instead of comparing with them
    #[arg(long)]
    pub(super) bless: bool,
    /// Leave the namespaces of cases that did not pass in the cluster
    #[arg(long)]
    pub(super) keep: bool,
}

/// `hallmark list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// Form of the list on stdout
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: ListFormat,
}

/// `hallmark coverage`.
#[derive(Debug, Args)]
#[command(after_help = COVERAGE_HELP)]
pub(super) struct CoverageArgs {
    #[command(flatten)]
    pub(super) suite: SuiteArgs,
    /// The implementation whose defects count; without it the one that the suite names
    #[arg(long, value_name = "FILE")]
    pub(super) implementation: Option<PathBuf>,
    /// Form of the answer on stdout
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: ListFormat,
    /// Record what is proved now in the file that the suite names (`spec.proofs`)
    #[arg(long)]
    pub(super) update: bool,
}

const COVERAGE_HELP: &str = "\
Exit codes:
  0  every requirement has a case or a reason why it has none (`unproved` in the catalogue), every MUST that the
     implementation decides has a defect, and all that was recorded is still proved
  1  one of them lacks something or has both, or what is proved is not what was recorded
  2  wrong usage, or an invalid suite
  3  the defects cannot be listed";

/// Form of a list.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum ListFormat {
    /// For people
    #[default]
    Text,
    /// JSON
    Json,
}

/// `hallmark schema`.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Kind of document
    #[arg(value_enum, default_value_t)]
    pub(super) document: SchemaOf,
}

/// Kinds of documents that have a schema.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum SchemaOf {
    /// Scenario files
    #[default]
    Scenario,
    /// `suite.yaml`
    Suite,
    /// The requirement catalogue
    Catalogue,
    /// The suite's names of settings
    Settings,
    /// Implementation files
    Implementation,
    /// Lines of the record, `events.ndjson`
    Record,
    /// Lines of `cases.ndjson`
    Cases,
}

/// `hallmark cluster`.
#[derive(Debug, Args)]
pub(super) struct ClusterArgs {
    #[command(subcommand)]
    pub(super) command: ClusterCommand,
}

/// What to do with the kept cluster.
#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// Start a cluster that goes on; use it with `hallmark run --cluster kept`
    Up(SpecArgs),
    /// Say whether a cluster is kept, and where its kubeconfig is
    Status,
    /// Stop the kept cluster
    Down,
    /// Find or build the programs of a local cluster and print their paths
    Binaries {
        /// Version of Kubernetes: 1.34, 1.35 or 1.36
        #[arg(long, value_name = "VERSION", default_value = "1.35")]
        kubernetes: KubernetesVersion,
    },
    /// Own a kept cluster
    #[command(hide = true)]
    Serve {
        /// The order of `hallmark cluster up`.
        #[arg(action = ArgAction::Set)]
        order: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, Command};
    use crate::cluster::BackendChoice;
    use crate::report::Verbosity;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_run_needs_no_argument() {
        let Command::Run(args) = parse("hallmark run").expect("parses").command else { panic!("not run") };
        assert_eq!(args.suite.path.to_str(), Some("scenarios"));
        assert_eq!(args.report_dir.to_str(), Some("target/hallmark"));
        assert_eq!(args.jobs.get(), 16);
        let spec = args.cluster.spec(crate::cluster::process::Supervisor::at("hallmark"));
        assert_eq!(spec.backend, BackendChoice::Auto);
    }

    #[test]
    fn filters_may_be_repeated_and_stand_beside_the_path() {
        let line = "hallmark run suite -n a --name b --requirement TTL-01 --label area=ttl --label x= -v";
        let cli = parse(line).expect("parses");
        assert_eq!(cli.output.verbosity(), Verbosity::Verbose);
        let Command::Run(args) = cli.command else { panic!("not run") };
        let filter = args.filter.filter();
        assert_eq!(filter.names, ["a", "b"]);
        assert_eq!(filter.requirements, ["TTL-01"]);
        assert_eq!(filter.labels, [("area".to_owned(), "ttl".to_owned()), ("x".to_owned(), String::new())]);
    }

    #[rstest::rstest]
    #[case::unknown_cluster("hallmark run --cluster minikube")]
    #[case::unknown_version("hallmark run --kubernetes 1.20")]
    #[case::label_without_value("hallmark run --label area")]
    #[case::no_parallelism("hallmark run --jobs 0")]
    #[case::deadline_without_unit("hallmark run --deadline 10")]
    #[case::no_time("hallmark run --deadline 0s")]
    #[case::loud_and_quiet("hallmark run -q -v")]
    #[case::no_command("hallmark")]
    fn wrong_usage_is_refused(#[case] line: &str) {
        assert!(parse(line).is_err());
    }

    #[test]
    fn help_tells_the_exit_codes() {
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("3  inconclusive"), "{help}");
    }
}
