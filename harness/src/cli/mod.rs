//! The command line: from arguments to one command, from its outcome to an exit code.
//!
//! stdout is for data (`list`, `schema`), stderr for people. While a run lasts only its reporters print.

mod args;
mod backup;
mod cluster;
mod compare;
mod console;
mod coverage;
mod defect;
mod dev;
mod diff;
mod drill;
mod evidence;
mod explain;
mod explore;
mod gate;
mod init;
mod lint;
mod list;
mod prove;
mod replay;
mod report;
mod run;
mod schema;
mod session;
mod signal;
mod stress;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use tracing_subscriber::EnvFilter;

use self::args::{Cli, Command};
use self::console::Console;
use crate::cluster::process::supervisor_main;
use crate::exit;

/// Variable with the filter of the harness's own log, in the syntax of `tracing-subscriber`.
const LOG_VARIABLE: &str = "HALLMARK_LOG";

/// Runs the command that the arguments of this process name.
pub fn main() -> ExitCode {
    // The supervisor stays in memory as long as its child and needs neither TLS nor a runtime.
    if let Some(arguments) = supervised(std::env::args_os()) {
        return supervisor_main(arguments);
    }
    match Cli::try_parse() {
        Ok(cli) => execute(cli),
        Err(error) => {
            let code = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => exit::CONFORMANT,
                _ => exit::USAGE,
            };
            // Nobody is left to be told that stderr is closed.
            let _reader_gone = error.print();
            ExitCode::from(code)
        }
    }
}

/// What follows the hidden subcommand `supervise`.
///
/// It is no subcommand of the parser's, which would take the first `--` for itself although everything
/// after the word, separators included, belongs to the supervisor and its program.
fn supervised(arguments: impl IntoIterator<Item = OsString>) -> Option<Vec<OsString>> {
    let mut arguments = arguments.into_iter().skip(1);
    let supervise = arguments.next().is_some_and(|word| word == "supervise");
    supervise.then(|| arguments.collect())
}

fn execute(cli: Cli) -> ExitCode {
    // An error means that a provider is installed already, which is as good.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    log();
    let console = Console::new(cli.output.color());
    let code = match cli.command {
        Command::Run(args) => block_on(console, run::run(args, &cli.output, console)),
        Command::Dev(args) => block_on(console, dev::dev(args, &cli.output, console)),
        Command::Cluster(args) => block_on(console, cluster::cluster(args, &cli.output, console)),
        Command::Replay(args) => block_on(console, replay::replay(args, &cli.output, console)),
        Command::Report(args) => report::report(&args, console),
        Command::Evidence(args) => evidence::evidence(&args, console),
        Command::VerifyEvidence(args) => evidence::verify_evidence(&args, console),
        Command::Prove(args) => block_on(console, prove::prove(args, &cli.output, console)),
        Command::Explore(args) => block_on(console, explore::explore(args, &cli.output, console)),
        Command::Drill(args) => block_on(console, drill::drill(args, &cli.output, console)),
        Command::Compare(args) => block_on(console, compare::compare(args, &cli.output, console)),
        Command::Stress(args) => block_on(console, stress::stress(args, &cli.output, console)),
        Command::Coverage(args) => block_on(console, coverage::coverage(args, &cli.output, console)),
        Command::Backup(args) => block_on(console, backup::backup(args, &cli.output, console)),
        Command::Verify(args) => block_on(console, backup::verify(args, &cli.output, console)),
        Command::Restore(args) => block_on(console, backup::restore(args, &cli.output, console)),
        Command::Inspect(args) => block_on(console, backup::inspect(args, console)),
        Command::Diff(args) => block_on(console, diff::diff(args, &cli.output, console)),
        Command::Gate(args) => block_on(console, gate::gate(*args, &cli.output, console)),
        Command::Lint(args) => lint::lint(&args, console),
        Command::List(args) => list::list(&args, console),
        Command::Schema(args) => schema::schema(args.document, console),
        Command::Explain(args) => explain::explain(&args, console),
        Command::Init(args) => init::init(&args, console),
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "hallmark", &mut script);
            Console::data(&String::from_utf8_lossy(&script));
            exit::CONFORMANT
        }
    };
    ExitCode::from(code)
}

fn log() {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_unset| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn block_on(console: Console, command: impl Future<Output = u8>) -> u8 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            console.error(&error);
            exit::INCONCLUSIVE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::supervised;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_supervised_command_line_is_left_alone() {
        let arguments = supervised(words("hallmark supervise --exec -- 1 -- program --help -q -- x"));
        assert_eq!(arguments, Some(words("--exec -- 1 -- program --help -q -- x")));
    }

    #[test]
    fn other_commands_are_not_supervised() {
        assert_eq!(supervised(words("hallmark run supervise")), None);
    }
}
