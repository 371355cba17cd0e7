//! The `hallmark` command: parses arguments, runs one command, maps its outcome to an exit code.

use std::process::ExitCode;

/// A record is millions of small strings: a quarter of a replay was spent in the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hallmark::cli::main()
}
