//! The agents suite against the reference controller: every case is a test.

use std::path::Path;
use std::process::ExitCode;

use hallmark::libtest::{Settings, main as run};

fn main() -> ExitCode {
    run(&Settings {
        suite: Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios"),
        hallmark: env!("CARGO_BIN_EXE_hallmark").into(),
        jobs: 16,
    })
}
