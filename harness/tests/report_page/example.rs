//! A made-up run that has everything the page can show, reported as a real one is.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hallmark::event::{CaseResult, Event, EventSink, RunInfo};
use hallmark::report::{self, Settings, Verbosity};
use hallmark::yaml::{Source, parse_documents};
use serde_json::{Value, json};

/// Writes the reports of the run into `failing`, and into `conformant` those of one in which the MUSTs of `core`
/// are met. Beside them stands what `prove` would have found out.
pub(crate) fn write(folder: &Path) {
    report(&folder.join("failing"), run());
    let mut run = run();
    run["results"][0]["verdict"] = json!("passed");
    report(&folder.join("conformant"), run);
}

fn run() -> Value {
    let document = Source::new("run.yaml", include_str!("run.yaml"));
    parse_documents(&document).unwrap().first().unwrap().to_json()
}

fn report(folder: &Path, mut run: Value) {
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("prove.json"), include_str!("prove.json")).unwrap();
    let info: RunInfo = serde_json::from_value(run["run"].take()).unwrap();
    let results: Vec<CaseResult> = serde_json::from_value(run["results"].take()).unwrap();
    let settings =
        Settings { report_dir: Some(folder.to_owned()), verbosity: Verbosity::Quiet, ..Settings::default() };
    let (sink, receiver) = EventSink::channel();
    sink.note("what people should know <b>");
    sink.send(Event::RunStarted(Box::new(info)));
    for result in results {
        sink.send(Event::CaseFinished(Box::new(result)));
    }
    sink.send(Event::RunFinished { elapsed: Duration::from_secs(12), interrupted: false });
    drop(sink);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { report::spawn(receiver, settings).await.unwrap().unwrap() });
}
