//! The `hallmark` command: parses arguments, runs one command, maps its outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    hallmark::cli::main()
}
