//! The arguments of `hallmark diff`, and their help.

use clap::{Args, Subcommand, ValueEnum};

use crate::report::gate::Form;

/// `hallmark diff`.
#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArgs {
    #[command(subcommand)]
    pub(super) command: DiffCommand,
}

/// What is compared.
#[derive(Debug, Subcommand)]
pub(super) enum DiffCommand {
    /// Compare CRDs: what breaks for clients, and for objects that are stored already
    #[command(after_help = HELP)]
    Crds(Pair),
    /// Compare charts: values, schema, CRDs, and what both render with the values files of the old one
    #[command(after_help = HELP)]
    Chart(Pair),
}

/// The two sides, and how the answer looks.
#[derive(Debug, Args)]
pub(super) struct Pair {
    /// The old one: a folder, a packed chart (.tgz), REF or REF:PATH of git; for CRDs also a file
    #[arg(value_name = "OLD")]
    pub(super) old: String,
    /// The new one
    #[arg(value_name = "NEW")]
    pub(super) new: String,
    /// Form of the answer on stdout
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: DiffFormat,
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum DiffFormat {
    /// For people
    #[default]
    Text,
    /// JSON
    Json,
    /// A table for a review
    Markdown,
}

impl DiffFormat {
    pub(super) fn form(self) -> Form {
        match self {
            Self::Text => Form::Text,
            Self::Json => Form::Json,
            Self::Markdown => Form::Markdown,
        }
    }
}

const HELP: &str = "\
Order, formatting and comments make no difference. A REF without a path has the chart where the other side
has it, else in charts/agents. The findings are listed in harness/docs/gate.md.

Exit codes:
  0  nothing that breaks
  1  something breaks
  2  wrong usage: no such chart, or one that cannot be read
  3  trouble of this machine";
