//! How fast the controller brings runs to their end, and what that costs.
//!
//! ```text
//! cargo bench -p agents-controller -- --runs 1000 --namespaces 1
//! ```
//!
//! It starts a local cluster, installs the chart with all limits lifted, creates runs, ends their Jobs as
//! they appear, and measures from outside: times by watches, requests by the API server's audit log,
//! memory and processor time by the system. Everything shares the processors of this machine, so the
//! numbers are those of the whole system, and the share of each part is shown. Only Kubernetes' Job
//! controller does not run: Jobs are played, and all that it could do is fail to make pods for them.

mod measure;
mod report;
#[expect(dead_code, reason = "the tests and the bench each use a part of it")]
#[path = "../../tests/support/mod.rs"]
mod support;
mod usage;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use measure::Measurement;

/// Measures the throughput of the controller on a local cluster.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many runs are created
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Over how many namespaces they are spread
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    namespaces: u32,
    /// How many are created at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    creators: u32,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Given by `cargo bench`; without it nothing is measured, as in `cargo test --benches`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if let Some(exit) = support::supervise_if_asked() {
        return exit;
    }
    support::install_tls_provider();
    let arguments = Arguments::parse();
    if !arguments.bench {
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even stderr is gone, the exit code has to say it alone.
            let _ = writeln!(std::io::stderr(), "throughput failed to {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
    let measurement: Measurement = runtime.block_on(measure::measure(arguments))?;
    let text = if arguments.json {
        serde_json::to_string_pretty(&measurement).context("render the measurement")?
    } else {
        report::table(&measurement)
    };
    writeln!(std::io::stdout(), "{text}").context("print the measurement")
}
