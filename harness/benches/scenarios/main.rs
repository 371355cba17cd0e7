//! How fast the harness plays scenarios, and what that costs, beside what else could play them.
//!
//! ```text
//! cargo bench -p hallmark --bench scenarios -- --scenarios 100,200,400
//! ```
//!
//! It starts a local cluster and lets every tool play the same generated scenarios on it, one tool after the
//! other. Each scenario has a namespace of its own and eight operations on a `ConfigMap`: create, check,
//! apply, check, patch, check, check that another one is absent, delete. The tools are the harness, a client
//! written by hand that does nothing else (the *oracle*: nobody can be much faster), kubectl in a shell, and
//! whatever `--tool` names. Everything shares the processors of this machine, so only numbers of one run are
//! to be compared with each other.

mod measure;
mod metrics;
mod oracle;
mod play;
mod report;
mod tool;
mod usage;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use tool::Custom;

/// Measures the harness on generated scenarios, beside other tools.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Arguments {
    /// How many scenarios; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "100")]
    scenarios: Vec<u32>,
    /// How many are in flight at the same time
    #[arg(long, default_value_t = 32)]
    in_flight: usize,
    /// Another tool, as NAME=COMMAND for a shell, see `harness/docs/performance.md`; may be repeated
    #[arg(long = "tool", value_name = "NAME=COMMAND")]
    tools: Vec<Custom>,
    /// Leave out kubectl, which takes long
    #[arg(long)]
    without_kubectl: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Be the oracle on the cluster of this kubeconfig
    #[arg(long, hide = true, value_name = "KUBECONFIG")]
    oracle: Option<PathBuf>,
    /// As the oracle, only make and delete the namespaces
    #[arg(long, hide = true)]
    only_namespaces: bool,
    /// Given by `cargo bench`; without it nothing is measured, as in `cargo test --benches`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    // An error means that a provider is installed already, which is as good.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    if !arguments.bench && arguments.oracle.is_none() {
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even stderr is gone, the exit code has to say it alone.
            let _ = writeln!(std::io::stderr(), "the bench failed to {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("start a runtime")?;
    let text = if let Some(kubeconfig) = &arguments.oracle {
        let scenarios = arguments.scenarios.first().copied().unwrap_or_default();
        let played = runtime.block_on(oracle::play(
            kubeconfig,
            scenarios,
            arguments.in_flight,
            arguments.only_namespaces,
        ))?;
        serde_json::to_string(&played).context("tell what was played")?
    } else {
        let bench = runtime.block_on(measure::measure(arguments))?;
        if arguments.json {
            serde_json::to_string_pretty(&bench).context("render the measurement")?
        } else {
            report::table(&bench)
        }
    };
    writeln!(std::io::stdout(), "{text}").context("print the measurement")
}
