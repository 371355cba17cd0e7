//! `hallmark cluster up`, `status`, `down`, `binaries` and the hidden `serve`.

use super::args::{ClusterArgs, ClusterCommand, Output, SpecArgs};
use super::console::Console;
use crate::cluster::kept::{self, KeptCluster};
use crate::cluster::process::Supervisor;
use crate::cluster::provision;
use crate::cluster::{ClusterError, ClusterSpec, KubernetesVersion};
use crate::event::EventSink;
use crate::exit;
use crate::report;

pub(super) async fn cluster(args: ClusterArgs, output: &Output, console: Console) -> u8 {
    let outcome = match args.command {
        ClusterCommand::Up(args) => up(args, output, console).await,
        ClusterCommand::Status => status(console),
        ClusterCommand::Down => kept::down().await.map(|stopped| {
            console.say(if stopped { "the kept cluster is gone" } else { "no cluster is kept" });
            exit::CONFORMANT
        }),
        ClusterCommand::Binaries { kubernetes } => binaries(kubernetes, output).await,
        ClusterCommand::Serve { order } => {
            Ok(if kept::serve(&order).await { exit::CONFORMANT } else { exit::INCONCLUSIVE })
        }
    };
    outcome.unwrap_or_else(|error| {
        console.error(&error);
        exit::INCONCLUSIVE
    })
}

async fn up(args: SpecArgs, output: &Output, console: Console) -> Result<u8, ClusterError> {
    let supervisor = match Supervisor::current_exe() {
        Ok(supervisor) => supervisor,
        Err(error) => {
            console.error(&error);
            return Ok(exit::INCONCLUSIVE);
        }
    };
    let (sink, receiver) = EventSink::channel();
    let settings = output.settings();
    let progress = report::spawn_progress(receiver, settings);
    let spec: ClusterSpec = args.spec(supervisor);
    let kept = kept::up(&spec, &sink).await;
    drop(sink);
    // Progress is for people only; the command ends as it would without.
    let _shown = progress.await;
    describe(&kept?, console);
    Ok(exit::CONFORMANT)
}

/// Finds or builds the programs of a local cluster and names them, one `NAME=PATH` a line.
async fn binaries(kubernetes: KubernetesVersion, output: &Output) -> Result<u8, ClusterError> {
    let (sink, receiver) = EventSink::channel();
    let settings = output.settings();
    let progress = report::spawn_progress(receiver, settings);
    let found = provision::kubernetes(kubernetes, &sink).await;
    drop(sink);
    let _shown = progress.await;
    let found = found?;
    Console::data(&format!("etcd={}", found.etcd.program.display()));
    Console::data(&format!("kubernetes={}", found.apiserver.program.display()));
    Ok(exit::CONFORMANT)
}

fn status(console: Console) -> Result<u8, ClusterError> {
    if let Some(kept) = kept::status()? {
        describe(&kept, console);
        Ok(exit::CONFORMANT)
    } else {
        console.say("no cluster is kept; start one with `hallmark cluster up`");
        Ok(exit::NOTHING_RUN)
    }
}

/// The cluster for people, the path of its kubeconfig as data.
fn describe(kept: &KeptCluster, console: Console) {
    let info = kept.info();
    console.say(&format!(
        "{} {} ({}), owned by process {}",
        info.backend,
        info.kubernetes_version,
        info.distribution,
        kept.keeper().pid
    ));
    Console::data(&kept.kubeconfig_path().display().to_string());
}
