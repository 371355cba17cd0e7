//! `hallmark diff`.

pub(super) mod args;

use self::args::{DiffArgs, DiffCommand, Pair};
use super::args::Output;
use super::console::Console;
use super::session::Session;
use super::signal;
use crate::cluster::provision;
use crate::event::EventSink;
use crate::exit;
use crate::gate::judgement::unjudged;
use crate::gate::render::Renderer;
use crate::gate::source::{Need, Opened, USUAL_PATH};
use crate::gate::{self, Depth, Finding, GateError};
use crate::report::gate::Differences;

/// Why there is no comparison, and the exit code.
type Failure = (u8, Box<dyn std::error::Error>);

pub(super) async fn diff(args: DiffArgs, output: &Output, console: Console) -> u8 {
    let (pair, differences) = match args.command {
        DiffCommand::Crds(pair) => {
            let differences = crds(&pair).await;
            (pair, differences)
        }
        DiffCommand::Chart(pair) => {
            let session = match Session::begin(output, console) {
                Ok(session) => session,
                Err(code) => return code,
            };
            let differences = tokio::select! {
                differences = chart(&pair, &session.sink) => differences,
                () = session.cancel.cancelled() => return exit::INCONCLUSIVE,
            };
            signal::stop(&session.cancel);
            drop(session.sink);
            let _panicked = session.reporter.await;
            (pair, differences)
        }
    };
    let rendered = differences.and_then(|differences| {
        let text =
            differences.render(pair.format.form()).map_err(|error| (exit::INCONCLUSIVE, error.into()))?;
        Ok((text, differences.is_breaking()))
    });
    match rendered {
        Ok((text, is_breaking)) => {
            Console::data(&text);
            if is_breaking { exit::NON_CONFORMANT } else { exit::CONFORMANT }
        }
        Err((code, error)) => {
            console.error(error.as_ref());
            code
        }
    }
}

async fn crds(pair: &Pair) -> Result<Differences, Failure> {
    let (old, new) = open(pair, Need::Crds).await.map_err(failure)?;
    Ok(differences(&old, &new, gate::crds::compare(&old.chart.crds, &new.chart.crds)))
}

async fn chart(pair: &Pair, events: &EventSink) -> Result<Differences, Failure> {
    let (old, new) = open(pair, Need::Chart).await.map_err(failure)?;
    let helm = provision::helm(events).await.map_err(|error| (exit::INCONCLUSIVE, error.into()))?;
    let renderer = Renderer::new(&helm).map_err(failure)?;
    let found = gate::compare(&old, &new, &renderer, Depth::Files).await.map_err(failure)?;
    Ok(differences(&old, &new, found))
}

fn differences(old: &Opened, new: &Opened, found: Vec<Finding>) -> Differences {
    Differences {
        from: old.label.clone(),
        to: new.label.clone(),
        findings: unjudged(&old.chart, &new.chart, found),
    }
}

/// Each is where the other one is, unless it says so itself.
async fn open(pair: &Pair, need: Need) -> Result<(Opened, Opened), GateError> {
    let old = Opened::open(&pair.old, &pair.new, need).await?;
    let beside = if old.folder().join("Chart.yaml").is_file() { &pair.old } else { USUAL_PATH };
    Ok((old, Opened::open(&pair.new, beside, need).await?))
}

pub(super) fn failure(error: GateError) -> Failure {
    let code = if error.is_usage() { exit::USAGE } else { exit::INCONCLUSIVE };
    (code, error.into())
}
