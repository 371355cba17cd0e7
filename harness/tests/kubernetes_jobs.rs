//! The suite about Kubernetes' own Jobs: nothing is installed, the cluster itself is judged.

use std::path::Path;
use std::process::ExitCode;

use hallmark::libtest::{Settings, main as run};

fn main() -> ExitCode {
    run(&Settings {
        suite: Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/kubernetes-jobs"),
        hallmark: env!("CARGO_BIN_EXE_hallmark").into(),
        jobs: 16,
    })
}
