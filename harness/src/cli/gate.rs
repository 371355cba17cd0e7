//! `hallmark gate`.

pub(super) mod args;
mod live;

use self::args::GateArgs;
use self::live::Live;
use super::args::Output;
use super::console::Console;
use super::diff::failure;
use super::session::Session;
use super::signal;
use crate::cluster::provision;
use crate::event::EventSink;
use crate::exit;
use crate::gate::judgement::{Evidence, Judgement};
use crate::gate::render::Renderer;
use crate::gate::source::{Need, Opened, USUAL_PATH};
use crate::gate::{self, Depth, GateError};
use crate::report::{self, gate::Form};

pub(super) async fn gate(args: GateArgs, output: &Output, console: Console) -> u8 {
    let told = |(code, error): (u8, Box<dyn std::error::Error>)| {
        console.error(error.as_ref());
        code
    };
    let (old, new) = match open(&args).await {
        Ok(both) => both,
        Err(error) => return told(failure(error)),
    };
    // What is wrong with suite, implementation or report is told before anything starts.
    let live = if args.only_static {
        None
    } else {
        match Live::new(&args, (&old, &new), output, console).await {
            Ok(live) => Some(live),
            Err(code) => return code,
        }
    };
    let session = match Session::begin(output, console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let evidence = tokio::select! {
        evidence = statics(&args, &old, &new, &session.sink) => evidence,
        () = session.cancel.cancelled() => return exit::INCONCLUSIVE,
    };
    signal::stop(&session.cancel);
    drop(session.sink);
    let _panicked = session.reporter.await;
    let mut evidence = match evidence {
        Ok(evidence) => evidence,
        Err(failed) => return told(failed),
    };
    match live {
        None => evidence.notes.push("neither upgrades nor the suite were run (--static)".to_owned()),
        // Boxed, because a run of the engine is large.
        Some(live) => {
            if let Err(code) = Box::pin(live.add_to(&mut evidence)).await {
                return code;
            }
        }
    }
    let judgement = Judgement::new((&old.label, &old.chart), (&new.label, &new.chart), evidence);
    match save(&args, &judgement) {
        Ok(text) => Console::data(&text),
        Err(error) => return told((exit::INCONCLUSIVE, error)),
    }
    judgement.exit()
}

async fn open(args: &GateArgs) -> Result<(Opened, Opened), GateError> {
    let new = Opened::open(&args.to, USUAL_PATH, Need::Chart).await?;
    if args.only_report().is_none() {
        return Ok((Opened::open(&args.from, &args.to, Need::Chart).await?, new));
    }
    if args.only_static || args.no_suite || args.report.is_some() {
        return Err(GateError::OnlyReport { name: args.from.clone() });
    }
    // With nothing but a report there is no other chart that anything could have changed from.
    let mut same = Opened::open(&args.to, USUAL_PATH, Need::Chart).await?;
    same.label.clone_from(&args.from);
    Ok((same, new))
}

/// What can be told without a cluster.
async fn statics(
    args: &GateArgs,
    old: &Opened,
    new: &Opened,
    events: &EventSink,
) -> Result<Evidence, (u8, Box<dyn std::error::Error>)> {
    if args.only_report().is_some() {
        return Ok(Evidence { accept: args.accept.clone(), ..Evidence::default() });
    }
    let helm = provision::helm(events).await.map_err(|error| (exit::INCONCLUSIVE, error.into()))?;
    let renderer = Renderer::new(&helm).map_err(failure)?;
    let depth = if args.no_edges { Depth::Files } else { Depth::Edges };
    let findings = gate::compare(old, new, &renderer, depth).await.map_err(failure)?;
    Ok(Evidence { findings, accept: args.accept.clone(), ..Evidence::default() })
}

/// Writes the reports and returns what people read.
fn save(args: &GateArgs, judgement: &Judgement) -> Result<String, Box<dyn std::error::Error>> {
    report::save(&args.report_dir, "gate", judgement, &judgement.page()?)?;
    let markdown = args.report_dir.join("gate.md");
    std::fs::write(&markdown, judgement.render(Form::Markdown)?)
        .map_err(|source| report::ReportError::Write { path: markdown, source })?;
    Ok(judgement.render(Form::Text)?)
}
